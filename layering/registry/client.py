"""Ask a registry for manifests and blobs, and put them there: everything fetched is checked against its digest.

OCI distribution-spec v1.1 and docker's registry API v2. Reading never writes: only the push_*, copy_* and tag methods
send anything but GET and HEAD, and only the others go to mirrors; results carry the names that were asked for. Nothing
is remembered but tokens, what a host wants to be asked like, and small content by its digest.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import replace
from types import TracebackType
from typing import Self

from layering.errors import ContentError, NotFoundError, RefusedError
from layering.platform import Platform
from layering.reference import Digest, ImageReference, Repository
from layering.registry import answers, upload
from layering.registry.choice import choose
from layering.registry.content import RememberedContent
from layering.registry.deadline import Allowance, Deadline
from layering.registry.download import download
from layering.registry.host import Asking, RegistryHost
from layering.registry.keychain import Keychain
from layering.registry.manifest import (
    MANIFEST_BYTES_MAX,
    Descriptor,
    ImageConfig,
    ImageIndex,
    ImageManifest,
    parse_config,
    sha256,
)
from layering.registry.manifests import Manifests, manifest_asking
from layering.registry.mirrorrule import Place
from layering.registry.referrers import list_referrers
from layering.registry.rest import Rest
from layering.registry.routes import Asked, Routes
from layering.registry.settings import RegistrySettings
from layering.registry.tags import list_tags
from layering.registry.transport import Request, Transport
from layering.registry.upload import BlobCopy

__all__ = ["Asked", "BlobCopy", "RegistryClient", "Request"]

_PARSED = 8  # times the bytes of a configuration is what it takes in memory


class RegistryClient:
    """All registries, through one pool of connections. Thread-safe; close it, or use it in a `with`.

    Every method raises RefusedError (3) when the registry says no, UnavailableError (4) when it fails for now, and
    ContentError (5) when an answer is not what it claims to be. `on_request` hears of every HTTP request, `on_asked` of
    every place that was asked for what has mirrors. A host that did not answer is left alone for `rest_seconds`.
    With an `allowance` all operations together have that long, and not each the settings' time.
    """

    def __init__(
        self,
        settings: RegistrySettings,
        *,
        sleep: Callable[[float], None] = time.sleep,
        on_request: Callable[[Request], None] | None = None,
        on_asked: Callable[[Asked], None] | None = None,
        rest_seconds: float = 0.0,
        allowance: Allowance | None = None,
    ) -> None:
        self._settings = settings
        self._allowance = allowance
        self._routes = Routes(settings.mirrors, on_asked)
        self._transport = Transport(settings, sleep, on_request, Rest(rest_seconds))
        self._keychain = Keychain(settings.auth)
        self._manifests = Manifests(self._host_of)
        self._held: RememberedContent[ImageManifest | ImageIndex] = RememberedContent(lambda held: len(held.raw))
        self._blobs: RememberedContent[bytes] = RememberedContent(len)
        self._configs: RememberedContent[ImageConfig] = RememberedContent(lambda held: _PARSED * len(held.raw))
        self._hosts: dict[tuple[str, bool], RegistryHost] = {}
        self._guard = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """What is done meanwhile takes nothing of the allowance."""
        with self._allowance.paused() if self._allowance else contextlib.nullcontext():
            yield

    # Reading

    def expect(self, references: Iterable[ImageReference]) -> None:
        """These will be read: their repositories may share tokens. Asks nothing; what is blocked is told when it is."""
        for reference in references:
            with contextlib.suppress(RefusedError):
                place = self._routes.places(reference)[0]
                self._host_of(place).expect(place.reference.repository)

    def find(self, reference: ImageReference) -> Descriptor | None:
        """What a tag or digest names: one HEAD. None when each place that was asked says that it has no such thing."""
        try:
            return self.resolve(reference)
        except NotFoundError:
            return None

    def resolve(self, reference: ImageReference) -> Descriptor:
        """What a tag or digest names. Raises NotFoundError when there is no such manifest."""
        return self._routes.read(reference, self._manifests.resolve, self._deadline())

    def manifest(self, reference: ImageReference) -> ImageManifest | ImageIndex:
        """The manifest or index, checked against the digest that was asked for. Raises NotFoundError."""
        return self._manifest(reference, self._deadline())

    def image(self, reference: ImageReference, platform: Platform | None = None) -> ImageManifest:
        """The manifest for one platform. Raises InputError when the index has none, or several and none was named."""
        deadline = self._deadline()
        found = self._manifest(reference, deadline)
        if isinstance(found, ImageManifest):
            return found
        chosen = choose(found, platform, str(reference))
        child = self._manifest(reference.repository.at(chosen.digest), deadline, content=True)
        if isinstance(child, ImageIndex):
            raise ContentError("an index inside an index", where=str(reference))
        if (child.media_type, len(child.raw)) != (chosen.media_type, chosen.size):
            raise ContentError("the index says something else of the image than it is", where=str(reference))
        return child

    def config(self, repository: Repository, manifest: ImageManifest) -> ImageConfig:
        """The configuration of an image."""
        raw = self.read_blob(repository, manifest.config, limit_bytes=MANIFEST_BYTES_MAX)
        where = str(repository.at(manifest.digest))
        return self._configs(repository, manifest.config.digest, lambda: parse_config(raw, where))

    def read_blob(self, repository: Repository, descriptor: Descriptor, *, limit_bytes: int) -> bytes:
        """A small blob, whole and checked. Raises ContentError when it is larger than `limit_bytes`."""
        if descriptor.size > limit_bytes:
            raise ContentError(f"larger than {limit_bytes} bytes", where=f"{repository}@{descriptor.digest}")

        def whole(place: Place, deadline: Deadline) -> bytes:
            with contextlib.closing(self._download(place, descriptor, deadline)) as stream:
                return b"".join(stream)

        def read() -> bytes:
            return self._routes.read(repository.at(descriptor.digest), whole, self._deadline(), content=True)

        raw = self._blobs(repository, descriptor.digest, read)
        if len(raw) != descriptor.size:
            raise ContentError(
                f"{len(raw)} bytes instead of {descriptor.size}", where=f"{repository}@{descriptor.digest}"
            )
        return raw

    @contextlib.contextmanager
    def stream_blob(self, repository: Repository, descriptor: Descriptor) -> Iterator[Iterator[bytes]]:
        """A blob as it comes. Size and digest are checked as it goes: ContentError comes at the latest at its end.

        The first request is sent when the first chunk is taken. Another place is asked only until then: what was given
        out cannot be taken back.
        """
        with contextlib.closing(self._chunks(repository, descriptor, self._deadline())) as stream:
            yield stream

    def has_blob(self, repository: Repository, digest: Digest) -> bool:
        """Whether a blob is in this very repository, no mirror of it: one HEAD."""
        return self._has_blob(repository, digest, self._deadline())

    def tags(self, repository: Repository) -> tuple[str, ...]:
        """All tags of a repository, page by page."""
        return self._routes.read(ImageReference(repository), self._tags_at, self._deadline())

    def referrers(self, image: ImageReference, artifact_type: str) -> tuple[Descriptor, ...] | None:
        """Manifests that refer to an image: see list_referrers. None when the registry does not list them."""

        def listed(place: Place, deadline: Deadline) -> tuple[Descriptor, ...] | None:
            repository, subject = place.reference.repository, image.pinned
            return list_referrers(self._host_of(place), repository, subject, artifact_type, deadline)

        return self._routes.read(image, listed, self._deadline())

    def read_where_written(self, repository: Repository) -> None:
        """Ask no mirror of this repository any more: whoever adds to what is there must see what is there."""
        self._routes.written(repository)

    # Writing

    def push_blob(self, repository: Repository, data: bytes) -> Digest:
        """Put a small blob there, unless it is there; its digest."""
        digest, deadline = sha256(data), self._deadline()
        if not self._has_blob(repository, digest, deadline):
            upload.push_bytes(self._host(repository), repository, data, digest, deadline)
        return digest

    def push_stream(
        self, repository: Repository, open_chunks: Callable[[], Iterable[bytes]], descriptor: Descriptor
    ) -> None:
        """Put a blob of any size there in chunks. `open_chunks` gives its bytes from the beginning each time."""
        upload.push_chunks(self._host(repository), repository, open_chunks, descriptor, self._deadline())

    def copy_blob(self, source: Repository, target: Repository, descriptor: Descriptor) -> BlobCopy:
        """Have a blob of `source` in `target` too: found there, mounted, or streamed without touching the disk.

        Within one registry the mount comes first: it is one request, also when the blob is there. A mirror of `source`
        in the target's registry is as good as `source`.
        """
        if source == target:
            return BlobCopy.EXISTED
        deadline, session = self._deadline(), None
        for place in self._routes.places(source.at(descriptor.digest), content=True):
            neighbour = place.reference.repository
            if neighbour.domain == target.domain and neighbour != target and session is None:
                mounted = upload.mount(self._host(target), target, neighbour, descriptor.digest, deadline)
                if mounted is True:
                    return BlobCopy.MOUNTED
                session = mounted or None
        if session is None and self._has_blob(target, descriptor.digest, deadline):
            return BlobCopy.EXISTED
        self._stream(source, target, descriptor, session, deadline)
        return BlobCopy.STREAMED

    def push_manifest(self, reference: ImageReference, raw: bytes, media_type: str) -> Digest:
        """Put a manifest under a tag or its digest. Raises ContentError when the registry names another digest."""
        answers.check_bytes(raw, reference.digest, str(reference))
        host = self._host(reference.repository)
        asking = replace(
            manifest_asking("PUT", reference, self._deadline()),
            actions="pull,push",
            headers={"Content-Type": media_type},
            data=raw,
            repeatable=True,  # the same bytes under the same name: a repeated PUT changes nothing
        )
        with host.ask(asking) as answer:
            if answer.status not in (200, 201):
                raise host.refusal(answer, asking)
            answers.check_bytes(raw, answers.claimed_digest(answer, str(reference)), str(reference))
        self._routes.written(reference.repository)
        return reference.digest or sha256(raw)

    def _manifest(
        self, reference: ImageReference, deadline: Deadline, *, content: bool = False
    ) -> ImageManifest | ImageIndex:
        def read() -> ImageManifest | ImageIndex:
            return self._routes.read(reference, self._manifests.read, deadline, content=content)

        return self._held(reference.repository, reference.digest, read) if reference.digest else read()

    def _tags_at(self, place: Place, deadline: Deadline) -> tuple[str, ...]:
        return list_tags(self._host_of(place), place.reference.repository, deadline)

    def _download(self, place: Place, descriptor: Descriptor, deadline: Deadline) -> Generator[bytes, None, None]:
        return download(self._host_of(place), place.reference.repository, descriptor, deadline)

    def _chunks(
        self, repository: Repository, descriptor: Descriptor, deadline: Deadline
    ) -> Generator[bytes, None, None]:
        def begin(place: Place, share: Deadline) -> tuple[Place, bytes, Generator[bytes, None, None]]:
            stream = self._download(place, descriptor, deadline)  # a slow mirror is better than none: no share
            return place, next(stream, b""), stream

        place, first, rest = self._routes.read(repository.at(descriptor.digest), begin, deadline, content=True)
        with contextlib.closing(rest):
            if first:
                yield first
            try:
                yield from rest
            except ContentError:
                self._routes.distrust(place)
                raise

    def _has_blob(self, repository: Repository, digest: Digest, deadline: Deadline) -> bool:
        host = self._host(repository)
        path = f"/v2/{repository.path}/blobs/{digest}"
        asking = Asking(method="HEAD", path=path, repository=repository, deadline=deadline)
        with host.ask(asking) as answer:
            if answer.status in (200, 404):
                return answer.status == 200
            raise host.refusal(answer, asking)

    def _stream(
        self,
        source: Repository,
        target: Repository,
        descriptor: Descriptor,
        session: upload.Session | None,
        deadline: Deadline,
    ) -> None:
        def open_chunks() -> Iterator[bytes]:
            return self._chunks(source, descriptor, deadline)

        upload.push_chunks(self._host(target), target, open_chunks, descriptor, deadline, session)

    def _host(self, repository: Repository) -> RegistryHost:
        """The host that a repository's own name means, to write to. Raises RefusedError when it is blocked."""
        return self._known_host(repository.domain, insecure=self._routes.writable(repository))

    def _host_of(self, place: Place) -> RegistryHost:
        return self._known_host(place.reference.repository.domain, insecure=place.insecure)

    def _known_host(self, domain: str, *, insecure: bool) -> RegistryHost:
        key = domain, insecure or domain in self._settings.insecure
        with self._guard:
            if key not in self._hosts:
                self._hosts[key] = RegistryHost(
                    domain,
                    self._transport,
                    self._keychain,
                    insecure=key[1],
                    allowed=self._settings.token_services(domain),
                )
            return self._hosts[key]

    def _deadline(self) -> Deadline:
        return self._allowance.deadline() if self._allowance else Deadline.after(self._settings.timeout_seconds)
