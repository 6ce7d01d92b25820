"""Symbolic links followed by name, as within a chroot: of a tree on disk, or of one that is only known."""

import errno
import os
from collections.abc import Callable


def without_links(path: str, target_of: Callable[[str], str | None], followed_max: int) -> str:
    """`path` relative to the root, with its links followed and no `..` left; what is missing is kept.

    `target_of` gives where the link at a path leads, None for what is none. Raises OSError (ELOOP) when more than
    `followed_max` were followed, and what `target_of` raises.
    """
    done: list[str] = []
    parts, followed = path.split("/")[::-1], 0
    while parts:
        part = parts.pop()
        if part in ("", "."):
            continue
        if part == "..":
            done = done[:-1]
            continue
        target = target_of("/".join([*done, part]))
        if target is None:
            done.append(part)
            continue
        followed += 1
        if followed > followed_max:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        done = [] if target.startswith("/") else done
        parts.extend(target.split("/")[::-1])
    return "/".join(done)
