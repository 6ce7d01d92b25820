"""JSON over HTTP as GitHub has it: lists in pages with a Link header, and an ETag on what is read."""

import hashlib
import json
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlencode

from tests.git_http import Asked, Served


def paged(asked: Asked, found: Any, site: str) -> Served:
    """A page of a list, or all of what is none; 304 when it is what the client has."""
    path, _, query = asked.target.partition("?")
    params = dict(parse_qsl(query))
    headers: dict[str, str] = {}
    if isinstance(found, list):
        page, size = int(params.get("page", 1)), min(100, int(params.get("per_page", 30)))
        pages = max(1, -(-len(found) // size))
        links = {"next": page + 1 if page < pages else 0, "prev": page - 1, "last": pages if page < pages else 0}
        headers["Link"] = ", ".join(
            f'<{site}{path}?{urlencode({**params, "page": number})}>; rel="{rel}"'
            for rel, number in links.items()
            if number
        )
        found = found[(page - 1) * size : page * size]
    served = as_json(200, found)
    tag = f'W/"{hashlib.sha256(served.body).hexdigest()}"'
    if asked.headers.get("if-none-match") == tag:
        return Served(status=HTTPStatus.NOT_MODIFIED, headers={"ETag": tag})
    kept = {name: value for name, value in headers.items() if value}
    return Served(status=200, headers={**served.headers, **kept, "ETag": tag}, body=served.body)


def as_json(status: int, document: Any) -> Served:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    return Served(status=status, headers=headers, body=json.dumps(document).encode())
