"""Where signatures lie: a directory, a web server, and whatever else gives them by digest (a cluster does, too).

The layout is `sha256=HEX/signature-N` from N = 1 without a gap (github.com/openshift/library-go, pkg/verify/store/
sigstore). A store proves nothing and is trusted with nothing: it is asked without credentials, for bounded answers.
"""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from layering.errors import ContentError, InputError, NotFoundError, RefusedError, UnavailableError
from layering.reference import Digest, ImageReference
from layering.registry.addresses import parse
from layering.registry.bodies import body
from layering.registry.deadline import Deadline
from layering.registry.rest import Rest
from layering.registry.settings import RegistrySettings
from layering.registry.transport import Call, Transport
from layering.releasesignatures.rules import PRODUCT

SIGNATURE_BYTES_MAX = 64 * 1024
SIGNATURES_MAX = 9
PUBLIC_STORES = (  # github.com/openshift/cluster-update-keys, stores/
    "https://storage.googleapis.com/openshift-release/official/signatures/openshift/release",
    "https://mirror.openshift.com/pub/openshift-v4/signatures/openshift/release",
)


class Store(Protocol):
    """One place."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    def signatures(self, digest: Digest, deadline: Deadline) -> Iterator[bytes]:
        """Those of one image, each at most 64 KiB, at most nine; none when it has none. Raises LayerwatchError."""
        ...


@dataclass(frozen=True, slots=True)
class DirectoryStore:
    """Files of this machine."""

    directory: Path

    @property
    def name(self) -> str:
        """Its path."""
        return str(self.directory)

    def signatures(self, digest: Digest, deadline: Deadline) -> Iterator[bytes]:
        """See Store. Raises InputError for what is there and cannot be read."""
        for path in paths(digest):
            file = self.directory / path
            try:
                with file.open("rb") as opened:
                    data = opened.read(SIGNATURE_BYTES_MAX + 1)
            except FileNotFoundError:
                return
            except OSError as error:
                raise InputError(f"the signature cannot be read: {error.strerror}", where=str(file)) from None
            yield checked(data, str(file))


@dataclass(frozen=True, slots=True)
class WebStore:
    """Files below a URL."""

    url: str
    transport: Transport

    @property
    def name(self) -> str:
        """Its URL."""
        return self.url

    def signatures(self, digest: Digest, deadline: Deadline) -> Iterator[bytes]:
        """See Store. Raises UnavailableError, RefusedError, ContentError."""
        for path in paths(digest):
            try:
                yield self._get(f"{self.url.rstrip('/')}/{path}", deadline)
            except NotFoundError:
                return

    def _get(self, url: str, deadline: Deadline) -> bytes:
        with self.transport.exchange(Call(method="GET", url=url, deadline=deadline)) as answer:
            status = answer.status
            if status == 200:
                return body(answer, limit_bytes=SIGNATURE_BYTES_MAX, deadline=deadline)
        if status in (404, 410):
            raise NotFoundError("there is no such signature", where=url)
        if status in (401, 403):
            raise RefusedError(f"the store of signatures answers {status}", where=url)
        if status == 429 or status >= 500:
            raise UnavailableError(f"the store of signatures answers {status}", where=url, next_step="try again later")
        raise ContentError(f"the store of signatures answers {status}", where=url)


class Stores:
    """Opens stores. Those on the web share their connections, which the first of them begins. Safe to use from threads.

    Raises, when a store is opened, InputError for certificates that are none. A context manager.
    """

    def __init__(self, settings: RegistrySettings) -> None:
        self._settings = settings
        self._transport: Transport | None = None
        self._guard = threading.Lock()

    def open(self, place: Path | str) -> Store:
        """The store in a directory of this machine, or below a URL."""
        if isinstance(place, Path):
            return DirectoryStore(place)
        with self._guard:
            if self._transport is None:
                self._transport = Transport(self._settings, time.sleep, None, Rest())
            return WebStore(place, self._transport)

    def close(self) -> None:
        """Close all connections."""
        if self._transport is not None:
            self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def checked(data: bytes, where: str) -> bytes:
    """`data`. Raises ContentError when it is too long for a signature."""
    if len(data) > SIGNATURE_BYTES_MAX:
        raise ContentError(f"the signature is longer than {SIGNATURE_BYTES_MAX} bytes", where=where)
    return data


def paths(digest: Digest) -> Iterator[str]:
    """Where the signatures of one image lie in a store, those that are asked for."""
    for number in range(1, SIGNATURES_MAX + 1):
        yield f"{digest.algorithm}={digest.hex}/signature-{number}"


def default_places(release: ImageReference) -> tuple[str, ...]:
    """Where the signatures of a release lie when nobody said it: known of the product's own source name only."""
    return PUBLIC_STORES if release.repository == PRODUCT else ()


def parse_place(text: str) -> Path | str:
    """A directory of this machine, or a URL. Raises InputError for a URL that signatures cannot be asked for below."""
    if "://" not in text:
        return Path(text)
    try:
        found = parse(text, text)
    except ContentError:
        found = None
    if found is None or found.query or found.fragment:
        raise InputError(f"{text!r} is not an http or https address without user, query and fragment")
    return text
