"""Ask a registry for manifests and blobs, and put them there: everything fetched is checked against its digest.

OCI distribution-spec v1.1 and docker's registry API v2. Reading never writes: only the push_*, copy_* and tag methods
send anything but GET and HEAD. Nothing is cached here but tokens and what a host wants to be asked like.
"""

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from types import TracebackType
from typing import Self

import requests

from layering.errors import ContentError, InputError, NotFoundError
from layering.platform import Platform
from layering.reference import Digest, ImageReference, Repository
from layering.registry import upload
from layering.registry.addresses import absolute, same_origin
from layering.registry.host import RegistryHost
from layering.registry.manifest import (
    ACCEPT,
    INDEX_TYPES,
    MANIFEST_BYTES_MAX,
    MANIFEST_TYPES,
    Descriptor,
    ImageConfig,
    ImageIndex,
    ImageManifest,
    parse_config,
    parse_manifest,
    parse_object,
    sha256,
)
from layering.registry.settings import RegistrySettings
from layering.registry.transport import Deadline, Request, Transport, body, chunks
from layering.registry.upload import BlobCopy

__all__ = ["BlobCopy", "RegistryClient", "Request"]

_DEFAULT_TAG = "latest"
_TAG_PAGES_MAX = 1000


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
        deadline = self._deadline()
        repository, host = reference.repository, self._host(reference.repository)
        with host.call("HEAD", _manifest_path(reference), repository, headers=_ACCEPTING, deadline=deadline) as answer:
            if answer.status_code == 200 and (descriptor := _descriptor(answer, reference)) is not None:
                return descriptor
            if answer.status_code not in (200, 405, 501):
                raise host.refusal(answer, repository, deadline, str(reference))
        manifest = self.manifest(reference)  # a HEAD that says too little, or is not offered
        return Descriptor(media_type=manifest.media_type, digest=manifest.digest, size=len(manifest.raw))

    def manifest(self, reference: ImageReference) -> ImageManifest | ImageIndex:
        """The manifest or index, checked against the digest that was asked for. Raises NotFoundError."""
        deadline = self._deadline()
        repository, host = reference.repository, self._host(reference.repository)
        with host.call("GET", _manifest_path(reference), repository, headers=_ACCEPTING, deadline=deadline) as answer:
            if answer.status_code != 200:
                raise host.refusal(answer, repository, deadline, str(reference))
            raw = body(answer, limit_bytes=MANIFEST_BYTES_MAX, deadline=deadline)
            claimed = answer.headers.get("Docker-Content-Digest")
            content_type = answer.headers.get("Content-Type")
        _check_bytes(raw, reference.digest, str(reference))
        if claimed and reference.digest is None:
            _check_bytes(raw, _claimed(claimed, str(reference)), str(reference))
        parsed = parse_manifest(raw, content_type, str(reference))
        return parsed if reference.digest is None else _under(parsed, reference.digest)

    def image(self, reference: ImageReference, platform: Platform | None = None) -> ImageManifest:
        """The manifest for one platform. Raises InputError when the index has none, or several and none was named."""
        found = self.manifest(reference)
        if isinstance(found, ImageManifest):
            return found
        chosen = _choose(found, platform, str(reference))
        child = self.manifest(reference.repository.at(chosen.digest))
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
        """A blob as it comes. Size and digest are checked as it goes: ContentError comes at the latest at its end."""
        deadline = self._deadline()
        host = self._host(repository)
        path = f"/v2/{repository.path}/blobs/{descriptor.digest}"
        with host.call("GET", path, repository, deadline=deadline) as answer:
            if answer.status_code != 200:
                raise host.refusal(answer, repository, deadline, str(descriptor.digest))
            yield _verified(chunks(answer, deadline=deadline), descriptor, str(repository))

    def has_blob(self, repository: Repository, digest: Digest) -> bool:
        """Whether a blob is in a repository: one HEAD."""
        deadline = self._deadline()
        host = self._host(repository)
        with host.call("HEAD", f"/v2/{repository.path}/blobs/{digest}", repository, deadline=deadline) as answer:
            if answer.status_code in (200, 404):
                return answer.status_code == 200
            raise host.refusal(answer, repository, deadline)

    def tags(self, repository: Repository) -> tuple[str, ...]:
        """All tags of a repository, page by page."""
        deadline = self._deadline()
        host = self._host(repository)
        path = f"/v2/{repository.path}/tags/list"
        found: list[str] = []
        for _ in range(_TAG_PAGES_MAX):
            with host.call("GET", path, repository, deadline=deadline) as answer:
                if answer.status_code != 200:
                    raise host.refusal(answer, repository, deadline)
                found += _tags(body(answer, limit_bytes=MANIFEST_BYTES_MAX, deadline=deadline), str(repository))
                following = _next_page(answer, str(repository))
            if following is None:
                return tuple(found)
            path = following
        raise ContentError("a list of tags without end", where=str(repository))

    # Writing

    def push_blob(self, repository: Repository, data: bytes) -> Digest:
        """Put a small blob there, unless it is there; its digest."""
        digest = sha256(data)
        if not self.has_blob(repository, digest):
            upload.push_bytes(self._host(repository), repository, data, digest, self._deadline())
        return digest

    def push_stream(
        self, repository: Repository, open_chunks: Callable[[], Iterable[bytes]], descriptor: Descriptor
    ) -> None:
        """Put a blob of any size there in chunks. `open_chunks` gives its bytes from the beginning each time."""
        upload.push_chunks(self._host(repository), repository, open_chunks, descriptor, self._deadline())

    def copy_blob(self, source: Repository, target: Repository, descriptor: Descriptor) -> BlobCopy:
        """Have a blob of `source` in `target` too: found there, mounted, or streamed without touching the disk."""
        if source == target:
            return BlobCopy.EXISTED
        if source.domain != target.domain:
            if self.has_blob(target, descriptor.digest):
                return BlobCopy.EXISTED
            return self._stream(source, target, descriptor, None)
        mounted, location = upload.mount(self._host(target), target, source, descriptor.digest, self._deadline())
        return BlobCopy.MOUNTED if mounted else self._stream(source, target, descriptor, location)

    def push_manifest(self, reference: ImageReference, raw: bytes, media_type: str) -> Digest:
        """Put a manifest under a tag or its digest. Raises ContentError when the registry names another digest."""
        deadline = self._deadline()
        repository, host = reference.repository, self._host(reference.repository)
        with host.call(
            "PUT",
            _manifest_path(reference),
            repository,
            actions="pull,push",
            headers={"Content-Type": media_type},
            data=raw,
            deadline=deadline,
            retry=True,  # the same bytes under the same name: a repeated PUT changes nothing
        ) as answer:
            if answer.status_code not in (200, 201):
                raise host.refusal(answer, repository, deadline, str(reference))
            claimed = answer.headers.get("Docker-Content-Digest")
        digest = reference.digest or sha256(raw)
        if claimed and _claimed(claimed, str(reference)) != digest:
            raise ContentError(f"the registry stored it as {claimed}, we sent {digest}", where=str(reference))
        return digest

    def _stream(self, source: Repository, target: Repository, descriptor: Descriptor, location: str | None) -> BlobCopy:
        def open_chunks() -> Iterator[bytes]:
            with self.stream_blob(source, descriptor) as stream:
                yield from stream

        upload.push_chunks(self._host(target), target, open_chunks, descriptor, self._deadline(), location)
        return BlobCopy.STREAMED

    def _host(self, repository: Repository) -> RegistryHost:
        domain = repository.domain
        with self._guard:
            if domain not in self._hosts:
                insecure = domain in self._settings.insecure
                self._hosts[domain] = RegistryHost(domain, self._transport, self._settings.auth_file, insecure=insecure)
            return self._hosts[domain]

    def _deadline(self) -> Deadline:
        return Deadline.after(self._settings.timeout_seconds)


_ACCEPTING = {"Accept": ACCEPT}


def _manifest_path(reference: ImageReference) -> str:
    return f"/v2/{reference.repository.path}/manifests/{reference.digest or reference.tag or _DEFAULT_TAG}"


def _descriptor(answer: requests.Response, reference: ImageReference) -> Descriptor | None:
    """What a HEAD says, when it says enough. Raises ContentError when it contradicts the digest asked for."""
    media_type = answer.headers.get("Content-Type", "").partition(";")[0].strip()
    claimed, length = answer.headers.get("Docker-Content-Digest"), answer.headers.get("Content-Length", "")
    if media_type not in (*MANIFEST_TYPES, *INDEX_TYPES) or not claimed or not length.isdecimal():
        return None
    digest = _claimed(claimed, str(reference))
    if reference.digest is not None and digest.algorithm == reference.digest.algorithm and digest != reference.digest:
        raise ContentError(f"the registry answers with {digest}", where=str(reference))
    return Descriptor(media_type=media_type, digest=reference.digest or digest, size=int(length))


def _claimed(text: str, where: str) -> Digest:
    try:
        return Digest.parse(text)
    except InputError as error:
        raise ContentError(f"Docker-Content-Digest: {error.what}", where=where) from None


def _check_bytes(raw: bytes, digest: Digest | None, where: str) -> None:
    if digest is not None and (actual := hashlib.new(digest.algorithm, raw).hexdigest()) != digest.hex:
        raise ContentError(f"the content is not its digest: asked for {digest}, got {actual}", where=where)


def _under(manifest: ImageManifest | ImageIndex, digest: Digest) -> ImageManifest | ImageIndex:
    """The same manifest, known by the digest it was asked for (it may be a sha512)."""
    if manifest.digest == digest:
        return manifest
    return replace(manifest, digest=digest)


def _choose(index: ImageIndex, platform: Platform | None, where: str) -> Descriptor:
    """The one manifest for a platform; attestations (`unknown/unknown`) are no platform."""
    real = [entry for entry in index.manifests if entry.platform and entry.platform.architecture != "unknown"]
    if platform is None and len(real) == 1:
        return real[0]
    matching = [entry for entry in real if platform is not None and _is_for(entry, platform)]
    listed = ", ".join(sorted(str(entry.platform) for entry in real)) or "nothing"
    if platform is None:
        raise InputError(f"an index of several platforms: {listed}", where=where, next_step="name one of them")
    if not matching:
        raise InputError(f"there is no {platform} in it; it has {listed}", where=where, next_step="name one of them")
    if len({entry.digest for entry in matching}) > 1:
        raise ContentError(f"several different manifests for {platform}", where=where)
    return matching[0]


def _is_for(entry: Descriptor, platform: Platform) -> bool:
    found = entry.platform
    if found is None or (found.os, found.architecture) != (platform.os, platform.architecture):
        return False
    return not platform.variant or found.variant == platform.variant


def _verified(stream: Iterator[bytes], descriptor: Descriptor, where: str) -> Iterator[bytes]:
    hasher, length = hashlib.new(descriptor.digest.algorithm), 0
    for chunk in stream:
        length += len(chunk)
        if length > descriptor.size:
            break
        hasher.update(chunk)
        yield chunk
    if length != descriptor.size:
        raise ContentError(f"{length} bytes or more instead of {descriptor.size}", where=f"{where}@{descriptor.digest}")
    if hasher.hexdigest() != descriptor.digest.hex:
        raise ContentError("the content is not its digest", where=f"{where}@{descriptor.digest}")


def _tags(raw: bytes, where: str) -> list[str]:
    tags = parse_object(raw, where).get("tags") or []
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise ContentError("not a list of tags", where=where)
    return tags


def _next_page(answer: requests.Response, where: str) -> str | None:
    following = requests.utils.parse_header_links(answer.headers.get("Link", ""))
    for link in following:
        if link.get("rel") == "next":
            url = absolute(link["url"], answer.url, where)
            if not same_origin(answer.url, url):
                raise ContentError("the next page of tags is on another host", where=where)
            return url
    return None
