"""The files of the build context that a COPY or ADD takes, as buildah takes them (add.go, copier.go: `Stat`, `Get`).

Set-user-id and set-group-id bits are dropped, owners are not kept, hard links within one directory are. A symbolic link
that is named itself is followed, one within a directory is copied. What needs more than the context is refused.
"""

import os
import posixpath
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from layering.errors import InputError
from layering.layer import EntryKind
from layering.reasons import Reason
from pipeline.builders import globs
from pipeline.builders.ignorefile import IgnoreFile
from pipeline.builders.refusal import RefusalReason, Refused

_KEPT_BITS = 0o1777
_KINDS = {stat.S_IFREG: EntryKind.FILE, stat.S_IFDIR: EntryKind.DIRECTORY, stat.S_IFLNK: EntryKind.SYMLINK,
          stat.S_IFIFO: EntryKind.FIFO}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceFile:
    """One file, link or directory that is copied. `name` is relative to the source that was copied.

    A file's content is the `size` bytes of `path` from `offset` on. Files of one `inode` are hard links of each other.
    `owner` is None where the instruction says it.
    """

    name: str
    kind: EntryKind
    mode: int
    path: Path | None = None
    offset: int = 0
    size: int = 0
    target: str = ""
    inode: object = None
    owner: tuple[int, int] | None = None
    xattrs: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """One path that a COPY names. `path` has no symbolic links left; `named` is how the context calls it."""

    named: str
    path: str
    mode: int

    @property
    def is_directory(self) -> bool:
        """Whether it is one, after links were followed."""
        return stat.S_ISDIR(self.mode)

    @property
    def is_regular(self) -> bool:
        """Whether it is a file, after links were followed."""
        return stat.S_ISREG(self.mode)


def find_sources(context: Path, pattern: str, line: int, stage: str = "") -> tuple[Source, ...]:
    """What one source of a COPY names, sorted.

    `stage` is for messages, when that is the context. Raises InputError when the context has no such path (no builder
    could copy it), Refused for one that leaves it.
    """
    cleaned = posixpath.normpath(f"./{pattern}")
    if cleaned.startswith(".."):
        raise Refused(RefusalReason.SOURCE_NOT_LOCAL, f"{pattern} leaves the context")
    found = globs.glob(context, "" if cleaned == "." else cleaned)
    if not found:
        raise InputError(
            f"{pattern} is not in {f'the stage {stage}' if stage else 'the build context'}",
            where=f"line {line}",
            next_step="correct the path in the Containerfile"
            if stage
            else "add it to the build context in the source, or correct the path in the Containerfile",
            reason=Reason.BUILD_MISCONFIGURED,
        )
    return tuple(_source(context, named) for named in found)


def _source(context: Path, named: str) -> Source:
    path = globs.resolve(context, named)
    if path is None:
        raise Refused(RefusalReason.SOURCE_IS_SYMLINK, f"{named} is a symbolic link that leads nowhere")
    return Source(named=named, path=path, mode=(context / path).lstat().st_mode)


def walk(context: Path, source: Source, ignored: IgnoreFile) -> Iterator[SourceFile]:
    """All below a directory, parents first; else the file itself. Raises Refused for what cannot be copied.

    What the ignore file leaves out is left out.
    """
    if not source.is_directory:
        if ignored.excludes(source.path):
            raise Refused(RefusalReason.IGNORE_FILE, f"{source.named} leads to what the ignore file leaves out")
        yield _source_file(context / source.path, posixpath.basename(source.named))
        return
    for path in _below(context, source.path, ignored):
        yield _source_file(context / path, path[len(source.path) :].lstrip("/"))


def _below(context: Path, directory: str, ignored: IgnoreFile) -> Iterator[str]:
    for name in sorted(os.listdir(context / directory)):
        path = posixpath.join(directory, name)
        mode = (context / path).lstat().st_mode
        excluded = ignored.excludes(path)
        if not excluded and not stat.S_ISSOCK(mode):
            yield path
        if stat.S_ISDIR(mode) and (not excluded or ignored.may_take_back_below(path)):
            yield from _below(context, path, ignored)


def _source_file(path: Path, name: str) -> SourceFile:
    status = path.lstat()
    kind = _KINDS.get(stat.S_IFMT(status.st_mode))
    if kind is None:
        raise Refused(RefusalReason.SOURCE_IS_SPECIAL, f"{path.name} is neither a file nor a directory nor a link")
    is_file = kind is EntryKind.FILE
    return SourceFile(
        name=name,
        kind=kind,
        mode=stat.S_IMODE(status.st_mode) & _KEPT_BITS,
        path=path if is_file else None,
        size=status.st_size if is_file else 0,
        target=os.readlink(path) if kind is EntryKind.SYMLINK else "",
        inode=(status.st_dev, status.st_ino) if is_file and status.st_nlink > 1 else None,
        xattrs=_xattrs(path),
    )


def is_kept_xattr(name: str) -> bool:
    """copier/xattrs.go, `relevantAttributes`; a security label never comes from a build."""
    return name.startswith("user.") or name in ("security.capability", "security.ima")


def _xattrs(path: Path) -> tuple[tuple[str, bytes], ...]:
    if not hasattr(os, "listxattr"):
        return ()
    try:
        names = [name for name in os.listxattr(path, follow_symlinks=False) if is_kept_xattr(name)]
        return tuple((name, os.getxattr(path, name, follow_symlinks=False)) for name in sorted(names))
    except OSError:  # a file system without any
        return ()
