"""git's own ids for a plain directory: what `git rev-parse COMMIT:path` says of a clean checkout of it.

Objects as `git hash-object` makes them: SHA-1 of type, length and content. `.git` is no part of a tree, and neither are
empty directories. Sockets, devices and fifos cannot be named and are refused.
"""

import hashlib
import os
import stat
from pathlib import Path

from layering.errors import InputError

_CHUNK_BYTES = 1024 * 1024


def tree_id(directory: Path) -> str:
    """The id of the directory as git's tree. Raises InputError for what cannot be read or named."""
    return _tree(directory)[1]


def blob_id(content: bytes) -> str:
    """The id of a file with this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _tree(directory: Path) -> tuple[bool, str]:
    """Whether there is anything in it, and its id."""
    entries = []
    try:
        children = list(os.scandir(directory))
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=str(directory)) from None
    for child in children:
        if child.name == ".git":
            continue
        found = _entry(Path(child.path))
        if found is not None:
            mode, object_id = found
            name = os.fsencode(child.name)
            # git sorts a directory as if its name ended in a slash
            entries.append((name + (b"/" if mode == b"40000" else b""), mode, name, bytes.fromhex(object_id)))
    content = b"".join(b"%s %s\0%s" % (mode, name, raw) for _, mode, name, raw in sorted(entries))
    return bool(entries), hashlib.sha1(b"tree %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _entry(path: Path) -> tuple[bytes, str] | None:
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        return b"120000", blob_id(os.fsencode(os.readlink(path)))
    if stat.S_ISDIR(status.st_mode):
        has_entries, object_id = _tree(path)
        return (b"40000", object_id) if has_entries else None
    if stat.S_ISREG(status.st_mode):
        return b"100755" if status.st_mode & 0o100 else b"100644", _file_id(path, status.st_size)
    raise InputError("neither a file, a directory nor a link", where=str(path), next_step="take it out of the context")


def _file_id(path: Path, size: int) -> str:
    hasher = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    try:
        with path.open("rb") as stream:
            while data := stream.read(_CHUNK_BYTES):
                hasher.update(data)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=str(path)) from None
    return hasher.hexdigest()
