"""A blob as it comes, checked as it goes: its size at every chunk, its digest at its end.

A download that breaks off goes on where it stopped. Nothing is kept: what was given out before a ContentError is for
the receiver to throw away.
"""

import hashlib
from collections.abc import Generator, Iterator
from dataclasses import replace

from layering.errors import ContentError
from layering.reference import Repository
from layering.registry.bodies import BrokenOffError, chunks
from layering.registry.deadline import Deadline
from layering.registry.host import Asking, RegistryHost
from layering.registry.manifest import Descriptor
from layering.registry.response import Response
from layering.registry.transport import TRIES


def download(
    host: RegistryHost, repository: Repository, descriptor: Descriptor, deadline: Deadline
) -> Generator[bytes, None, None]:
    """The chunks of a blob. Raises ContentError, at the latest at its end, when they are not what `descriptor` says."""
    where = f"{repository}@{descriptor.digest}"
    asking = Asking(
        method="GET",
        path=f"/v2/{repository.path}/blobs/{descriptor.digest}",
        repository=repository,
        deadline=deadline,
        what=where,
    )
    hasher, length = hashlib.new(descriptor.digest.algorithm), 0
    for chunk in _whole(host, asking):
        length += len(chunk)
        if length > descriptor.size:
            raise ContentError(f"longer than the {descriptor.size} bytes it should have", where=where)
        hasher.update(chunk)
        yield chunk
    if length != descriptor.size:
        raise ContentError(f"{length} bytes instead of {descriptor.size}", where=where)
    if hasher.hexdigest() != descriptor.digest.hex:
        raise ContentError("the content is not its digest", where=where)


def _whole(host: RegistryHost, asking: Asking) -> Iterator[bytes]:
    """The bytes from the first to the last, over as many answers as it takes."""
    received = 0
    for attempt in range(1, TRIES + 1):
        try:
            for chunk in _from(host, asking, received):
                received += len(chunk)
                yield chunk
        except BrokenOffError:
            if attempt == TRIES or not host.pause(attempt, asking.deadline):
                raise
        else:
            return


def _from(host: RegistryHost, asking: Asking, start: int) -> Iterator[bytes]:
    """The bytes from `start` on (RFC 9110 section 14); a registry without ranges sends those before it again."""
    ranged = replace(asking, headers={"Range": f"bytes={start}-"}) if start else asking
    with host.ask(ranged) as answer:
        skip = _to_skip(host, ranged, answer, start)
        for chunk in chunks(answer, deadline=asking.deadline):
            if rest := chunk[skip:]:
                yield rest
            skip -= min(skip, len(chunk))


def _to_skip(host: RegistryHost, asking: Asking, answer: Response, start: int) -> int:
    if answer.status == 200:
        return start
    if answer.status != 206:
        raise host.refusal(answer, asking)
    if not start or not answer.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
        raise ContentError("another part of the blob than was asked for", where=asking.what)
    return 0
