"""GitHub's own description of its API (npm `@octokit/openapi`), and what it says of requests and answers.

Of the description only what we call is kept. Bodies of requests are closed, so that a field that is misspelt is seen;
of answers each field that is there must be as described, but none need be there: the tests' GitHub tells what clients
of pull requests read.
"""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from openapi_core import Config, OpenAPI
from openapi_core.testing import MockRequest, MockResponse

from tests.git_http import Asked, Served
from tests.parts import require

_SITE = "https://api.github.com"
_REPOSITORY = "/repos/{owner}/{repo}"
_CALLED = (
    "/app",
    "/app/installations/{installation_id}/access_tokens",
    "/users/{username}",
    _REPOSITORY,
    *(
        f"{_REPOSITORY}/{path}"
        for path in (
            "installation",
            "milestones",
            "compare/{basehead}",
            "collaborators/{username}/permission",
            "pulls",
            "pulls/{pull_number}",
            "pulls/{pull_number}/requested_reviewers",
            "issues/{issue_number}",
            "issues/{issue_number}/labels",
            "issues/{issue_number}/assignees",
            "issues/{issue_number}/comments",
            "issues/comments/{comment_id}/reactions",
            "git/blobs",
            "git/trees",
            "git/trees/{tree_sha}",
            "git/commits",
            "git/commits/{commit_sha}",
            "git/ref/{ref}",
            "git/refs",
            "git/refs/{ref}",
        )
    ),
)


def check(asked: Asked, body: bytes, served: Served) -> None:
    """Raises OpenAPIError for what is not as described, AssertionError for what GitHub does not know."""
    path, _, query = asked.target.removeprefix("/api/v3").partition("?")
    given = dict(parse_qsl(query))
    known = _parameters(path, asked.method.lower())
    assert set(given) <= known, f"{asked.method} {path} takes no {set(given) - known}"
    request = MockRequest(_SITE, asked.method.lower(), path, args=given, data=body or None)
    _described().validate_request(request)
    if served.status != 304:
        _described().validate_response(request, MockResponse(served.body, status_code=served.status))


@cache
def _described() -> OpenAPI:
    config = Config(spec_validator_cls=None)  # type: ignore[arg-type] # its guide says so; judging it takes a minute
    return OpenAPI.from_dict(_document(), config=config)


@cache
def _document() -> dict[str, Any]:
    file = Path(require("github-api")) / "generated/api.github.com.json"
    whole = json.loads(file.read_bytes())
    kept = {path: whole["paths"][path] for path in _CALLED}
    for methods in kept.values():
        for operation in methods.values():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                for schema in (content["schema"], *content["schema"].get("oneOf", ())):
                    if "properties" in schema:
                        schema.setdefault("additionalProperties", False)
            operation["responses"] = _without_required(operation["responses"])
    components = {**whole["components"], "schemas": _without_required(whole["components"]["schemas"])}
    return {**whole, "paths": kept, "components": components}


def _without_required(found: Any) -> Any:
    if isinstance(found, dict):
        kept = {name: value for name, value in found.items() if not (name == "required" and isinstance(value, list))}
        return {name: _without_required(value) for name, value in kept.items()}
    return [_without_required(each) for each in found] if isinstance(found, list) else found


def _parameters(path: str, method: str) -> set[str]:
    """The names of those in the query."""
    for pattern, methods in _document()["paths"].items():
        if method in methods and re.fullmatch(re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(pattern)), path):
            listed = list(methods[method].get("parameters", ()))
            named = [each["$ref"].rpartition("/")[2] if "$ref" in each else "" for each in listed]
            full = [
                _document()["components"]["parameters"][name] if name else each
                for each, name in zip(listed, named, strict=True)
            ]
            return {each["name"] for each in full if each["in"] == "query"}
    raise AssertionError(f"GitHub has no {method.upper()} {path}")
