"""What GitHub's runner gives a command, and what it reads of it: variables and files, annotations on stderr."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

_ANNOTATION = re.compile(r"^::(error|warning|notice) title=([^:,\r\n]*)::([^\r\n]*)$", re.MULTILINE)
_LEFT_OUT = {"REGISTRY_AUTH_FILE", "LAYERWATCH_FORGE_TOKEN", "GITHUB_TOKEN"}


@dataclass(frozen=True, kw_only=True)
class Annotation:
    level: str
    title: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Ended:
    code: int
    out: str
    err: str
    summary: str
    outputs: str

    @property
    def annotations(self) -> list[Annotation]:
        return annotations(self.err)


def annotations(text: str) -> list[Annotation]:
    """As the runner reads them: unescaped."""
    return [
        Annotation(level=level, title=_plain(title).replace("%3A", ":").replace("%2C", ","), message=_plain(message))
        for level, title, message in _ANNOTATION.findall(text)
    ]


def _plain(text: str) -> str:
    return text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")


def run(
    directory: Path,
    *words: object,
    env: Mapping[str, str] = {},
    meanwhile: Callable[["subprocess.Popen[str]"], object] = lambda _: None,
) -> Ended:
    """Run `watcher.cli …` or `pipeline.cli …` in a step of Actions whose files are in `directory`."""
    summary, outputs = directory / "summary.md", directory / "outputs"
    runner = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary), "GITHUB_OUTPUT": str(outputs)}
    kept = {name: value for name, value in os.environ.items() if name not in _LEFT_OUT}
    with subprocess.Popen(
        [sys.executable, "-m", *map(str, words)],
        env={**kept, **runner, **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            meanwhile(process)
            out, err = process.communicate(timeout=120)
        finally:
            process.kill()
    read = [path.read_text() if path.is_file() else "" for path in (summary, outputs)]
    return Ended(code=process.returncode, out=out, err=err, summary=read[0], outputs=read[1])
