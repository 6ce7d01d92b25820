"""Putting a blob into a repository: in one piece, in chunks, or by mounting it from another repository.

OCI distribution-spec v1.1, "Pushing blobs" and "Mounting a blob from another repository". An upload that breaks is
begun anew; what it left is the registry's to drop. Nothing is kept between processes.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from urllib.parse import quote

import requests

from layering.errors import ContentError, RefusedError, UnavailableError
from layering.reference import Digest, Repository
from layering.registry.addresses import absolute
from layering.registry.answers import claimed_digest
from layering.registry.deadline import Deadline
from layering.registry.host import Asking, RegistryHost
from layering.registry.manifest import Descriptor

_OCTETS = {"Content-Type": "application/octet-stream"}
_CHUNK_BYTES = 4 * 1024 * 1024  # ghcr.io takes no larger PATCH
_CHUNK_BYTES_MAX = 16 * 1024 * 1024  # of a registry's own wish; three of them may be in memory at a time
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


def push_bytes(host: RegistryHost, repository: Repository, data: bytes, digest: Digest, deadline: Deadline) -> None:
    """POST, then one PUT. Raises what the registry's refusal means."""

    def send() -> None:
        session = _begin(host, repository, deadline)
        _finish(host, repository, session, digest, deadline, data)

    host.anew(send, deadline, UnavailableError)


def push_chunks(
    host: RegistryHost,
    repository: Repository,
    open_chunks: Callable[[], Iterable[bytes]],
    descriptor: Descriptor,
    deadline: Deadline,
    session: Session | None = None,
) -> None:
    """POST (unless an upload is open already), PATCH piece by piece, then a PUT that closes it.

    `open_chunks` gives the content from its beginning each time it is called.
    """
    opened = [session] if session else []

    def send() -> None:
        at, sent = opened.pop() if opened else _begin(host, repository, deadline), 0
        for piece in _pieces(open_chunks(), at.chunk_bytes):
            at = _patch(host, repository, at, piece, sent, deadline)
            sent += len(piece)
        _finish(host, repository, at, descriptor.digest, deadline, b"")

    host.anew(send, deadline, UnavailableError)


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
            if response.status_code == 201:
                return _is_mounted(response, digest, target)
            if response.status_code == 202:
                return _session(response, target)
            if isinstance(refusal := host.refusal(response, asking), UnavailableError):
                raise refusal
    except RefusedError:
        return False
    return False


def _is_mounted(response: requests.Response, digest: Digest, target: Repository) -> bool:
    _check_kept(response, digest, target)
    return True


def _check_kept(response: requests.Response, digest: Digest, target: Repository) -> None:
    """Raises ContentError when the registry says that another blob is there now."""
    claimed = claimed_digest(response, str(target))
    if claimed is not None and claimed.algorithm == digest.algorithm and claimed != digest:
        raise ContentError(f"the registry has {claimed} now instead of {digest}", where=str(target))


def _begin(host: RegistryHost, repository: Repository, deadline: Deadline) -> Session:
    asking = replace(_writing("POST", f"/v2/{repository.path}/blobs/uploads/", repository, deadline), repeatable=True)
    with host.ask(asking) as response:
        if response.status_code != 202:
            raise host.refusal(response, asking)
        return _session(response, repository)


def _patch(
    host: RegistryHost, repository: Repository, session: Session, piece: bytes, start: int, deadline: Deadline
) -> Session:
    headers = {**_OCTETS, "Content-Range": f"{start}-{start + len(piece) - 1}"}
    asking = replace(_writing("PATCH", session.url, repository, deadline), headers=headers, data=piece)
    with host.ask(asking) as response:
        if response.status_code == 416:
            raise UnavailableError("the registry lost a part of the upload", where=str(repository))
        if response.status_code not in _DONE:
            raise host.refusal(response, asking)
        return replace(_session(response, repository), chunk_bytes=session.chunk_bytes)


def _finish(
    host: RegistryHost, repository: Repository, session: Session, digest: Digest, deadline: Deadline, data: bytes
) -> None:
    url = f"{session.url}{'&' if '?' in session.url else '?'}digest={quote(str(digest), safe='')}"
    asking = replace(_writing("PUT", url, repository, deadline), headers=_OCTETS, data=data)
    with host.ask(asking) as response:
        if response.status_code not in _DONE:
            raise host.refusal(response, asking)
        _check_kept(response, digest, repository)


def _writing(method: str, path: str, repository: Repository, deadline: Deadline) -> Asking:
    return Asking(method=method, path=path, repository=repository, deadline=deadline, actions="pull,push")


def _session(response: requests.Response, repository: Repository) -> Session:
    """Where the upload goes on: absolute or relative to the request, its query untouched. RegistryHost checks it."""
    location = response.headers.get("Location")
    if not location:
        raise ContentError("the registry opens an upload and does not say where", where=str(repository))
    url = absolute(location, response.url, str(repository))
    wished = response.headers.get("OCI-Chunk-Min-Length", "")
    least = int(wished[:12]) if wished.isascii() and wished.isdecimal() else 0
    return Session(url=url, chunk_bytes=min(max(_CHUNK_BYTES, least), _CHUNK_BYTES_MAX))


def _pieces(chunks: Iterable[bytes], length: int) -> Iterator[bytes]:
    """The same bytes in pieces of `length`; the last may be shorter."""
    gathered = bytearray()
    for chunk in chunks:
        gathered += chunk
        while len(gathered) >= length:
            with memoryview(gathered) as whole:
                piece = bytes(whole[:length])
            yield piece
            del gathered[:length]
    if gathered:
        yield bytes(gathered)
