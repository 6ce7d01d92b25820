"""The table of inputs in gitlab-ci/README.md: from layerwatch.yml beside it, and the flags that the inputs are."""

import argparse
import importlib
import re
from pathlib import Path
from typing import Any

from pipeline import cli as steps
from tests.docs.commands import help_of
from tests.docs.markdown import code, table
from tests.gitlab_ci.pipeline import DIRECTORY, included, inputs
from watcher import cli as watcher

COMMANDS = {
    ".layerwatch-watch": "layerwatch run",
    ".layerwatch-rebuild": "layerwatch-step run",
    ".layerwatch-propose": "layerwatch-step open-pull-request",
}
_DEFAULT = re.compile(r" \(default\b[^)]*\)")
_BEGIN, _END = "<!-- Made from layerwatch.yml by `make docs`; `make check` compares. -->\n\n", "\n\n<!-- end -->"


def readme() -> dict[Path, str]:
    """The whole page, with the table as it should be."""
    file = DIRECTORY / "README.md"
    before, _, rest = file.read_text().partition(_BEGIN)
    return {file: f"{before}{_BEGIN}{_table()}{_END}{rest.partition(_END)[2]}"}


def parser_of(job: str) -> argparse.ArgumentParser:
    """The flags of the command that the job runs."""
    program, step = COMMANDS[job].split()
    if program == "layerwatch":
        return watcher._subparser(watcher._parser(), step)
    return steps.step_parser(step, importlib.import_module(f"pipeline.steps.{step.replace('-', '_')}"))


def _table() -> str:
    rows = [
        (
            code(name),
            spec.get("type", "string"),
            ", ".join(map(code, _jobs(name))),
            _default(spec),
            _meaning(name, spec),
        )
        for name, spec in inputs().items()
    ]
    return table(["Input", "Type", "Job", "Default", "Meaning"], rows)


def _jobs(name: str) -> list[str]:
    """Those whose command has it as a flag, of those that get it."""
    variable = f"INPUT_{name.replace('-', '_').upper()}"
    document = included()
    own = [job for job in COMMANDS if variable in document[job]["variables"]]
    if name == "request":
        own = [".layerwatch-rebuild"]
    if variable in document[".layerwatch"]["variables"]:
        own = [job for job in COMMANDS if _flag(job, name) is not None]
    return own


def _flag(job: str, name: str) -> argparse.Action | None:
    return next((each for each in parser_of(job)._actions if f"--{name}" in each.option_strings), None)


def _default(spec: dict[str, Any]) -> str:
    value = spec.get("default")
    if value is None:
        return "required"
    return code(value if isinstance(value, str) else str(value).lower()) if value not in ("", []) else ""


def _meaning(name: str, spec: dict[str, Any]) -> str:
    flags = [flag for job in _jobs(name) if (flag := _flag(job, name)) is not None]
    text = str(spec.get("description") or "".join(map(help_of, flags[:1])))
    if _default(spec):
        text = _DEFAULT.sub("", text)  # the command's own; the column beside it has the input's
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""
