"""What honest registries do, each in its own way, and what must therefore succeed."""

import json
from typing import Any

from layering.registry.manifest import DOCKER_MANIFEST, OCI_MANIFEST, sha256
from layering.registry.server_http import Answer, Asked, error
from tests.registry.hostile.attacks_addresses import challenged
from tests.registry.hostile.goods import (
    AMD64,
    INDEX,
    LAYER,
    MANIFEST,
    config,
    descriptor,
    dumped,
    image,
)
from tests.registry.hostile.rows import Does, Row, Scene, on

_PLAIN = [Row(name=f"nothing odd: {do}", do=do) for do in (
    "resolve", "resolve a digest", "find", "manifest", "manifest by digest", "image", "config", "read_blob",
    "stream_blob", "layers", "tags", "referrers", "release", "push_blob", "push_stream", "copy_blob", "push_manifest",
)]  # fmt: skip


def _given(document: Any, challenge: str = 'Bearer realm="<ours>/token",service="x"', **headers: str) -> Does:
    """A token service that gives this document, or these bytes."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()

    def does(scene: Scene, asked: Asked) -> Answer | None:
        if asked.target.startswith("/token"):
            return Answer(status=200, headers=headers, body=body)
        return challenged(challenge)(scene, asked)

    return does


def _token(name: str, does: Does, **over: Any) -> Row:
    return Row(name=f"token: {name}", does=does, is_open=True, **over)


def _only_what_is_needed(scene: Scene, asked: Asked) -> Answer | None:
    """A challenge that would have the client ask for more, and smuggles a scope in; the service takes no such thing."""
    if asked.target.startswith("/token"):
        wanted = asked.target == "/token?service=x%26scope%3Drepository%3Aother%3Apush&scope=repository%3Aa%2Fb%3Apull"
        return Answer(status=200, body=b'{"token": "t0ken"}') if wanted else error(400, "X", asked.target)
    challenge = 'Bearer realm="<ours>/token",service="x&scope=repository:other:push",scope="repository:*:*"'
    return challenged(challenge)(scene, asked)


def _once_more(scene: Scene, asked: Asked) -> Answer | None:
    """The first token is good for one request."""
    if asked.target.startswith("/token"):
        return Answer(status=200, body=b'{"token": "old"}' if _counted(scene, "/token") == 1 else b'{"token": "t0ken"}')
    if asked.headers.get("authorization") == "Bearer old" and _counted(scene, "/manifests/") <= 2:
        return None
    return challenged('Bearer realm="<ours>/token"')(scene, asked)


def _counted(scene: Scene, part: str) -> int:
    """How many requests there were for it, this one included."""
    return sum(part in asked.target for asked in scene.told)


def _identity(scene: Scene, asked: Asked) -> Answer | None:
    if asked.target.startswith("/token"):
        form = asked.body.whole(10_000).decode()
        good = asked.method == "POST" and "refresh_token=pl4nted-s3cret" in form and "grant_type=refresh_token" in form
        return Answer(status=200, body=b'{"access_token": "t0ken"}') if good else error(400, "X", "no")
    return challenged('Bearer realm="<ours>/token"')(scene, asked)


_GOOD = {"token": "t0ken"}
_TOKENS = [
    _token("without a lifetime, as Quay", _given(_GOOD)),
    _token("access_token only, as Azure", _given({"access_token": "t0ken"})),
    _token("both, as Docker Hub", _given({"token": "t0ken", "access_token": "t0ken", "expires_in": 300,
                                          "issued_at": "2026-01-01T00:00:00Z"})),
    _token("a lifetime of 0", _given({**_GOOD, "expires_in": 0})),
    _token("a negative lifetime", _given({**_GOOD, "expires_in": -5})),
    _token("a lifetime that is a text", _given({**_GOOD, "expires_in": "300"})),
    _token("a lifetime without end", _given({**_GOOD, "expires_in": 10**12})),
    _token("null where there is nothing", _given({**_GOOD, "refresh_token": None, "expires_in": None})),
    _token("blanks round it", _given(b'\r\n {"token": "t0ken"} \n')),
    _token("called text", _given(_GOOD, **{"Content-Type": "text/plain"})),
    _token("no service, as OpenShift", _given(_GOOD, 'Bearer realm="<ours>/token"')),
    _token("commas in the scope", _given(
        _GOOD, 'Bearer realm="<ours>/token",service="x",scope="repository:a/b:pull,push"')),
    _token("blanks in the challenge", _given(_GOOD, 'Bearer  realm = "<ours>/token" , service = "x"')),
    _token("names in upper case", _given(_GOOD, 'BEARER REALM="<ours>/token",SERVICE="x"')),
    _token("no quotes", _given(_GOOD, "Bearer realm=<ours>/token,service=x")),
    _token("escaped quotes", _given(_GOOD, 'Bearer realm="<ours>/token",service="a \\"b\\" c"')),
    _token("a query of its own", _given(_GOOD, 'Bearer realm="<ours>/token?account=1",service="x"')),
    _token("a relative realm", _given(_GOOD, 'Bearer realm="/token",service="x"')),
    _token("after Basic", _given(_GOOD, 'Basic realm="x", Bearer realm="<ours>/token",service="x"')),
    _token("before Basic", _given(_GOOD, 'Bearer realm="<ours>/token",service="x", Basic realm="x"')),
    _token("beside schemes nobody knows", _given(_GOOD, 'Negotiate abc==, NTLM, Bearer realm="<ours>/token"')),
    _token("one that would smuggle a scope in", _only_what_is_needed),
    _token("one that has expired", _once_more, do="resolve twice"),
    _token("for an identity token", _identity, login={"identitytoken": "pl4nted-s3cret"}),
    _token("a ready one in the file", challenged('Bearer realm="<ours>/never"'), login={"registrytoken": "t0ken"}),
    _token("none, but the password", on("/none/", Answer(status=200))),
    Row(name="token: a service on another host that was named", is_open=True,
        does=challenged('Bearer realm="http://named.example.com:<port>/token"'), is_met=True,
        thief=lambda scene, asked: Answer(status=200, body=b'{"token": "t0ken"}'),
        names={"named.example.com": "127.0.0.2"}, is_trusted=True, settings={"realms": {"*": ["named.example.com"]}}),
]  # fmt: skip


def _headed(name: str, does: Does, **over: Any) -> Row:
    return Row(name=f"manifest: {name}", does=does, **over)


def _manifest(status: int = 200, body: bytes = MANIFEST, **headers: str) -> Answer:
    return Answer(status=status, headers={key.replace("_", "-"): value for key, value in headers.items()}, body=body)


def _head_says(status: int) -> Does:
    return on("/manifests/", error(status, "UNSUPPORTED", "no HEAD here"), "HEAD")


def _untyped(**over: Any) -> bytes:
    document = image(**over)
    del document["mediaType"]
    return dumped(document)


def _served(manifest: bytes, *blobs: bytes, **headers: str) -> Does:
    by_digest = {str(sha256(blob)): blob for blob in blobs}

    def does(scene: Scene, asked: Asked) -> Answer | None:
        if "/manifests/t" in asked.target:
            return _manifest(200, manifest, **headers)
        blob = by_digest.get(asked.target.rpartition("/")[2])
        return None if blob is None else Answer(status=200, body=blob)

    return does


_UNTYPED = _untyped()
_LANGUAGES = json.dumps(image(annotations={"x": "\u00e9\u4e16\U0001f600"}), ensure_ascii=False).encode()
_DOCKER = dumped(image(mediaType=DOCKER_MANIFEST))
_MANIFESTS = [
    _headed("no digest in the answer to HEAD, as Red Hat's", on("/manifests/", _manifest(Content_Type=OCI_MANIFEST))),
    _headed("no type in the answer to HEAD", on("/manifests/", _manifest(Docker_Content_Digest=str(sha256(MANIFEST))))),
    *(_headed(f"{status} to HEAD", _head_says(status)) for status in (405, 501)),
    _headed("a type with a character set", on("/manifests/", _manifest(
        Content_Type=f"{OCI_MANIFEST}; charset=utf-8", Docker_Content_Digest=str(sha256(MANIFEST))))),
    _headed("a type in upper case", on("/manifests/", _manifest(
        Content_Type=OCI_MANIFEST.upper(), Docker_Content_Digest=str(sha256(MANIFEST))))),
    _headed("called JSON", on("/manifests/", _manifest(Content_Type="application/json")), do="manifest"),
    _headed("called text", on("/manifests/", _manifest(Content_Type="text/plain; charset=utf-8")), do="manifest"),
    _headed("called nothing", on("/manifests/", _manifest()), do="manifest"),
    _headed("without its own type", _served(_UNTYPED, Content_Type=OCI_MANIFEST), do="manifest",
            gives=str(sha256(_UNTYPED))),
    _headed("without any type", _served(_UNTYPED), do="manifest", gives=str(sha256(_UNTYPED))),
    _headed("docker's types", _served(_DOCKER, Content_Type=DOCKER_MANIFEST), do="manifest",
            gives=str(sha256(_DOCKER))),
    _headed("fields nobody knows", _served(dumped(image(future={"a": [1]}))), do="manifest",
            gives=str(sha256(dumped(image(future={"a": [1]}))))),
    _headed("letters of all languages", _served(_LANGUAGES), do="manifest", gives=str(sha256(_LANGUAGES))),
    _headed("null annotations", _served(dumped(image(annotations=None))), do="manifest",
            gives=str(sha256(dumped(image(annotations=None))))),
    _headed("1,000 layers", _served(dumped(image([descriptor(LAYER)] * 1000))), do="manifest",
            gives=str(sha256(dumped(image([descriptor(LAYER)] * 1000))))),
    _headed("an index", _served(INDEX), do="image"),
    _headed("an index with attestations", _served(dumped({"schemaVersion": 2, "manifests": [
        descriptor(MANIFEST, OCI_MANIFEST, platform=AMD64),
        descriptor(b"provenance", OCI_MANIFEST, platform={"os": "unknown", "architecture": "unknown"})]})), do="image"),
    _headed("a warning", on("/none/", Answer(status=200)), do="manifest"),
    _headed("cookies, as Harbor", on("/manifests/", _manifest(Set_Cookie="sid=pl4nted-s3cret; Path=/")),
            do="resolve twice"),
    _headed("what no client asked for", on("/manifests/", _manifest(
        Warning='299 - "this registry will be switched off"', Alt_Svc='h3=":443"',
        Docker_Distribution_Api_Version="registry/2.0", X_Request_Id="1", Etag='W/"1"', Link='</x>; rel="preload"')),
        do="manifest"),
    _headed("a configuration that is null where it is empty", _served(
        dumped(image(raw_config=dumped(config(config=None)))), dumped(config(config=None))), do="config"),
]  # fmt: skip

QUIRKS = [*_PLAIN, *_TOKENS, *_MANIFESTS]
