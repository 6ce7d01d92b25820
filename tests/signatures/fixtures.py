"""Keys that are made once, and the two programs that verify."""

import sys
from collections.abc import Iterator

import pytest

from tests.parts import require
from tests.signatures.gpg import LONG_AGO, Gpg


@pytest.fixture(scope="session")
def gpg() -> Iterator[Gpg]:
    """Alice, Bob and Lasting may sign; Old is expired; Sub signs with a subkey."""
    with Gpg(require("gpg")) as made:
        made.make("Alice", algorithm="rsa2048")
        made.make("Bob")
        made.make("Old", expires="1y", at=LONG_AGO)
        made.make("Lasting", at=LONG_AGO)
        made.make("Sub")
        made.add_signing_subkey("Sub")
        yield made


@pytest.fixture(params=["pysequoia", "gpgv"])
def verifier(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each test runs with both."""
    if request.param == "gpgv":
        require("gpgv")
        monkeypatch.setitem(sys.modules, "pysequoia", None)
    return str(request.param)
