"""What every test shares: hypothesis profiles, and the list of real parts at the end of a run."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from tests.parts import require
from tests.parts.install import report
from tests.parts.oracle_client import Oracle

pytest_plugins = ("tests.kubernetes.fixtures", "tests.kubernetes.tekton_fixtures", "tests.signatures.fixtures")

os.environ["CONTAINERS_REGISTRIES_CONF"] = str(Path(__file__).with_name("no-registries.conf"))
for name in ("GITHUB_ACTIONS", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
    os.environ.pop(name, None)  # the tests may run there, and what they run does not speak for them

# The same examples on every run, so that a failure in CI is a failure at home; no deadline, because machines are busy.
settings.register_profile(
    "ci", max_examples=100, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "fuzz",
    max_examples=100_000,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("ci")  # --hypothesis-profile wins over this; max_examples on a test would win over both


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> "ByFile | None":
    return ByFile(config, log) if config.getoption("dist") == "loadscope" else None


class ByFile(LoadScopeScheduling):  # type: ignore[misc]  # it ships no types
    """A file's tests go to one process, and all that need Tekton to one: what they share is then made once."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "Tekton" if "/test_tekton" in file or file.startswith(("tests/story/", "tests/tekton/")) else file


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.section("real parts")
    for line in report():
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def oracle() -> Iterator[Oracle]:
    """The Go originals of our parsers."""
    with Oracle(require("oracle")) as running:
        yield running
