"""Real parts for the tests: ask for one with `require`, and the test skips, or fails, when it is missing.

`make parts` installs them (tests/parts/install.py); tests/parts/table.py lists them.
"""

import os
from pathlib import Path
from typing import NoReturn

from tests.parts.table import PARTS, find


def require(name: str) -> str:
    """The path of the part `name`; skips the test when it is missing, fails it under REQUIRE_REAL_PARTS=1."""
    path, missing = find(PARTS[name])
    return path or _missing(f"{missing}; run: make parts")


def require_files(name: str) -> Path:
    """The directory of the files `name`, such as the CRDs of OpenShift; skips or fails as `require` does."""
    return Path(require(name))


def _missing(reason: str) -> NoReturn:
    import pytest  # not at the top: the installer imports this package on machines that have no pytest yet

    if os.environ.get("REQUIRE_REAL_PARTS") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
