"""Putting a blob into a repository: in one piece, in chunks, or by mounting it from another repository.

OCI distribution-spec v1.1, "Pushing blobs" and "Mounting a blob from another repository". An upload in pieces that
breaks goes on from where the registry says it is; one that is gone, and one in one piece, is begun anew, unless the
blob is there by then. What is left of uploads is the registry's to drop. Nothing is kept between processes.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from urllib.parse import quote

from layering.errors import ContentError, LayerwatchError, RefusedError, UnavailableError
from layering.reference import Digest, Repository
from layering.registry.addresses import absolute
from layering.registry.answers import claimed_digest
from layering.registry.deadline import Deadline
from layering.registry.host import Asking, RegistryHost
from layering.registry.manifest import Descriptor
from layering.registry.response import Response
from layering.registry.transport import TRIES

_OCTETS = {"Content-Type": "application/octet-stream"}
_CHUNK_BYTES = 4 * 1024 * 1024  # ghcr.io takes no larger PATCH
_CHUNK_BYTES_MAX = 16 * 1024 * 1024  # of a registry's own wish; three of them may be in memory at a time
_HELD = re.compile(r"(?:bytes=)?0-([0-9]{1,18})")
_NO_SUCH_PIECES = (400, 405, 411, 413, 422)
_DONE = (200, 201, 202, 204)  # 201 by the specification; the others have been seen


class BlobCopy(StrEnum):
    """How a blob came to be in the target."""

    EXISTED = "existed"
    MOUNTED = "mounted"
    STREAMED = "streamed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """An upload that a registry has opened: where it goes on, and in how large pieces."""

    url: str
    chunk_bytes: int = _CHUNK_BYTES


class _GoneError(Exception):
    """The registry knows nothing of the upload any more; another may be opened, or its refusal is the end."""

    def __init__(self, refusal: LayerwatchError) -> None:
        super().__init__()
        self.refusal = refusal


class _PiecesRefusedError(Exception):
    """The registry does not take this blob in pieces, or not in such ones."""


class _Whole:
    """A blob as the body of one request: sent as it is read, and from its beginning each time."""

    def __init__(self, open_chunks: Callable[[], Iterable[bytes]], size: int) -> None:
        self._open_chunks = open_chunks
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._open_chunks())


def push_bytes(host: RegistryHost, repository: Repository, data: bytes, digest: Digest, deadline: Deadline) -> None:
    """POST, then one PUT. Raises what the registry's refusal means."""

    def send() -> None:
        session = _begin(host, repository, deadline)
        _finish(host, repository, session, digest, deadline, data)

    _until_there(host, repository, send, digest, deadline)


def push_chunks(
    host: RegistryHost,
    repository: Repository,
    open_chunks: Callable[[], Iterable[bytes]],
    descriptor: Descriptor,
    deadline: Deadline,
    session: Session | None = None,
) -> None:
    """POST (unless an upload is open already), PATCH piece by piece, then a PUT that closes it. In one piece where the
    registry takes no pieces (Google's Artifact Registry), or none of the size of ours (Amazon's ECR: 5 MiB at least).

    `open_chunks` gives the content from its beginning each time it is called.
    """
    opened = [session] if session else []

    def send() -> None:
        at = opened.pop() if opened else _begin(host, repository, deadline)
        try:
            at = _send_pieces(host, repository, at, _Ahead(open_chunks()), deadline)
            _finish(host, repository, at, descriptor.digest, deadline, None)
        except _PiecesRefusedError:
            whole = _Whole(open_chunks, descriptor.size)
            _finish(host, repository, _begin(host, repository, deadline), descriptor.digest, deadline, whole)

    _until_there(host, repository, send, descriptor.digest, deadline)


def _until_there(
    host: RegistryHost, repository: Repository, send: Callable[[], None], digest: Digest, deadline: Deadline
) -> None:
    """Send, a few times if need be: not again what the registry has kept without our hearing of it."""
    for attempt in range(1, TRIES + 1):
        try:
            if attempt == 1 or not _is_there(host, repository, digest, deadline):
                send()
        except (UnavailableError, _GoneError) as error:
            if attempt == TRIES or not host.pause(attempt, deadline):
                raise (error.refusal if isinstance(error, _GoneError) else error) from None
        else:
            return


def _send_pieces(
    host: RegistryHost, repository: Repository, session: Session, ahead: "_Ahead", deadline: Deadline
) -> Session:
    """PATCH all that is ahead. What fails a few times in one place, or goes back, is not gone on with."""
    failures = 0
    while piece := ahead.piece(session.chunk_bytes):
        try:
            session = _patch(host, repository, session, piece, ahead.start, deadline)
        except UnavailableError:
            failures += 1
            if failures == TRIES or not host.pause(failures, deadline):
                raise
            session, held = _status(host, repository, session, deadline)
            ahead.drop_until(held, str(repository))
        else:
            failures = 0
            ahead.drop_until(ahead.start + len(piece), str(repository))
    return session


class _Ahead:
    """Content from where the registry has it on, as far as it is in memory: at most a piece and a chunk."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._gathered = bytearray()
        self.start = 0

    def piece(self, length: int) -> bytes:
        """The next bytes, and the same each time; fewer only at the end."""
        while len(self._gathered) < length and (chunk := next(self._chunks, None)) is not None:
            self._gathered += chunk
        with memoryview(self._gathered) as whole:
            return bytes(whole[:length])

    def drop_until(self, offset: int, where: str) -> None:
        """The registry has this many bytes of all. Raises UnavailableError where they are not those in memory."""
        if not self.start <= offset <= self.start + len(self._gathered):
            raise UnavailableError("the registry lost a part of the upload", where=where)
        del self._gathered[: offset - self.start]
        self.start = offset


def mount(
    host: RegistryHost, target: Repository, source: Repository, digest: Digest, deadline: Deadline
) -> Session | bool:
    """Ask for a mount: True when it was done, the upload that was opened instead, or False for neither.

    False is also the answer when there is no right to the source: the upload itself will tell what is wrong.
    """
    query = f"mount={quote(str(digest), safe='')}&from={quote(source.path, safe='')}"
    asking = replace(
        _writing("POST", f"/v2/{target.path}/blobs/uploads/?{query}", target, deadline),
        also_pull=source,
        repeatable=True,
    )
    try:
        with host.ask(asking) as response:
            if response.status == 201:
                return _is_mounted(response, digest, target)
            if response.status == 202:
                return _session(response, target)
            if isinstance(refusal := host.refusal(response, asking), UnavailableError):
                raise refusal
    except RefusedError:
        return False
    return False


def _is_mounted(response: Response, digest: Digest, target: Repository) -> bool:
    _check_kept(response, digest, target)
    return True


def _check_kept(response: Response, digest: Digest, target: Repository) -> None:
    """Raises ContentError when the registry says that another blob is there now."""
    claimed = claimed_digest(response, str(target))
    if claimed is not None and claimed.algorithm == digest.algorithm and claimed != digest:
        raise ContentError(f"the registry has {claimed} now instead of {digest}", where=str(target))


def _begin(host: RegistryHost, repository: Repository, deadline: Deadline) -> Session:
    asking = replace(_writing("POST", f"/v2/{repository.path}/blobs/uploads/", repository, deadline), repeatable=True)
    with host.ask(asking) as response:
        if response.status != 202:
            raise host.refusal(response, asking)
        return _session(response, repository)


def _patch(
    host: RegistryHost, repository: Repository, session: Session, piece: bytes, start: int, deadline: Deadline
) -> Session:
    headers = {**_OCTETS, "Content-Range": f"{start}-{start + len(piece) - 1}"}
    asking = replace(_writing("PATCH", session.url, repository, deadline), headers=headers, data=piece)
    with host.ask(asking) as response:
        if response.status == 416:
            raise UnavailableError("the registry lost a part of the upload", where=str(repository))
        _check_done(host, response, asking)
        return replace(_session(response, repository), chunk_bytes=session.chunk_bytes)


def _status(host: RegistryHost, repository: Repository, session: Session, deadline: Deadline) -> tuple[Session, int]:
    """Where an upload goes on, and how many bytes the registry has of it; `0-0` is none, as registries write it.

    Raises UnavailableError when it says neither, which is no more than that this upload is not to be gone on with.
    """
    with host.ask(_writing("GET", session.url, repository, deadline)) as response:
        held = _HELD.fullmatch(response.headers.get("Range", ""))
        if response.status not in _DONE or held is None or not response.headers.get("Location"):
            raise UnavailableError("the registry lost the upload", where=str(repository))
        last = int(held[1])
        return replace(_session(response, repository), chunk_bytes=session.chunk_bytes), last + 1 if last else 0


def _finish(
    host: RegistryHost,
    repository: Repository,
    session: Session,
    digest: Digest,
    deadline: Deadline,
    data: bytes | _Whole | None,
) -> None:
    """`data` is the blob, or None when all of it was sent in pieces."""
    url = f"{session.url}{'&' if '?' in session.url else '?'}digest={quote(str(digest), safe='')}"
    asking = replace(_writing("PUT", url, repository, deadline), headers=_OCTETS, data=data)
    with host.ask(asking) as response:
        _check_done(host, response, asking)
        _check_kept(response, digest, repository)


def _check_done(host: RegistryHost, response: Response, asking: Asking) -> None:
    """Raises _GoneError for 404, _PiecesRefusedError for a no to a piece or to all of them, else what it means."""
    if response.status in _DONE:
        return
    if response.status in _NO_SUCH_PIECES and (asking.method == "PATCH" or asking.data is None):
        raise _PiecesRefusedError
    refusal = host.refusal(response, asking)
    if response.status == 404:
        raise _GoneError(refusal)
    raise refusal


def _is_there(host: RegistryHost, repository: Repository, digest: Digest, deadline: Deadline) -> bool:
    path = f"/v2/{repository.path}/blobs/{digest}"
    with host.ask(Asking(method="HEAD", path=path, repository=repository, deadline=deadline)) as response:
        return response.status == 200


def _writing(method: str, path: str, repository: Repository, deadline: Deadline) -> Asking:
    return Asking(method=method, path=path, repository=repository, deadline=deadline, actions="pull,push")


def _session(response: Response, repository: Repository) -> Session:
    """Where the upload goes on: absolute or relative to the request, its query untouched. RegistryHost checks it."""
    location = response.headers.get("Location")
    if not location:
        raise ContentError("the registry opens an upload and does not say where", where=str(repository))
    url = absolute(location, response.url, str(repository))
    wished = response.headers.get("OCI-Chunk-Min-Length", "")
    least = int(wished[:12]) if wished.isascii() and wished.isdecimal() else 0
    return Session(url=url, chunk_bytes=min(max(_CHUNK_BYTES, least), _CHUNK_BYTES_MAX))
