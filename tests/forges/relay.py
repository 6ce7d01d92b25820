"""A relay before a forge: a test sees each request, of the API and of git, and may come between as in git_http.py."""

import http.client
from collections.abc import Iterator
from contextlib import contextmanager

from tests.git_http import Asked, Between, Served, serving

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "server"}
_SECONDS = 60


@contextmanager
def relay_to(address: str, between: Between) -> Iterator[str]:
    """HOST:PORT whose requests go on to the plain-http server at `address` (HOST:PORT), bytes unchanged."""
    with serving(lambda asked, body: forwarded(address, asked, body), between) as own:
        yield own


def forwarded(address: str, asked: Asked, body: bytes) -> Served:
    """What the server at `address` answers."""
    connection = http.client.HTTPConnection(address, timeout=_SECONDS)
    try:
        headers = {name: value for name, value in asked.headers.items() if name not in _HOP_BY_HOP}
        connection.request(asked.method, asked.target, body=body or None, headers=headers)
        answer = connection.getresponse()
        passed = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP_BY_HOP}
        return Served(status=answer.status, headers=passed, body=answer.read())
    finally:
        connection.close()
