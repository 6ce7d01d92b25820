"""Token services, each in its own way."""

import json
from typing import Any

from layering.registry.server_http import Answer, Asked, error
from tests.registry.hostile.attacks_addresses import challenged
from tests.registry.hostile.rows import Does, Row, Scene, on


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
TOKEN_QUIRKS = [
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
