"""A registry that behaves as one that people use: an ordinary one behind what it is known for, by a table of facts."""

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from layering.registry.server import RegistryServer
from layering.registry.server_http import Answer, Asked, error
from layering.registry.storage import MemoryStorage

SECRET = "pl4nted-s3cret"
READABLE, WRITABLE = "team/base", "team/layered"
_PATH = re.compile(r"/v2/(?P<name>.+?)/(?P<kind>blobs/uploads|blobs|manifests|tags|referrers)/(?P<item>.*)")
_SCOPE = re.compile(r"repository:(?P<name>[^:]+):(?P<actions>[a-z,]+)")
_STATE = "_state=a%2Fb%3D%3D"


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What one registry is known for. The default of each is what the specification says.

    In `challenge` and `refusal`, <tokens> is the token service's URL, <scope> what is missing. `challenge` "" has the
    registry ask for the password itself. `token` are the members of the token's answer. `is_form` wants an identity
    token in a form. `is_echo`: the token is the password, which is taken by itself as well. `denied` is the answer to
    who may not. `storage` is the status that leads to the blobs, 0 for none; `is_own_storage` has it under the same
    origin. `page` tags come at a time, the next by `link`. `location` is where an upload goes on. `patches` is how many
    PATCHes of one upload are taken, `patched` what they are answered, `patch_bytes` how large they may be, and
    `patch_least` how small all but the last. `mounts` is the answer to a mount. `busy` is what the first questions are
    answered. `headers` come with every answer.
    """

    user: str
    challenge: str = 'Bearer realm="<tokens>/token",service="registry",scope="<scope>"'
    refusal: str = ""
    token_path: str = "/token"
    token: Sequence[str] = ("token",)
    lifetime: int | None = None
    is_form: bool = False
    is_echo: bool = False
    has_token_host: bool = False
    denied: int = 401
    storage: int = 0
    is_own_storage: bool = False
    has_head_digest: bool = True
    page: int = 0
    link: str = '</v2/<name>/tags/list?n=<n>&last=<last>>; rel="next"'
    location: str = "<path>"
    patches: int = 1000
    patch_least: int = 0
    patched: int = 202
    patch_bytes: int = 1 << 30
    mounts: int = 201
    referrers: int = 200
    busy: Sequence[Answer] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def login(self) -> dict[str, Any]:
        """The entry in the file of credentials."""
        if self.is_form:
            return {"auth": _base64(f"{self.user}:"), "identitytoken": SECRET}
        return {"auth": _base64(f"{self.user}:{SECRET}")}


class Replay(RegistryServer):
    """The registry. Who may do what: all may be read and WRITABLE written, but nothing else is there for anybody."""

    def __init__(self, facts: Facts, storage: MemoryStorage, tls: tuple[Path, Path]) -> None:
        super().__init__(storage, tls=tls)
        self.facts = facts
        self.tokens_url = self.storage_url = self.url
        self.issued: list[Sequence[str]] = []
        self.heard: list[Asked] = []
        self._busy = list(facts.busy)
        self._patches: dict[str, list[int]] = {}

    def respond(self, asked: Asked) -> Answer:
        self.heard.append(asked)
        found = self._respond(asked)
        return Answer(
            status=found.status,
            headers={**found.headers, **self.facts.headers},
            body=found.body,
            stream=found.stream,
            length=found.length,
        )

    def _respond(self, asked: Asked) -> Answer:
        if "cookie" in asked.headers:
            return error(403, "FORBIDDEN", "CSRF token invalid")
        path = unquote(urlsplit(asked.target).path)
        if path == self.facts.token_path and not self.facts.has_token_host:
            return self.give_token(asked)
        if path.startswith("/stored/"):
            return self.stored(asked)
        match = _PATH.fullmatch(path)
        if match is None or (instead := self._refused(asked, match["name"])) is None:
            return self._served(asked, match) if match else super().respond(asked)
        return instead

    def _refused(self, asked: Asked, name: str) -> Answer | None:
        facts, action = self.facts, "pull" if asked.method in ("GET", "HEAD") else "push"
        sent = asked.headers.get("authorization", "")
        known = name == WRITABLE or (name == READABLE and action == "pull")
        by_password = sent == f"Basic {_base64(f'{facts.user}:{SECRET}')}"
        if not facts.challenge and by_password:
            return None if known else error(404, "NAME_UNKNOWN", "The repository does not exist")
        if not sent.startswith("Bearer ") and not (facts.is_echo and by_password):
            return self._challenged(facts.challenge or f'Basic realm="{self.url}/",service="ecr"', name, action)
        by_echo = facts.is_echo and (by_password or sent == f"Bearer {SECRET}")
        if known and (by_echo or self._allows(sent, name, action)):
            return None
        if facts.denied != 401:
            return error(facts.denied, "DENIED", "requested access to the resource is denied")
        return self._challenged(facts.refusal or facts.challenge, name, action)

    def _allows(self, sent: str, name: str, action: str) -> bool:
        number = sent.removeprefix("Bearer t0ken-")
        scopes = [_SCOPE.fullmatch(scope) for scope in self.issued[int(number)]] if number.isdecimal() else []
        return any(scope and scope["name"] == name and action in scope["actions"].split(",") for scope in scopes)

    def _challenged(self, challenge: str, name: str, action: str) -> Answer:
        actions = "pull" if action == "pull" else "pull,push"
        spelt = challenge.replace("<tokens>", self.tokens_url)
        header = {"WWW-Authenticate": spelt.replace("<scope>", f"repository:{name}:{actions}")}
        return error(401, "UNAUTHORIZED", "authentication required", header)

    def give_token(self, asked: Asked) -> Answer:
        """The token service's answer."""
        facts, sent = self.facts, asked.headers.get("authorization", "")
        query = parse_qs(asked.body.whole(10_000).decode() if facts.is_form else urlsplit(asked.target).query)
        scopes = query.get("scope", [])
        if facts.is_form:
            good = asked.method == "POST" and query.get("refresh_token") == [SECRET] and "service" in query
            scopes = [scope for several in scopes for scope in several.split(" ")]
        else:
            good = sent == f"Basic {_base64(f'{facts.user}:{SECRET}')}"
        if not good or not all(map(_SCOPE.fullmatch, scopes)):
            return error(401, "UNAUTHORIZED", "who are you")
        self.issued.append(scopes)
        value = SECRET if facts.is_echo else f"t0ken-{len(self.issued) - 1}"
        document: dict[str, Any] = dict.fromkeys(facts.token, value)
        if facts.lifetime is not None:
            document["expires_in"] = facts.lifetime
        return Answer(status=200, headers={"Content-Type": "application/json"}, body=json.dumps(document).encode())

    def stored(self, asked: Asked) -> Answer:
        """The storage's answer: it has signed its address, and takes no other way of authorization."""
        is_foreign = not self.facts.is_own_storage
        if (is_foreign and "authorization" in asked.headers) or "X-Signature=a%2Fb" not in asked.target:
            return error(400, "InvalidArgument", "Only one auth mechanism allowed")
        if asked.method == "HEAD" and is_foreign:
            return error(403, "SignatureDoesNotMatch", "signed for GET")
        target = urlsplit(asked.target).path.removeprefix("/stored")
        return super().respond(Asked(method=asked.method, target=target, headers=asked.headers, body=asked.body))

    def _served(self, asked: Asked, match: re.Match[str]) -> Answer:
        kind, item = match["kind"], match["item"]
        if kind == "manifests" and self._busy and asked.method in ("GET", "HEAD"):
            return self._busy.pop(0)
        if kind == "blobs" and asked.method == "GET" and self.facts.storage:
            place = f"{self.storage_url}/stored/v2/{match['name']}/blobs/{item}?X-Signature=a%2Fb&X-Expires=300"
            own = place.removeprefix(self.url) if self.facts.is_own_storage else place
            return Answer(status=self.facts.storage, headers={"Location": own, "Docker-Content-Digest": item})
        if kind == "referrers" and self.facts.referrers != 200:
            elsewhere = {"Location": f"{self.storage_url}/-/packages"} if self.facts.referrers == 303 else None
            return error(self.facts.referrers, "UNSUPPORTED", "no referrers here", elsewhere)
        if kind == "blobs/uploads":
            return self._uploaded(asked)
        if kind == "tags" and self.facts.page:
            return self._page(asked, match["name"])
        found = super().respond(asked)
        headers = dict(found.headers)
        if asked.method == "HEAD" and not self.facts.has_head_digest:
            headers.pop("Docker-Content-Digest", None)
        headers.pop("ETag", None)
        return Answer(status=found.status, headers=headers, body=found.body, stream=found.stream, length=found.length)

    def _page(self, asked: Asked, name: str) -> Answer:
        size, last = self.facts.page, asked.query.get("last", "")
        target = f"/v2/{name}/tags/list?n={size}&last={last}" if last else f"/v2/{name}/tags/list?n={size}"
        found = super().respond(Asked(method="GET", target=target, headers={}, body=asked.body))
        headers = dict(found.headers)
        if "Link" in headers:
            following = json.loads(found.body)["tags"][-1]
            spelt = self.facts.link.replace("<ours>", self.url).replace("<name>", name).replace("<n>", str(size))
            headers["Link"] = spelt.replace("<last>", following)
        return Answer(status=200, headers=headers, body=found.body)

    def _uploaded(self, asked: Asked) -> Answer:
        facts, upload = self.facts, urlsplit(asked.target).path
        if asked.method == "POST" and "mount=" in asked.target and facts.mounts != 201:
            if facts.mounts != 202:
                return error(facts.mounts, "UNSUPPORTED", "no mounting here")
            begun = Asked(method="POST", target=upload, headers={}, body=asked.body)
            return self._located(super().respond(begun))
        if asked.method in ("PATCH", "PUT") and _STATE in facts.location and _STATE not in asked.target:
            return error(400, "BLOB_UPLOAD_INVALID", "the state is missing")
        if asked.method == "PATCH":
            sizes = self._patches.setdefault(upload, [])
            if any(size < facts.patch_least for size in sizes):
                return error(400, "BLOB_UPLOAD_INVALID", "Layer parts must be at least 5 MiB in size")
            sizes.append(int(asked.headers.get("content-length", "0")))
            if len(sizes) > facts.patches:
                return error(400, "UNSUPPORTED", "chunked uploads are not supported")
            if sizes[-1] > facts.patch_bytes:
                return error(416, "RANGE_INVALID", "the request body is too large")
        found = self._located(super().respond(asked))
        if asked.method != "PATCH" or found.status != 202:
            return found
        return Answer(status=facts.patched, headers=found.headers)

    def _located(self, found: Answer) -> Answer:
        place = found.headers.get("Location", "")
        if found.status != 202 or not place:
            return found
        spelt = self.facts.location.replace("<ours>", self.url).replace("<path>", place)
        return Answer(status=202, headers={**found.headers, "Location": spelt.replace("<state>", _STATE)})


@dataclass(frozen=True, kw_only=True)
class Played:
    """A registry that runs, and what was heard by whom."""

    server: Replay
    storage: list[Asked]
    tokens: list[Asked]
    certificate: Path


@contextmanager
def played(facts: Facts, storage: MemoryStorage, tls: tuple[Path, Path]) -> Iterator[Played]:
    """The registry by its address, its storage and its token service by another name, each on a port of its own."""
    heard: list[Asked] = []
    tokens: list[Asked] = []
    registry = Replay(facts, storage, tls)

    def stored(asked: Asked) -> Answer:
        heard.append(asked)
        if asked.target.startswith("/-/"):
            return error(429, "TOOMANYREQUESTS", "slow down")
        return registry.stored(asked)

    def given(asked: Asked) -> Answer:
        tokens.append(asked)
        return registry.give_token(asked)

    with (
        registry,
        RegistryServer(tls=tls, intercept=stored) as bucket,
        RegistryServer(tls=tls, intercept=given) as auth,
    ):
        if not facts.is_own_storage:
            registry.storage_url = bucket.url.replace("127.0.0.1", "localhost")
        if facts.has_token_host:
            registry.tokens_url = auth.url.replace("127.0.0.1", "localhost")
        yield Played(server=registry, storage=heard, tokens=tokens, certificate=tls[0])


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
