"""Putting a blob into a repository: in one piece, in chunks, or by mounting it from another repository.

OCI distribution-spec v1.1, "Pushing blobs" and "Mounting a blob from another repository". An upload that breaks is
begun anew; nothing is kept between processes.
"""

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from urllib.parse import quote

import requests

from layering.errors import ContentError, UnavailableError
from layering.reference import Digest, Repository
from layering.registry.addresses import absolute, check_upload
from layering.registry.host import RegistryHost
from layering.registry.manifest import Descriptor
from layering.registry.transport import Deadline

_OCTETS = {"Content-Type": "application/octet-stream"}
_CHUNK_BYTES = 4 * 1024 * 1024  # ghcr.io takes no larger PATCH
_TRIES = 3


class BlobCopy(StrEnum):
    """How a blob came to be in the target."""

    EXISTED = "existed"
    MOUNTED = "mounted"
    STREAMED = "streamed"


def push_bytes(host: RegistryHost, repository: Repository, data: bytes, digest: Digest, deadline: Deadline) -> None:
    """POST, then one PUT. Raises what the registry's refusal means."""

    def put(location: str) -> None:
        _finish(host, repository, location, digest, deadline, data)

    _begun_anew(lambda: put(_begin(host, repository, deadline)))


def push_chunks(
    host: RegistryHost,
    repository: Repository,
    open_chunks: Callable[[], Iterable[bytes]],
    descriptor: Descriptor,
    deadline: Deadline,
    location: str | None = None,
) -> None:
    """POST (unless an upload's location is at hand), PATCH in pieces of 4 MiB, then a PUT that closes it.

    `open_chunks` gives the content from its beginning each time it is called.
    """
    first = [location] if location else []

    def send() -> None:
        at = first.pop() if first else _begin(host, repository, deadline)
        sent = 0
        for chunk in _pieces(open_chunks()):
            at = _patch(host, repository, at, chunk, sent, deadline)
            sent += len(chunk)
        _finish(host, repository, at, descriptor.digest, deadline, b"")

    _begun_anew(send)


def mount(
    host: RegistryHost, target: Repository, source: Repository, digest: Digest, deadline: Deadline
) -> tuple[bool, str | None]:
    """Ask for a mount. (True, None) when it was; otherwise False, and the location of the upload that was opened."""
    path = f"/v2/{target.path}/blobs/uploads/?mount={quote(str(digest), safe='')}&from={quote(source.path, safe='/')}"
    with host.call(
        "POST", path, target, actions="pull,push", also_pull=source, headers={"Content-Length": "0"}, deadline=deadline
    ) as response:
        if response.status_code == 201:
            return True, None
        if response.status_code == 202:
            return False, _location(response, target)
        return False, None  # no right to the source, or no mounts here: the upload itself will tell what is wrong


def _begin(host: RegistryHost, repository: Repository, deadline: Deadline) -> str:
    path = f"/v2/{repository.path}/blobs/uploads/"
    with host.call(
        "POST", path, repository, actions="pull,push", headers={"Content-Length": "0"}, deadline=deadline, retry=True
    ) as response:
        if response.status_code != 202:
            raise host.refusal(response, repository, deadline)
        return _location(response, repository)


def _patch(
    host: RegistryHost, repository: Repository, location: str, chunk: bytes, start: int, deadline: Deadline
) -> str:
    headers = {**_OCTETS, "Content-Range": f"{start}-{start + len(chunk) - 1}"}
    with host.call(
        "PATCH", location, repository, actions="pull,push", headers=headers, data=chunk, deadline=deadline
    ) as response:
        if response.status_code not in (201, 202, 204):
            raise host.refusal(response, repository, deadline)
        return _location(response, repository)


def _finish(
    host: RegistryHost, repository: Repository, location: str, digest: Digest, deadline: Deadline, data: bytes
) -> None:
    url = f"{location}{'&' if '?' in location else '?'}digest={quote(str(digest), safe='')}"
    with host.call(
        "PUT", url, repository, actions="pull,push", headers=_OCTETS, data=data, deadline=deadline
    ) as response:
        if response.status_code not in (201, 204):
            raise host.refusal(response, repository, deadline)


def _location(response: requests.Response, repository: Repository) -> str:
    """Where the upload goes on: absolute or relative to the request, on the same origin, its query untouched."""
    location = response.headers.get("Location")
    if not location:
        raise ContentError("the registry opens an upload and does not say where", where=str(repository))
    url = absolute(location, response.url, str(repository))
    check_upload(response.url, url)
    return url


def _pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of `_CHUNK_BYTES`; the last may be shorter."""
    gathered = bytearray()
    for chunk in chunks:
        gathered += chunk
        while len(gathered) >= _CHUNK_BYTES:
            yield bytes(gathered[:_CHUNK_BYTES])
            del gathered[:_CHUNK_BYTES]
    if gathered:
        yield bytes(gathered)


def _begun_anew(upload: Callable[[], None]) -> None:
    """Try an upload a few times, each time from its beginning: what a broken one left is the registry's to drop."""
    for attempt in range(1, _TRIES + 1):
        try:
            return upload()
        except UnavailableError:
            if attempt == _TRIES:
                raise
    return None
