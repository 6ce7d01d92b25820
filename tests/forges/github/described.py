"""GitHub's own description of its API (npm `@octokit/openapi`), and what it says of requests and answers.

The tests' servers of GitHub's API are `judged`: what is asked of them and what they answer is held to the description
when they end, once for each exchange that differs from all others, and in the test's own thread, where it fails the
test. Bodies of requests are closed, so that a field that is misspelt is seen.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from jsonschema.exceptions import ValidationError, best_match
from openapi_core import Config, OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse
from openapi_core.validation.schemas.exceptions import InvalidSchemaValue

from tests.git_http import Asked, Served
from tests.parts import require
from tests.parts.table import PARTS, find

_SITE = "https://api.github.com"
_JSON = "application/json"
_ERROR = {"description": "", "content": {_JSON: {"schema": {"$ref": "#/components/schemas/basic-error"}}}}
_DISPATCHES = "/repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches"
_SAID_ELSEWHERE = {
    "401": {**_ERROR, "description": "docs.github.com/rest, authenticating: bad credentials"},
    "403": {**_ERROR, "description": "docs.github.com/rest, troubleshooting: not accessible by the token"},
    "404": {**_ERROR, "description": "docs.github.com/rest, troubleshooting: what may not be seen is not found"},
}
_SAID_ELSEWHERE_OF_READING = {"304": {"description": "docs.github.com/rest, best practices: with If-None-Match"}}
_SAID_ELSEWHERE_OF = {
    _DISPATCHES: {"422": {**_ERROR, "description": "docs.github.com/rest, troubleshooting: invalid request"}},
}


@dataclass(kw_only=True)
class Heard:
    """What was asked and answered, the same once."""

    exchanges: dict[tuple[str, str, str, bytes, int, str, bytes], None] = field(default_factory=dict)

    def note(self, asked: Asked, body: bytes, served: Served) -> Served:
        """Gives what is served on."""
        given, answered = asked.headers.get("content-type", ""), served.headers.get("Content-Type", "")
        self.exchanges[asked.method, asked.target, given, body, served.status, answered, served.body] = None
        return served

    def judge(self) -> None:
        """Raises AssertionError with all that differs."""
        found = []
        for method, target, given, body, status, answered, document in self.exchanges:
            asked = Asked(method=method, target=target, headers={"content-type": given})
            served = Served(status=status, headers={"Content-Type": answered}, body=document)
            found += difference(asked, body, served)
        assert not found, "not as GitHub describes it:\n" + "\n".join(dict.fromkeys(found))


@contextmanager
def judged() -> Iterator[Heard]:
    """Without the part nothing is judged: the list of parts at the end of a run, and test_described.py, say so."""
    heard = Heard()
    try:
        yield heard
    finally:
        if not find(PARTS["github-api"])[1]:
            heard.judge()


def difference(asked: Asked, body: bytes, served: Served) -> list[str]:
    """What the description does not allow, each in a line with the path and the place."""
    path, query, method = _path(asked), asked.target.partition("?")[2], asked.method.lower()
    what = f"{asked.method} {path}"
    pattern = _pattern(path, method)
    if pattern is None:
        return [f"{what}: there is none"]
    given = dict(parse_qsl(query, keep_blank_values=True))
    found = [f"{what}: takes no parameter {name!r}" for name in given if name not in _parameters(pattern, method)]
    described = _described(pattern)
    request = MockRequest(
        _SITE, method, path, args=given, data=body or None, content_type=asked.headers.get("content-type") or _JSON
    )
    answer = MockResponse(
        served.body, status_code=served.status, content_type=served.headers.get("Content-Type", "") or "none"
    )
    wrong = _told(lambda: described.validate_request(request))
    found += [f"{what}: {wrong}"] if wrong else []
    wrong = _told(lambda: described.validate_response(request, answer))
    found += [f"{what} {served.status}: {wrong}"] if wrong else []
    if served.body and not _answer(pattern, method, served.status).get("content"):
        found.append(f"{what} {served.status}: has no body")
    return found


def operation(asked: Asked) -> str:
    """As the description has it: `GET /repos/{owner}/{repo}`."""
    pattern = _pattern(_path(asked), asked.method.lower())
    return f"{asked.method} {pattern}"


def _path(asked: Asked) -> str:
    """Below the root of the API, as api.github.com has it."""
    return asked.target.removeprefix("/api/v3").partition("?")[0]


def _told(validate: Callable[[], object]) -> str:
    """The deepest of what the schemas say against it, and where in the document; empty when it is as described."""
    try:
        validate()
    except OpenAPIError as error:
        causes: list[BaseException] = [error]
        while (cause := causes[-1].__cause__) is not None:
            causes.append(cause)
        deepest = best_match(_schema_errors(causes))
        return f"{deepest.json_path}: {deepest.message[:300]}" if deepest else ": ".join(map(str, causes))
    return ""


def _schema_errors(causes: Sequence[BaseException]) -> Sequence[ValidationError]:
    listed = [each.schema_errors for each in causes if isinstance(each, InvalidSchemaValue)]
    return [each for errors in listed for each in errors if isinstance(each, ValidationError)]


@cache
def _whole() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((Path(require("github-api")) / "generated/api.github.com.json").read_bytes())
    return found


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    """Those with the fewest words left open first, as /user goes before what could be anybody's."""
    ordered = sorted(_whole()["paths"], key=lambda pattern: (pattern.count("{"), pattern))
    return [(re.compile(re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(each))), each) for each in ordered]


@cache
def _pattern(path: str, method: str) -> str | None:
    paths = _whole()["paths"]
    return next((each for found, each in _patterns() if found.fullmatch(path) and method in paths[each]), None)


@cache
def _described(pattern: str) -> OpenAPI:
    """Of one path alone: the whole takes long to read. Its guide allows no validator; judging it takes a minute."""
    config = Config(spec_validator_cls=None)  # type: ignore[arg-type]
    return OpenAPI.from_dict({**_whole(), "paths": {pattern: _operations(pattern)}}, config=config)


@cache
def _operations(pattern: str) -> dict[str, Any]:
    operations: dict[str, Any] = _whole()["paths"][pattern]
    for method, found in operations.items():
        _close(found.get("requestBody", {}))
        responses = found["responses"]
        elsewhere = _SAID_ELSEWHERE | (_SAID_ELSEWHERE_OF_READING if method == "get" else {})
        for status, response in (elsewhere | _SAID_ELSEWHERE_OF.get(pattern, {})).items():
            responses.setdefault(status, response)
        for status, response in responses.items():
            if status >= "400" and "$ref" not in response:
                response.setdefault("content", _ERROR["content"])
    return operations


def _close(found: Any) -> None:
    """Objects take the fields they name, unless they say that there may be others."""
    if isinstance(found, dict):
        if found.get("type") == "object" and "properties" in found:
            found.setdefault("additionalProperties", False)
        for name, each in found.items():
            if name not in ("example", "examples"):
                _close(each)
    elif isinstance(found, list):
        for each in found:
            _close(each)


def _answer(pattern: str, method: str, status: int) -> Any:
    """As it is described; one that is not is told of elsewhere."""
    return _resolved(_operations(pattern)[method]["responses"].get(str(status), {"content": "unknown"}))


def _parameters(pattern: str, method: str) -> set[str]:
    """The names of those in the query."""
    listed = [_resolved(each) for each in _operations(pattern)[method].get("parameters", ())]
    return {each["name"] for each in listed if each["in"] == "query"}


def _resolved(found: Any) -> Any:
    while "$ref" in found:
        for word in found["$ref"].split("/")[1:]:
            found = (found if word != "components" else _whole())[word]
    return found
