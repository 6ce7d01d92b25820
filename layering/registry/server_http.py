"""The embedded registry's routes: one HTTP request in, one answer out.

OCI distribution-spec v1.1, endpoints end-1 to end-13. What is stored where is server_content.py's; sockets, TLS and
passwords are server.py's.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol
from urllib.parse import parse_qs, quote, urlsplit

from layering.errors import InputError
from layering.reference import Digest, Repository
from layering.registry.manifest import MANIFEST_BYTES_MAX, OCI_INDEX
from layering.registry.server_content import Content, Refused

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_ROUTE = re.compile(
    r"/v2/(?P<name>.+?)/(?P<kind>blobs/uploads|blobs|manifests|tags/list|referrers)(?:/(?P<item>[^/]*))?"
)
_RANGE = re.compile(r"bytes=([0-9]{1,18})-([0-9]{0,18})")
_CONTENT_RANGE = re.compile(r"([0-9]{1,18})-([0-9]{1,18})")
_COUNT = re.compile(r"[0-9]{1,18}")


class Body(Protocol):
    """A request's body."""

    def chunks(self) -> Iterator[bytes]:
        """Piece by piece."""

    def whole(self, limit_bytes: int) -> bytes:
        """All of it. Raises Refused 413 when it is longer."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request. Header names are lower-case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: Body

    @property
    def query(self) -> Mapping[str, str]:
        """Parameters of the query; the first value of each."""
        parameters = parse_qs(urlsplit(self.target).query, keep_blank_values=True)
        return {name: values[0] for name, values in parameters.items()}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer. `stream` with its length is sent after `body` was (one of the two is empty)."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    stream: BinaryIO | None = None
    length: int | None = None


def answer(content: Content, asked: Asked) -> Answer:
    """Route one request. Every refusal is an answer with the specification's error document."""
    try:
        return _route(content, asked)
    except Refused as refused:
        return error(refused.status, refused.code, str(refused))


def error(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Answer:
    """An error document (distribution-spec, "Error Codes")."""
    document = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    return Answer(status=status, headers={"Content-Type": "application/json", **(headers or {})}, body=document)


def _route(content: Content, asked: Asked) -> Answer:
    try:
        path = urlsplit(asked.target).path
    except ValueError:
        raise Refused(400, "NAME_INVALID", "not a path") from None
    if path.rstrip("/") == "/v2":
        return Answer(status=200, headers={"Content-Type": "application/json"}, body=b"{}")
    match = _ROUTE.fullmatch(path)
    if match is None:
        raise Refused(404, "NAME_UNKNOWN", "there is nothing here")
    repository, kind, item = _repository(match["name"]), match["kind"], match["item"] or ""
    method = "GET" if asked.method == "HEAD" else asked.method
    handler = _HANDLERS.get((method, kind, bool(item)))
    if handler is None:
        raise Refused(405, "UNSUPPORTED", f"{asked.method} is not offered here")
    return handler(content, asked, repository, item)


def _repository(name: str) -> str:
    try:
        return Repository("localhost", name).path
    except InputError as fault:
        raise Refused(400, "NAME_INVALID", fault.what) from None


def _digest(text: str) -> Digest:
    try:
        return Digest.parse(text)
    except InputError as fault:
        raise Refused(400, "DIGEST_INVALID", fault.what) from None


def _name(item: str) -> str | Digest:
    if ":" in item:
        return _digest(item)
    if not _TAG.fullmatch(item):
        raise Refused(400, "TAG_INVALID", "not a tag")
    return item


def _get_blob(content: Content, asked: Asked, repository: str, item: str) -> Answer:
    digest = _digest(item)
    stream, size = content.open_blob(repository, digest)
    headers = {
        "Content-Type": "application/octet-stream",
        "Docker-Content-Digest": str(digest),
        "ETag": f'"{digest}"',
        "Accept-Ranges": "bytes",
    }
    wanted = _RANGE.fullmatch(asked.headers.get("range", ""))
    if wanted is None:
        return Answer(status=200, headers=headers, stream=stream, length=size)
    start, end = int(wanted[1]), min(int(wanted[2] or size - 1), size - 1)
    if start > end:
        stream.close()
        return error(416, "SIZE_INVALID", "no such range", {"Content-Range": f"bytes */{size}"})
    stream.seek(start)
    headers["Content-Range"] = f"bytes {start}-{end}/{size}"
    return Answer(status=206, headers=headers, stream=stream, length=end - start + 1)


def _delete_blob(content: Content, asked: Asked, repository: str, item: str) -> Answer:
    content.delete_blob(repository, _digest(item))
    return Answer(status=202)


def _begin_upload(content: Content, asked: Asked, repository: str, item: str) -> Answer:
    query = asked.query
    if "mount" in query:
        digest, source = _digest(query["mount"]), query.get("from")
        if content.mount(repository, digest, _repository(source) if source is not None else None):
            return _created(repository, "blobs", digest)
    upload = content.begin_upload(repository)
    if "digest" in query:
        content.append(repository, upload, asked.body.chunks())
        return _close(content, repository, upload, _digest(query["digest"]))
    return _uploading(repository, upload, 0, 202)


def _upload_status(content: Content, asked: Asked, repository: str, item: str) -> Answer:
    return _uploading(repository, item, content.size_of(repository, item), 204)


def _patch_upload(content: Content, asked: Asked, repository: str, item: str) -> Answer:
    if not content.append(repository, item, asked.body.chunks(), _begin(asked)):
        return _out_of_order(content, repository, item)
    return _uploading(repository, item, content.size_of(repository, item), 202)


def _put_upload(content: Content, asked: Asked, repository: str, item: str) -> Answer:
    digest = _digest(asked.query.get("digest", ""))
    if not content.append(repository, item, asked.body.chunks(), _begin(asked)):
        return _out_of_order(content, repository, item)
    return _close(content, repository, item, digest)


def _cancel_upload(content: Content, asked: Asked, repository: str, item: str) -> Answer:
    content.cancel_upload(repository, item)
    return Answer(status=204)


def _begin(asked: Asked) -> int | None:
    """Where a chunk says that it begins; -1 when that cannot be read, None when it says nothing."""
    stated = asked.headers.get("content-range")
    if stated is None:
        return None
    match = _CONTENT_RANGE.fullmatch(stated)
    return int(match[1]) if match is not None else -1


def _out_of_order(content: Content, repository: str, upload: str) -> Answer:
    size = content.size_of(repository, upload)
    place = _uploading(repository, upload, size, 416)
    return error(416, "BLOB_UPLOAD_INVALID", f"the next chunk begins at {size}", place.headers)


def _close(content: Content, repository: str, upload: str, digest: Digest) -> Answer:
    content.finish_upload(repository, upload, digest)
    return _created(repository, "blobs", digest)


def _uploading(repository: str, upload: str, size: int, status: int) -> Answer:
    location = f"/v2/{repository}/blobs/uploads/{upload}"
    return Answer(status=status, headers={"Location": location, "Range": f"0-{max(size - 1, 0)}"})


def _created(repository: str, kind: str, digest: Digest, headers: Mapping[str, str] | None = None) -> Answer:
    location = f"/v2/{repository}/{kind}/{digest}"
    return Answer(status=201, headers={"Location": location, "Docker-Content-Digest": str(digest), **(headers or {})})


def _get_manifest(content: Content, asked: Asked, repository: str, item: str) -> Answer:
    stored = content.manifest(repository, _name(item))
    etag = f'"{stored.digest}"'
    headers = {"Content-Type": stored.media_type, "Docker-Content-Digest": str(stored.digest), "ETag": etag}
    if asked.headers.get("if-none-match") == etag:
        return Answer(status=304, headers=headers)
    return Answer(status=200, headers=headers, body=stored.raw)


def _put_manifest(content: Content, asked: Asked, repository: str, item: str) -> Answer:
    raw = asked.body.whole(MANIFEST_BYTES_MAX)
    media_type = asked.headers.get("content-type", "").partition(";")[0].strip() or _own_type(raw)
    digest, subject = content.put_manifest(repository, _name(item), raw, media_type)
    return _created(repository, "manifests", digest, {"OCI-Subject": str(subject)} if subject else None)


def _own_type(raw: bytes) -> str:
    try:
        media_type = json.loads(raw).get("mediaType")
    except (ValueError, AttributeError, RecursionError):
        media_type = None
    if not isinstance(media_type, str):
        raise Refused(400, "MANIFEST_INVALID", "neither the header nor the manifest says its type")
    return media_type


def _delete_manifest(content: Content, asked: Asked, repository: str, item: str) -> Answer:
    content.delete_manifest(repository, _name(item))
    return Answer(status=202)


def _list_tags(content: Content, asked: Asked, repository: str, item: str) -> Answer:
    query = asked.query
    remaining = [tag for tag in content.tags(repository) if tag > query.get("last", "")]
    limit = int(query["n"]) if _COUNT.fullmatch(query.get("n", "")) else len(remaining)
    page, headers = remaining[:limit], {"Content-Type": "application/json"}
    if page and len(remaining) > limit:
        following = f"/v2/{repository}/tags/list?n={limit}&last={quote(page[-1])}"
        headers["Link"] = f'<{following}>; rel="next"'
    return Answer(status=200, headers=headers, body=json.dumps({"name": repository, "tags": page}).encode())


def _list_referrers(content: Content, asked: Asked, repository: str, item: str) -> Answer:
    artifact_type = asked.query.get("artifactType")
    index = content.referrers(repository, _digest(item), artifact_type)
    headers = {"Content-Type": OCI_INDEX}
    if artifact_type is not None:
        headers["OCI-Filters-Applied"] = "artifactType"
    return Answer(status=200, headers=headers, body=json.dumps(index).encode())


_Handler = Callable[[Content, Asked, str, str], Answer]
_HANDLERS: Mapping[tuple[str, str, bool], _Handler] = {
    ("GET", "blobs", True): _get_blob,
    ("DELETE", "blobs", True): _delete_blob,
    ("POST", "blobs/uploads", False): _begin_upload,
    ("GET", "blobs/uploads", True): _upload_status,
    ("PATCH", "blobs/uploads", True): _patch_upload,
    ("PUT", "blobs/uploads", True): _put_upload,
    ("DELETE", "blobs/uploads", True): _cancel_upload,
    ("GET", "manifests", True): _get_manifest,
    ("PUT", "manifests", True): _put_manifest,
    ("DELETE", "manifests", True): _delete_manifest,
    ("GET", "tags/list", False): _list_tags,
    ("GET", "referrers", True): _list_referrers,
}
