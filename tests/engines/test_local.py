"""A build on this machine that is waited for: what of its words and of its job's files is its own."""

import sys
from pathlib import Path
from typing import cast

import pytest

from layering.registry.settings import RegistrySettings
from layering.request import RebuildRequest
from tests.engines.clock import Clock
from watcher.engines import local
from watcher.engines.engine import Build
from watcher.settings_image import ImageSettings

STEP = """
import os, sys
print("::error title=layerwatch-step run::no base%0A  next: look", file=sys.stderr)
print("layerwatch-step run: no base\\n  next: look\\n  reason: BaseNotFound", file=sys.stderr)
print("::error title=layerwatch-step run::no base", file=sys.stderr)
for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
    if file := os.environ.get(name):
        open(file, "a").write("of the build")
sys.exit(int(os.environ["GITHUB_ACTIONS"] == "true") * 3)
"""


def test_a_failure_in_a_runner_is_told_in_its_words_and_writes_nothing_of_the_job_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")  # which the provenance is told by
    for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setattr(local, "command", lambda *_: [sys.executable, "-c", STEP])
    build = built()
    assert (build.message, build.next_step) == ("no base", "look")
    assert list(tmp_path.iterdir()) == []


def built() -> Build:
    engine = local.LocalEngine(lambda _: RegistrySettings(), lambda _: None, Clock())
    request = RebuildRequest.model_construct(key="a" * 64)
    return engine.start(cast(ImageSettings, None), request, None)
