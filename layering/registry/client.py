"""Ask a registry for manifests and blobs, and put them there: everything fetched is checked against its digest.

OCI distribution-spec v1.1 and docker's registry API v2. Reading never writes: only the push_*, copy_* and tag methods
send anything but GET and HEAD. Nothing is cached here but tokens and what a host wants to be asked like.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from types import TracebackType
from typing import Self

from layering.errors import ContentError, NotFoundError
from layering.platform import Platform
from layering.reference import Digest, ImageReference, Repository
from layering.registry import answers, upload
from layering.registry.choice import choose
from layering.registry.deadline import Deadline
from layering.registry.download import download
from layering.registry.host import Asking, RegistryHost
from layering.registry.manifest import (
    ACCEPT,
    MANIFEST_BYTES_MAX,
    Descriptor,
    ImageConfig,
    ImageIndex,
    ImageManifest,
    parse_config,
    parse_manifest,
    sha256,
)
from layering.registry.settings import RegistrySettings
from layering.registry.transport import Request, Transport
from layering.registry.upload import BlobCopy

__all__ = ["BlobCopy", "RegistryClient", "Request"]

_ACCEPTING = {"Accept": ACCEPT}
_DEFAULT_TAG = "latest"
_TAG_PAGES_MAX = 1000
_TAGS_MAX = 100_000


class RegistryClient:
    """All registries, through one pool of connections. Thread-safe; close it, or use it in a `with`.

    Every method raises RefusedError (3) when the registry says no, UnavailableError (4) when it fails for now, and
    ContentError (5) when an answer is not what it claims to be. `on_request` hears of every HTTP request.
    """

    def __init__(
        self,
        settings: RegistrySettings,
        *,
        sleep: Callable[[float], None] = time.sleep,
        on_request: Callable[[Request], None] | None = None,
    ) -> None:
        self._settings = settings
        self._transport = Transport(settings, sleep, on_request)
        self._hosts: dict[str, RegistryHost] = {}
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

    # Reading

    def find(self, reference: ImageReference) -> Descriptor | None:
        """What a tag or digest names: one HEAD. None when the registry says that there is no such manifest."""
        try:
            return self.resolve(reference)
        except NotFoundError:
            return None

    def resolve(self, reference: ImageReference) -> Descriptor:
        """What a tag or digest names. Raises NotFoundError when there is no such manifest."""
        host = self._host(reference.repository)
        asking = self._manifest_asking("HEAD", reference, self._deadline())
        with host.ask(asking) as answer:
            if answer.status_code == 200 and (descriptor := answers.described(answer, reference)) is not None:
                return descriptor
            if answer.status_code not in (200, 405, 501):
                raise host.refusal(answer, asking)
        manifest = self._manifest(reference, asking.deadline)  # a HEAD that says too little, or is not offered
        return Descriptor(media_type=manifest.media_type, digest=manifest.digest, size=len(manifest.raw))

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
        child = self._manifest(reference.repository.at(chosen.digest), deadline)
        if isinstance(child, ImageIndex):
            raise ContentError("an index inside an index", where=str(reference))
        return child

    def config(self, repository: Repository, manifest: ImageManifest) -> ImageConfig:
        """The configuration of an image."""
        raw = self.read_blob(repository, manifest.config, limit_bytes=MANIFEST_BYTES_MAX)
        return parse_config(raw, str(repository.at(manifest.digest)))

    def read_blob(self, repository: Repository, descriptor: Descriptor, *, limit_bytes: int) -> bytes:
        """A small blob, whole and checked. Raises ContentError when it is larger than `limit_bytes`."""
        if descriptor.size > limit_bytes:
            raise ContentError(f"larger than {limit_bytes} bytes", where=f"{repository}@{descriptor.digest}")
        with self.stream_blob(repository, descriptor) as stream:
            return b"".join(stream)

    @contextlib.contextmanager
    def stream_blob(self, repository: Repository, descriptor: Descriptor) -> Iterator[Iterator[bytes]]:
        """A blob as it comes. Size and digest are checked as it goes: ContentError comes at the latest at its end.

        The first request is sent when the first chunk is taken.
        """
        stream = download(self._host(repository), repository, descriptor, self._deadline())
        with contextlib.closing(stream):
            yield stream

    def has_blob(self, repository: Repository, digest: Digest) -> bool:
        """Whether a blob is in a repository: one HEAD."""
        return self._has_blob(repository, digest, self._deadline())

    def tags(self, repository: Repository) -> tuple[str, ...]:
        """All tags of a repository, page by page."""
        deadline, host = self._deadline(), self._host(repository)
        path: str | None = f"/v2/{repository.path}/tags/list"
        found: list[str] = []
        pages: set[str] = set()
        while path not in pages and len(pages) < _TAG_PAGES_MAX and len(found) <= _TAGS_MAX:
            if path is None:
                return tuple(found)
            pages.add(path)
            asking = Asking(method="GET", path=path, repository=repository, deadline=deadline)
            page = host.fetch(asking, MANIFEST_BYTES_MAX)
            found += answers.tags_of(page, repository)
            path = answers.next_page(page, repository)
        raise ContentError("a list of tags without end", where=str(repository))

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

        Within one registry the mount comes first: it is one request, also when the blob is there.
        """
        if source == target:
            return BlobCopy.EXISTED
        deadline, session = self._deadline(), None
        if source.domain == target.domain:
            mounted = upload.mount(self._host(target), target, source, descriptor.digest, deadline)
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
            self._manifest_asking("PUT", reference, self._deadline()),
            actions="pull,push",
            headers={"Content-Type": media_type},
            data=raw,
            repeatable=True,  # the same bytes under the same name: a repeated PUT changes nothing
        )
        with host.ask(asking) as answer:
            if answer.status_code not in (200, 201):
                raise host.refusal(answer, asking)
            answers.check_bytes(raw, answers.claimed_digest(answer, str(reference)), str(reference))
        return reference.digest or sha256(raw)

    def _manifest(self, reference: ImageReference, deadline: Deadline) -> ImageManifest | ImageIndex:
        where, wanted = str(reference), reference.digest
        asking = self._manifest_asking("GET", reference, deadline)
        fetched = self._host(reference.repository).fetch(asking, MANIFEST_BYTES_MAX)
        answers.check_bytes(fetched.raw, wanted, where)
        answers.check_bytes(fetched.raw, answers.claimed_digest(fetched, where), where)
        parsed = parse_manifest(fetched.raw, fetched.headers.get("Content-Type"), where)
        return parsed if wanted is None else replace(parsed, digest=wanted)  # it may be a sha512

    def _manifest_asking(self, method: str, reference: ImageReference, deadline: Deadline) -> Asking:
        repository = reference.repository
        return Asking(
            method=method,
            path=f"/v2/{repository.path}/manifests/{reference.digest or reference.tag or _DEFAULT_TAG}",
            repository=repository,
            deadline=deadline,
            headers=_ACCEPTING,
            what=str(reference),
        )

    def _has_blob(self, repository: Repository, digest: Digest, deadline: Deadline) -> bool:
        host = self._host(repository)
        path = f"/v2/{repository.path}/blobs/{digest}"
        asking = Asking(method="HEAD", path=path, repository=repository, deadline=deadline)
        with host.ask(asking) as answer:
            if answer.status_code in (200, 404):
                return answer.status_code == 200
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
            return download(self._host(source), source, descriptor, deadline)

        upload.push_chunks(self._host(target), target, open_chunks, descriptor, deadline, session)

    def _host(self, repository: Repository) -> RegistryHost:
        domain = repository.domain
        with self._guard:
            if domain not in self._hosts:
                insecure = domain in self._settings.insecure
                self._hosts[domain] = RegistryHost(domain, self._transport, self._settings.auth_file, insecure=insecure)
            return self._hosts[domain]

    def _deadline(self) -> Deadline:
        return Deadline.after(self._settings.timeout_seconds)
