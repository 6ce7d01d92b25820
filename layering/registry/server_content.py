"""What the embedded registry holds: blobs, manifests, tags and referrers of repositories, and what may go in.

The rules are those of the OCI distribution-spec v1.1. Names arrive validated, so that no key can leave the store. It
speaks no HTTP.
"""

import hashlib
import json
import threading
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from layering.errors import InputError
from layering.reference import Digest
from layering.registry.manifest import DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from layering.registry.storage import Incoming, Storage

_READ_BYTES = 1024 * 1024


class Refused(Exception):  # noqa: N818 an answer of the protocol, named as the protocol names it
    """An error answer: HTTP status, error code of the specification, a sentence."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredManifest:
    """A manifest as it was put."""

    raw: bytes = field(repr=False)
    media_type: str
    digest: Digest


@dataclass(kw_only=True, slots=True)
class _Upload:
    """An open one. `writer` stands for whoever writes to it: the last who began."""

    repository: str
    incoming: Incoming
    guard: threading.Lock = field(default_factory=threading.Lock)
    writer: object = None


class Content:
    """All repositories in one store. Safe to use from threads."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._uploads: dict[str, _Upload] = {}
        self._guard = threading.RLock()

    # Blobs

    def open_blob(self, repository: str, digest: Digest) -> tuple[BinaryIO, int]:
        """A blob that is in the repository. Raises Refused 404."""
        found = self._storage.open(_blob(digest)) if self.has_blob(repository, digest) else None
        if found is None:
            raise Refused(404, "BLOB_UNKNOWN", f"{digest} is not in {repository}")
        return found

    def has_blob(self, repository: str, digest: Digest) -> bool:
        """Whether the repository has the blob."""
        return _exists(self._storage, _link(repository, digest))

    def mount(self, repository: str, digest: Digest, source: str | None) -> bool:
        """Have a blob of `source` (or of any repository) in this one too; False when it is not there."""
        known = self.has_blob(source, digest) if source is not None else _exists(self._storage, _blob(digest))
        if known:
            self._storage.put(_link(repository, digest), b"")
        return known

    def delete_blob(self, repository: str, digest: Digest) -> None:
        """Take a blob out of the repository. Raises Refused 404."""
        if not self._storage.delete(_link(repository, digest)):
            raise Refused(404, "BLOB_UNKNOWN", f"{digest} is not in {repository}")

    # Uploads

    def begin_upload(self, repository: str) -> str:
        """Open an upload; its id."""
        upload = str(uuid.uuid4())
        with self._guard:
            self._uploads[upload] = _Upload(repository=repository, incoming=self._storage.begin())
        return upload

    def size_of(self, repository: str, upload: str) -> int:
        """How much of an open upload is here. Raises Refused 404."""
        return self._open_upload(repository, upload).incoming.size

    def append(self, repository: str, upload: str, chunks: Iterable[bytes], begin: int | None = None) -> bool:
        """Add to an open upload. False, and it stays as it is, when that begins elsewhere than where it ends.

        A line that broke may still be giving its bytes, or hang: whoever comes in order goes on instead, and nobody
        waits for another's line. Raises Refused 404, and 409 for the one whose place was taken.
        """
        found, me = self._open_upload(repository, upload), object()
        with found.guard:
            if begin not in (None, found.incoming.size):
                return False
            found.writer = me
        for chunk in chunks:
            with found.guard:
                if found.writer is not me:
                    raise Refused(409, "BLOB_UPLOAD_INVALID", f"another request goes on with the upload {upload}")
                found.incoming.write(chunk)
        return True

    def cancel_upload(self, repository: str, upload: str) -> None:
        """Drop an upload. Raises Refused 404."""
        self._open_upload(repository, upload).incoming.abort()
        with self._guard:
            self._uploads.pop(upload, None)

    def finish_upload(self, repository: str, upload: str, digest: Digest) -> None:
        """Keep the upload as the blob it is said to be. Raises Refused 400 when it is another, and drops it."""
        incoming = self._open_upload(repository, upload).incoming
        with self._guard:
            self._uploads.pop(upload, None)
        if _hash(incoming.read_all(), digest.algorithm) != digest:
            incoming.abort()
            raise Refused(400, "DIGEST_INVALID", f"the content is not {digest}")
        incoming.commit(_blob(digest))
        self._storage.put(_link(repository, digest), b"")

    def _open_upload(self, repository: str, upload: str) -> _Upload:
        found = self._uploads.get(upload)
        if found is None or found.repository != repository:
            raise Refused(404, "BLOB_UPLOAD_UNKNOWN", f"there is no upload {upload}")
        return found

    # Manifests

    def manifest(self, repository: str, name: str | Digest) -> StoredManifest:
        """What a tag or digest names. Raises Refused 404."""
        digest = name if isinstance(name, Digest) else self._tagged(repository, name)
        media_type = _read(self._storage, _manifest(repository, digest)) if digest else None
        raw = _read(self._storage, _blob(digest)) if digest else None
        if digest is None or media_type is None or raw is None:
            raise Refused(404, "MANIFEST_UNKNOWN", f"{name} is not in {repository}")
        return StoredManifest(raw=raw, media_type=media_type.decode(), digest=digest)

    def put_manifest(
        self, repository: str, name: str | Digest, raw: bytes, media_type: str
    ) -> tuple[Digest, Digest | None]:
        """Keep a manifest under a tag or its digest. Returns its digest and the digest of its subject, or None.

        Raises Refused when it is not what it is called, or when blobs it needs are not in the repository.
        """
        algorithm = name.algorithm if isinstance(name, Digest) else "sha256"
        digest = Digest(algorithm, hashlib.new(algorithm, raw).hexdigest())
        if isinstance(name, Digest) and name != digest:
            raise Refused(400, "DIGEST_INVALID", f"the content is not {name}")
        document = _document(raw, media_type)
        self._check_blobs(repository, document, media_type)
        subject = _subject(document)
        self._storage.put(_blob(digest), raw)
        self._storage.put(_manifest(repository, digest), media_type.encode())
        if subject is not None:
            self._storage.put(f"{_referrers(repository, subject)}/{digest}", b"")
        if not isinstance(name, Digest):
            self._storage.put(_tag(repository, name), str(digest).encode())
        return digest, subject

    def delete_manifest(self, repository: str, name: str | Digest) -> None:
        """Delete a tag, or a manifest with the tags that name it. Raises Refused 404."""
        if not isinstance(name, Digest):
            if not self._storage.delete(_tag(repository, name)):
                raise Refused(404, "MANIFEST_UNKNOWN", f"{name} is not in {repository}")
            return
        stored = self.manifest(repository, name)
        subject = _subject(_document(stored.raw, stored.media_type))
        for tag in self._storage.children(f"repositories/{repository}/_tags"):
            if self._tagged(repository, tag) == name:
                self._storage.delete(_tag(repository, tag))
        if subject is not None:
            self._storage.delete(f"{_referrers(repository, subject)}/{name}")
        self._storage.delete(_manifest(repository, name))  # last: when we are killed before, it can be deleted again

    def tags(self, repository: str) -> Sequence[str]:
        """All tags, sorted. Raises Refused 404 for a repository that nothing was ever put into."""
        if not any(name.startswith("_") for name in self._storage.children(f"repositories/{repository}")):
            raise Refused(404, "NAME_UNKNOWN", f"there is no repository {repository}")
        return self._storage.children(f"repositories/{repository}/_tags")

    def referrers(self, repository: str, subject: Digest, artifact_type: str | None) -> dict[str, Any]:
        """The index of the manifests whose subject is `subject`."""
        names = self._storage.children(_referrers(repository, subject))
        found = [entry for name in names if (entry := self._referrer(repository, Digest.parse(name))) is not None]
        chosen = [entry for entry in found if artifact_type is None or entry.get("artifactType") == artifact_type]
        return {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": chosen}

    def _referrer(self, repository: str, digest: Digest) -> dict[str, Any] | None:
        """One entry of the index; None for a manifest that is being deleted at this moment."""
        try:
            stored = self.manifest(repository, digest)
        except Refused:
            return None
        document = _document(stored.raw, stored.media_type)
        entry = {"mediaType": stored.media_type, "digest": str(digest), "size": len(stored.raw)}
        config = document.get("config")
        artifact_type = document.get("artifactType") or (config.get("mediaType") if isinstance(config, dict) else None)
        if artifact_type:
            entry["artifactType"] = artifact_type
        if document.get("annotations"):
            entry["annotations"] = document["annotations"]
        return entry

    def _tagged(self, repository: str, tag: str) -> Digest | None:
        text = _read(self._storage, _tag(repository, tag))
        return Digest.parse(text.decode()) if text else None

    def _check_blobs(self, repository: str, document: dict[str, Any], media_type: str) -> None:
        """An image's config and layers must be there; of an index nothing is required (it may be sparse)."""
        if media_type not in (OCI_MANIFEST, DOCKER_MANIFEST):
            return
        layers = document.get("layers", [])
        if not isinstance(layers, list):
            raise Refused(400, "MANIFEST_INVALID", "layers is not a list")
        for entry in [document.get("config"), *layers]:
            digest = _digest_of(entry)
            if "nondistributable" in str(entry.get("mediaType")):
                continue
            if not entry.get("urls") and not self.has_blob(repository, digest):
                raise Refused(400, "MANIFEST_BLOB_UNKNOWN", f"{digest} is not in {repository}")


def _document(raw: bytes, media_type: str) -> dict[str, Any]:
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or document.get("mediaType", media_type) != media_type:
        raise Refused(400, "MANIFEST_INVALID", "not a manifest of the type it is called")
    return document


def _subject(document: dict[str, Any]) -> Digest | None:
    subject = document.get("subject")
    return None if subject is None else _digest_of(subject)


def _digest_of(descriptor: Any) -> Digest:
    """The digest of a descriptor. Raises Refused 400 for what is none."""
    text = descriptor.get("digest") if isinstance(descriptor, dict) else None
    try:
        return Digest.parse(text if isinstance(text, str) else "")
    except InputError as fault:
        raise Refused(400, "MANIFEST_INVALID", fault.what) from None


def _hash(stream: BinaryIO, algorithm: str) -> Digest:
    hasher = hashlib.new(algorithm)
    with stream:
        while data := stream.read(_READ_BYTES):
            hasher.update(data)
    return Digest(algorithm, hasher.hexdigest())


def _read(storage: Storage, key: str) -> bytes | None:
    found = storage.open(key)
    if found is None:
        return None
    with found[0] as stream:
        return stream.read()


def _exists(storage: Storage, key: str) -> bool:
    found = storage.open(key)
    if found is not None:
        found[0].close()
    return found is not None


def _blob(digest: Digest) -> str:
    return f"blobs/{digest.algorithm}/{digest.hex}"


def _link(repository: str, digest: Digest) -> str:
    return f"repositories/{repository}/_blobs/{digest.algorithm}/{digest.hex}"


def _manifest(repository: str, digest: Digest) -> str:
    return f"repositories/{repository}/_manifests/{digest.algorithm}/{digest.hex}"


def _tag(repository: str, tag: str) -> str:
    return f"repositories/{repository}/_tags/{tag}"


def _referrers(repository: str, subject: Digest) -> str:
    return f"repositories/{repository}/_referrers/{subject.algorithm}/{subject.hex}"
