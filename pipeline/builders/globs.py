"""Go's path/filepath `Glob`, below a root that no symbolic link leads out of. It reads no file."""

import os
import posixpath
import re
import stat
from pathlib import Path

from pipeline.builders.links import without_links
from pipeline.builders.refusal import RefusalReason, Refused

_META = re.compile(r"[*?\[\\]")
_CLASS = re.compile(r"\[(\^?)((?:[^\]\\^-](?:-[^\]\\^-])?)+)\]")
_LINKS_FOLLOWED_MAX = 40


def has_meta(pattern: str) -> bool:
    """Whether a path is a pattern."""
    return _META.search(pattern) is not None


def glob(root: Path, pattern: str) -> list[str]:
    """The paths below `root` that match `pattern`, relative to it and in order; "" is the root itself."""
    if not pattern:
        return [""]
    if not has_meta(pattern):
        return [pattern] if lstat(root, pattern) is not None else []
    directory, _, name = pattern.rpartition("/")
    found: list[str] = []
    for parent in glob(root, directory):
        resolved = resolve(root, parent)
        if resolved is None or not (root / resolved).is_dir():
            continue
        wanted = _expression(name)
        names = sorted(child for child in os.listdir(root / resolved) if wanted.fullmatch(child))
        found.extend(posixpath.join(parent, child) for child in names)
    return found


def lstat(root: Path, path: str) -> os.stat_result | None:
    """What stands at `path`, links on the way followed within `root`; None for nothing."""
    directory, _, name = path.rpartition("/")
    parent = resolve(root, directory)
    if parent is None or not (root / parent).is_dir():
        return None
    try:
        return (root / parent / name).lstat()
    except OSError:
        return None


def resolve(root: Path, path: str) -> str | None:
    """`path` without symbolic links, as a chroot to `root` would resolve it; None when it leads nowhere."""

    def target_of(inner: str) -> str | None:
        here = root / inner
        return os.readlink(here) if stat.S_ISLNK(here.lstat().st_mode) else None

    try:
        return without_links(path, target_of, _LINKS_FOLLOWED_MAX)
    except OSError:
        return None


def _expression(pattern: str) -> re.Pattern[str]:
    """path/filepath `Match` of one part. Raises Refused for patterns that are odd or none."""
    out, at = [], 0
    while at < len(pattern):
        character = pattern[at]
        if character == "[":
            match = _CLASS.match(pattern, at)
            if match is None:
                raise Refused(RefusalReason.SOURCE_PATTERN, f"the pattern {pattern} has an odd [")
            ranges = "".join(f"\\{one}" if one in "[&~|" else one for one in match[2])
            out.append(f"[{match[1]}{ranges}]")
            at = match.end()
            continue
        at += 1
        if character == "\\":
            if at == len(pattern):
                raise Refused(RefusalReason.SOURCE_PATTERN, f"the pattern {pattern} ends in an escape")
            character, at = pattern[at], at + 1
            out.append(re.escape(character))
        else:
            out.append({"*": ".*", "?": "."}.get(character) or re.escape(character))
    try:
        return re.compile("".join(out), re.DOTALL)
    except re.error:
        raise Refused(RefusalReason.SOURCE_PATTERN, f"the pattern {pattern} has a range that is none") from None
