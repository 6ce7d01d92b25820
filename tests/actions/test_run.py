"""github-actions/run: what it installs once per job, and what the runner is told when that fails."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.actions.runner import Annotation, annotations
from tests.docs.actions import ACTIONS

# Stands for `python3 -m venv --clear PLACE`: what it makes there are a pip and a command that end as they are told.
PYTHON = """#!/bin/sh
[ -n "$CANNOT_MAKE_A_VENV" ] && { echo "no ensurepip"; exit 3; }
mkdir -p "$4/bin" && cd "$4/bin"
printf '#!/bin/sh\\necho pip says "$4"\\nexit "$PIP_ENDS_WITH"\\n' > pip
printf '#!/bin/sh\\necho ran "$@"\\n' > layerwatch
chmod +x pip layerwatch
"""


def act(place: Path, **told: str) -> "subprocess.CompletedProcess[str]":
    (place / "bin").mkdir(exist_ok=True)
    (place / "bin" / "python3").write_text(PYTHON)
    (place / "bin" / "python3").chmod(0o755)
    runner = {
        "PATH": f"{place / 'bin'}:{os.environ['PATH']}",
        "GITHUB_ACTION_PATH": str(ACTIONS / "watch"),
        "RUNNER_TEMP": str(place),
        "GITHUB_STEP_SUMMARY": str(place / "summary"),
    }
    argv = [str(ACTIONS / "run"), "layerwatch", "check", "a b"]
    return subprocess.run(argv, env={**runner, **told}, capture_output=True, text=True, timeout=60, check=False)


def test_it_is_installed_once(tmp_path: Path) -> None:
    first, second = act(tmp_path, PIP_ENDS_WITH="0"), act(tmp_path, PIP_ENDS_WITH="1")
    assert (first.returncode, second.returncode, second.stdout) == (0, 0, "ran check a b\n")
    begin, *between, end, ran = first.stdout.splitlines()
    assert (begin, end, ran) == ("::group::install layerwatch", "::endgroup::", "ran check a b")
    assert between == ["pip says --constraint"]
    assert not (tmp_path / "summary").exists()


@pytest.mark.parametrize(
    ("told", "code"),
    [
        pytest.param({"PIP_ENDS_WITH": "1"}, 1, id="pip reaches no index"),
        pytest.param({"CANNOT_MAKE_A_VENV": "1"}, 3, id="no venv"),
    ],
)
def test_what_cannot_be_installed_is_annotated(tmp_path: Path, told: dict[str, str], code: int) -> None:
    for _ in range(2):  # another step of the job tries again
        done = act(tmp_path, **told)
        assert (done.returncode, done.stdout.splitlines()[-1]) == (code, "::endgroup::")
        why = "it could not be installed: see above; that needs Python 3.11 or newer, its venv, and a package index"
        assert annotations(done.stderr) == [Annotation(level="error", title="layerwatch", message=why)]
    assert (tmp_path / "summary").read_text() == f"### layerwatch failed\n\n{why}\n\n" * 2
