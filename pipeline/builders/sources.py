"""The files of the build context that a COPY or ADD takes, as buildah would take them.

Set-user-id and set-group-id bits are dropped, owners are not kept. What buildah treats in its own way (archives under
ADD, hard links, extended attributes, devices, patterns with more than `*` and `?`, ignore files) is refused.
"""

import os
import posixpath
import re
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from layering.errors import InputError
from layering.layer import EntryKind
from layering.reasons import Reason
from pipeline.builders.refusal import RefusalReason, Refused

_IGNORE_FILES = (".containerignore", ".dockerignore")
_KEPT_BITS = 0o1777
_HARMLESS_XATTRS = ("security.selinux", "system.posix_acl_access", "system.posix_acl_default")
_COMPRESSION_MAGIC = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"(\xb5/\xfd", b"\x5d\x00\x00", b"PK\x03\x04")
_TAR_BLOCK = 512


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceFile:
    """One file, link or directory of the context. `name` is relative to the source that was copied, "" for itself."""

    name: str
    path: Path
    kind: EntryKind
    mode: int
    size: int = 0
    target: str = ""


def refuse_ignore_file(context: Path, containerfile_name: str) -> None:
    """Raise Refused when an ignore file leaves anything out."""
    for name in (*_IGNORE_FILES, *(f"{containerfile_name}{suffix}" for suffix in _IGNORE_FILES)):
        file = context / name
        if file.is_file() and any(_is_pattern(line) for line in file.read_bytes().splitlines()):
            raise Refused(RefusalReason.IGNORE_FILE, f"{name} leaves files out")


def _is_pattern(line: bytes) -> bool:
    return bool(line.strip()) and not line.startswith(b"#")


def find_sources(context: Path, pattern: str, line: int) -> tuple[Path, ...]:
    """The paths that one source of a COPY names, sorted.

    Raises InputError when the context has no such path (no builder could copy it), Refused for patterns and links.
    """
    cleaned = posixpath.normpath("/" + pattern).lstrip("/")
    if ".." in pattern.split("/"):
        raise Refused(RefusalReason.SOURCE_NOT_LOCAL, f"{pattern} may leave the context")
    if re.search(r"[\[\]\\]|\*\*", cleaned):
        raise Refused(RefusalReason.SOURCE_PATTERN, f"the pattern {pattern} has more than * and ?")
    found = [context]
    for part in filter(None, cleaned.split("/")):
        found = [child for parent in found for child in _children(parent, part)]
    if not found:
        raise InputError(
            f"{pattern} is not in the build context",
            where=f"line {line}",
            next_step="add it to the build context in the source, or correct the path in the Containerfile",
            reason=Reason.BUILD_MISCONFIGURED,
        )
    return tuple(found)


def _children(parent: Path, part: str) -> list[Path]:
    """The entries of `parent` that match one part of a path (Go's path/filepath, `Match`: `*` takes dot files too)."""
    if not stat.S_ISDIR(parent.lstat().st_mode):
        return []
    if "*" not in part and "?" not in part:
        names = [part] if os.path.lexists(parent / part) else []
    else:
        wanted = re.compile(re.escape(part).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)
        names = sorted(name for name in os.listdir(parent) if wanted.fullmatch(name))
    for name in names:
        if (parent / name).is_symlink():
            raise Refused(RefusalReason.SOURCE_IS_SYMLINK, f"{name} is a symbolic link, which a COPY follows")
    return [parent / name for name in names]


def walk(source: Path, *, extracts: bool) -> Iterator[SourceFile]:
    """`source` itself, and when it is a directory all below it, parents first. `extracts`: archives would be unpacked.

    Raises Refused for what cannot be copied as it stands.
    """
    seen: set[tuple[int, int]] = set()
    for path, name in _paths(source, ""):
        status = path.lstat()
        if status.st_nlink > 1 and stat.S_ISREG(status.st_mode):
            if (status.st_dev, status.st_ino) in seen:
                raise Refused(RefusalReason.SOURCE_IS_HARD_LINKED, f"{path.name} has another name beside it")
            seen.add((status.st_dev, status.st_ino))
        file = _source_file(path, name, status)
        if extracts and file.kind is EntryKind.FILE and _may_be_archive(path):
            raise Refused(RefusalReason.SOURCE_IS_ARCHIVE, f"ADD unpacks {path.name}")
        yield file


def _paths(path: Path, name: str) -> Iterator[tuple[Path, str]]:
    yield path, name
    if stat.S_ISDIR(path.lstat().st_mode):
        for child in sorted(os.listdir(path)):
            yield from _paths(path / child, posixpath.join(name, child))


def _source_file(path: Path, name: str, status: os.stat_result) -> SourceFile:
    if not name.isascii():
        raise Refused(RefusalReason.NAME_NOT_ASCII, f"{name!r} has other characters than ASCII")
    if _odd_xattrs(path):
        raise Refused(RefusalReason.SOURCE_HAS_XATTRS, f"{path.name} has extended attributes")
    mode = stat.S_IMODE(status.st_mode) & _KEPT_BITS
    if stat.S_ISREG(status.st_mode):
        return SourceFile(name=name, path=path, kind=EntryKind.FILE, mode=mode, size=status.st_size)
    if stat.S_ISDIR(status.st_mode):
        return SourceFile(name=name, path=path, kind=EntryKind.DIRECTORY, mode=mode)
    if stat.S_ISLNK(status.st_mode):
        return SourceFile(name=name, path=path, kind=EntryKind.SYMLINK, mode=0o777, target=os.readlink(path))
    raise Refused(RefusalReason.SOURCE_IS_SPECIAL, f"{path.name} is neither a file nor a directory nor a link")


def _odd_xattrs(path: Path) -> list[str]:
    if not hasattr(os, "listxattr"):
        return []
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError:  # a file system without any
        return []
    return [name for name in names if name not in _HARMLESS_XATTRS]


def _may_be_archive(path: Path) -> bool:
    """Whether the file starts like a compressed file or a tar member; an empty block counts, to be sure."""
    with path.open("rb") as file:
        block = file.read(_TAR_BLOCK)
    if block.startswith(_COMPRESSION_MAGIC):
        return True
    if len(block) < _TAR_BLOCK:
        return False
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return not any(block)
    return True
