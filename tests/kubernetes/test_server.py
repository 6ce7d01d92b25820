"""The test API server itself: what the tests of the product rely on."""

from tests.kubernetes.server import TestApiServer


def test_it_is_ready_and_says_its_version(api_server: TestApiServer) -> None:
    assert api_server.admin.call("GET", "/version")["gitVersion"].startswith("v1.")
