"""Where the embedded registry keeps its bytes: in memory, or in a directory that survives being killed.

A store maps keys (slash-separated, made by server_content.py of validated names only) to bytes. It knows no manifests.
Files appear whole or not at all: written beside, synced, renamed.
"""

import os
import threading
import uuid
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Protocol


class Incoming(Protocol):
    """Bytes on their way in."""

    size: int

    def write(self, data: bytes) -> None:
        """Append."""

    def read_all(self) -> BinaryIO:
        """All that came so far, from its beginning."""

    def commit(self, key: str) -> None:
        """Keep it under `key`, whole; what stood there is replaced."""

    def abort(self) -> None:
        """Drop it."""


class Storage(Protocol):
    """A map from keys to bytes."""

    def open(self, key: str) -> tuple[BinaryIO, int] | None:
        """A stream from the beginning and the length, or None. The caller closes the stream."""

    def put(self, key: str, data: bytes) -> None:
        """Keep a few bytes under `key`."""

    def delete(self, key: str) -> bool:
        """Whether there was something to delete."""

    def children(self, key: str) -> list[str]:
        """The names directly below `key`, sorted."""

    def begin(self) -> Incoming:
        """Take in bytes whose name is not known yet."""


class MemoryStorage:
    """Everything in this process; gone with it."""

    def __init__(self) -> None:
        self._content: dict[str, bytes] = {}

    def open(self, key: str) -> tuple[BinaryIO, int] | None:
        """See Storage."""
        data = self._content.get(key)
        return None if data is None else (BytesIO(data), len(data))

    def put(self, key: str, data: bytes) -> None:
        """See Storage."""
        self._content[key] = data

    def delete(self, key: str) -> bool:
        """See Storage."""
        return self._content.pop(key, None) is not None

    def children(self, key: str) -> list[str]:
        """See Storage."""
        prefix = f"{key}/"
        return sorted(
            {name[len(prefix) :].partition("/")[0] for name in list(self._content) if name.startswith(prefix)}
        )

    def begin(self) -> Incoming:
        """See Storage."""
        return _MemoryIncoming(self)


class _MemoryIncoming:
    def __init__(self, storage: MemoryStorage) -> None:
        self._storage = storage
        self._buffer = BytesIO()
        self.size = 0

    def write(self, data: bytes) -> None:
        self.size += self._buffer.write(data)

    def read_all(self) -> BinaryIO:
        return BytesIO(self._buffer.getvalue())

    def commit(self, key: str) -> None:
        self._storage.put(key, self._buffer.getvalue())

    def abort(self) -> None:
        self._buffer = BytesIO()


class DirectoryStorage:
    """Files below one directory, which is made when it is missing."""

    def __init__(self, directory: Path) -> None:
        self._root = directory
        self._incoming = directory / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True)
        for leftover in self._incoming.iterdir():
            leftover.unlink(missing_ok=True)  # uploads of a process that was killed; no client can go on with them

    def open(self, key: str) -> tuple[BinaryIO, int] | None:
        """See Storage."""
        try:
            stream = (self._root / key).open("rb")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        return stream, os.fstat(stream.fileno()).st_size

    def put(self, key: str, data: bytes) -> None:
        """See Storage."""
        incoming = self.begin()
        incoming.write(data)
        incoming.commit(key)

    def delete(self, key: str) -> bool:
        """See Storage."""
        try:
            (self._root / key).unlink()
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def children(self, key: str) -> list[str]:
        """See Storage."""
        try:
            return sorted(os.listdir(self._root / key))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def begin(self) -> Incoming:
        """See Storage."""
        return _FileIncoming(self._root, self._incoming / uuid.uuid4().hex)


class _FileIncoming:
    def __init__(self, root: Path, path: Path) -> None:
        self._root = root
        self._path = path
        self._stream = path.open("wb")
        self._guard = threading.Lock()
        self.size = 0

    def write(self, data: bytes) -> None:
        self.size += self._stream.write(data)

    def read_all(self) -> BinaryIO:
        self._stream.flush()
        return self._path.open("rb")

    def commit(self, key: str) -> None:
        with self._guard:
            self._stream.flush()
            os.fsync(self._stream.fileno())
            self._stream.close()
            target = self._root / key
            target.parent.mkdir(parents=True, exist_ok=True)
            self._path.replace(target)

    def abort(self) -> None:
        self._stream.close()
        self._path.unlink(missing_ok=True)
