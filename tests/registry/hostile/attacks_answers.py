"""Attacks by what is answered: blobs that are others, tokens that are none, refusals and lists that do not end."""

import json
from typing import Any

from layering.errors import ContentError, LayerwatchError, RefusedError, UnavailableError
from layering.registry.server_http import Answer, Asked, error
from tests.registry.hostile.attacks_addresses import challenged
from tests.registry.hostile.goods import LAYER
from tests.registry.hostile.rows import Row, Scene, on

_MEBI = 1 << 20


def _blob(name: str, answer: Answer, ends: type[LayerwatchError] = ContentError, do: str = "stream_blob") -> Row:
    return Row(name=f"blob: {name}", do=do, does=on("/blobs/", answer), ends=ends)


_BLOBS = [
    _blob("other bytes of the same length", Answer(status=200, body=b"x" * len(LAYER))),
    _blob("the last byte is another", Answer(status=200, body=LAYER[:-1] + bytes([LAYER[-1] ^ 1]))),
    _blob("shorter", Answer(status=200, body=LAYER[:-1])),
    _blob("longer", Answer(status=200, body=LAYER + b"x")),
    _blob("nothing", Answer(status=200)),
    _blob("a part that was not asked for", Answer(status=206, headers={"Content-Range": "bytes 0-9/10"}, body=LAYER)),
    _blob("a part without a range", Answer(status=206, body=LAYER)),
    _blob("no content", Answer(status=204)),
    _blob("not modified", Answer(status=304)),
    _blob("it is not there", error(404, "BLOB_UNKNOWN", "no"), RefusedError),
    _blob("it must not be had", error(403, "DENIED", "no"), RefusedError),
    _blob("it is gone for legal reasons", error(451, "DENIED", "no"), RefusedError),
    _blob("compressed", Answer(status=200, headers={"Content-Encoding": "gzip"}, body=LAYER)),
    _blob("other bytes, whole", Answer(status=200, body=b"x" * len(LAYER)), do="read_blob"),
    _blob("longer, whole", Answer(status=200, body=LAYER * 2), do="read_blob"),
]  # fmt: skip


def _token(name: str, answer: Answer, ends: type[LayerwatchError] = ContentError, **over: Any) -> Row:
    def does(scene: Scene, asked: Asked) -> Answer | None:
        if asked.target.startswith("/token"):
            return answer
        return challenged('Bearer realm="<ours>/token"')(scene, asked)

    return Row(name=f"token: {name}", does=does, ends=ends, is_open=True, **over)


def _tokened(name: str, body: bytes) -> Row:
    return _token(name, Answer(status=200, body=body))


_REFUSING = error(401, "UNAUTHORIZED", "pl4nted-s3cret is wrong")
_TOKENS = [
    _tokened("none", b"{}"),
    _tokened("null", b'{"token": null}'),
    _tokened("a number", b'{"token": 1}'),
    _tokened("a list", b'["token"]'),
    _tokened("empty", b'{"token": ""}'),
    _tokened("a blank", b'{"token": "a b"}'),
    _tokened("a line break", b'{"token": "a\\r\\nX-Injected: yes"}'),
    _tokened("not ASCII", '{"token": "t\u00f6ken"}'.encode()),
    _tokened("a web page", b"<html>log in</html>"),
    _tokened("twice, and not the same", b'{"token": "a", "token": "t0ken"}'),
    _tokened("nesting deeper than 32", b'{"token": "t0ken", "x": ' + b"[" * 40 + b"]" * 40 + b"}"),
    _tokened("nesting without end", b"[" * 200_000),
    _tokened("a lifetime that is no number", b'{"token": "t0ken", "expires_in": NaN}'),
    _tokened("more than 256 KiB", json.dumps({"token": "x" * 256 * 1024}).encode()),
    _tokened("60 MiB", b'{"token": "t0ken"}' + b" " * (60 * _MEBI)),
    _token("refused", _REFUSING, RefusedError),
    _token("forbidden", error(403, "DENIED", "no"), RefusedError),
    _token("there is no service", error(404, "X", "no"), RefusedError),
    _token("an answer that is no answer", Answer(status=204), RefusedError),
    _token("too many requests", error(429, "X", "slow"), UnavailableError),
    _token("broken", error(500, "X", "no"), UnavailableError),
    _token("an identity token is refused", _REFUSING, RefusedError, login={"identitytoken": "pl4nted-s3cret"}),
    _token("too many requests with an identity token", error(429, "X", "slow"), UnavailableError,
           login={"identitytoken": "pl4nted-s3cret"}),
]  # fmt: skip


def _storm(scene: Scene, asked: Asked) -> Answer:
    """A token is given, and never good enough."""
    if asked.target.startswith("/token"):
        return Answer(status=200, body=b'{"token": "useless"}')
    challenge = f'Bearer realm="{scene.ours}/token",error="insufficient_scope",scope="repository:a/b:push"'
    return error(401, "UNAUTHORIZED", "more", {"WWW-Authenticate": challenge})


def _turning(scene: Scene, asked: Asked) -> Answer:
    """A new kind of challenge with every request."""
    if asked.target.startswith("/token"):
        return Answer(status=200, body=b'{"token": "useless"}')
    is_bearer = asked.headers.get("authorization", "").startswith("Bearer")
    challenge = 'Basic realm="x"' if is_bearer else f'Bearer realm="{scene.ours}/token"'
    return error(401, "UNAUTHORIZED", "the other one", {"WWW-Authenticate": challenge})


def _echo(scene: Scene, asked: Asked) -> Answer:
    said = asked.headers.get("authorization", "")
    return error(401, "UNAUTHORIZED", f"{said} is wrong; {said.split()[-1:]}", {"WWW-Authenticate": 'Basic realm="x"'})


def _by_roles(scene: Scene, asked: Asked) -> Answer:
    """OpenShift's registry knows who asks, and does not let them."""
    if asked.target.startswith("/token"):
        return Answer(status=200, body=b'{"token": "t0ken"}')
    known = asked.headers.get("authorization") == "Bearer t0ken"
    challenge = 'Basic realm=openshift,error="access denied"' if known else f'Bearer realm="{scene.ours}/token"'
    return error(401, "UNAUTHORIZED", "authentication required", {"WWW-Authenticate": challenge})


def _challenge(name: str, header: str | None) -> Row:
    headers = {} if header is None else {"WWW-Authenticate": header}
    answer = error(401, "UNAUTHORIZED", "who are you", headers)
    return Row(name=f"challenge: {name}", does=on("/v2/", answer), ends=RefusedError, is_open=True)


_CHALLENGES = [
    _challenge("none", None),
    _challenge("empty", ""),
    _challenge("a scheme nobody has", "Negotiate"),
    _challenge("a digest", 'Digest realm="x", nonce="y"'),
    _challenge("a token without a service", "Bearer"),
    _challenge("a token of no service", 'Bearer realm=""'),
    _challenge("a quote that does not end", 'Bearer realm="http://x'),
    _challenge("commas", "," * 5000),
    _challenge("blanks", " " * 5000 + "x"),
    _challenge("words", "a " * 5000),
    _challenge("quotes", '"' * 5000),
    _challenge("escapes", 'Bearer realm="' + "\\" * 5001),
    _challenge("many schemes", ", ".join(f"S{number} a=b" for number in range(700))),
    Row(name="challenge: a token that is never enough", does=_storm, ends=RefusedError, is_open=True),
    Row(name="challenge: access is denied by roles, as OpenShift", does=_by_roles, do="manifest", ends=RefusedError,
        is_open=True, says="access denied"),
    Row(name="challenge: always the other one", does=_turning, ends=RefusedError, is_open=True),
    Row(name="challenge: what was sent comes back", does=_echo, ends=RefusedError, is_open=True),
    Row(name="challenge: a token that came from a file comes back", does=_echo, ends=RefusedError, is_open=True,
        login={"registrytoken": "pl4nted-s3cret"}),
]  # fmt: skip


def _tags(name: str, body: bytes, ends: type[LayerwatchError] = ContentError) -> Row:
    return Row(name=f"tags: {name}", do="tags", does=on("/tags/", Answer(status=200, body=body)), ends=ends)


_TAGS = [
    _tags("not a list", b'{"tags": "latest"}'),
    _tags("numbers", b'{"tags": [1]}'),
    _tags("a path", b'{"tags": ["../../x"]}'),
    _tags("a line break", b'{"tags": ["a\\nb"]}'),
    _tags("an escape sequence", b'{"tags": ["\\u001b[31m"]}'),
    _tags("a tag of 129 letters", json.dumps({"tags": ["x" * 129]}).encode()),
    _tags("one as long as a book", json.dumps({"tags": ["x" * 3_000_000]}).encode()),
    _tags("200,000", json.dumps({"tags": ["t"] * 200_000}).encode()),
    _tags("5 MiB", b'{"tags": [' + b" " * (5 * _MEBI) + b"]}"),
]


def _status(number: int, ends: type[LayerwatchError], do: str = "resolve") -> Row:
    answer = error(number, "DENIED", "no", {"Retry-After": "1"} if number in (429, 503) else None)
    return Row(
        name=f"answer {number} to {do}", do=do, does=on("/a/b/" if do != "copy_blob" else "/c/d/", answer), ends=ends
    )


_ALL = ("tags", "read_blob", "push_blob", "push_stream", "copy_blob", "find")
_STATUSES = [
    *(_status(number, RefusedError) for number in (400, 402, 403, 404, 405, 406, 409, 410, 416, 418, 421, 451)),
    *(_status(number, UnavailableError) for number in (408, 429, 500, 502, 503, 504, 507, 522, 599)),
    *(_status(number, ContentError, "manifest") for number in (201, 202, 203, 205, 226, 300)),
    *(_status(429, UnavailableError, do) for do in _ALL),
    *(_status(403, RefusedError, do) for do in _ALL),
    Row(name="a refusal of 60 MiB", does=on("/a/b/", error(403, "DENIED", "x" * (60 * _MEBI))), ends=RefusedError),
    Row(name="a refusal with escape sequences", do="manifest", ends=RefusedError,
        does=on("/a/b/", error(403, "\x1b[31mDENIED", "\x1b]0;title\x07\r\n::error::injected\u202e"))),
    Row(name="a refusal as deep as it is long", does=on("/a/b/", Answer(status=403, body=b"[" * 60_000)), do="manifest",
        ends=RefusedError),
    Row(name="left alone for a year", does=on("/a/b/", error(429, "X", "no", {"Retry-After": "31536000"})),
        ends=UnavailableError),
    Row(name="left alone until a date that is none", ends=UnavailableError,
        does=on("/a/b/", error(503, "X", "no", {"Retry-After": "Fri, 99 Zzz 99999 99:99:99 +9999"}))),
    Row(name="left alone for a number without end", ends=UnavailableError,
        does=on("/a/b/", error(503, "X", "no", {"Retry-After": "9" * 5000}))),
]  # fmt: skip

ANSWER_ATTACKS = [*_BLOBS, *_TOKENS, *_CHALLENGES, *_TAGS, *_STATUSES]
