"""The tables of inputs and outputs in github-actions/*/README.md, from the action.yml beside each."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.docs.markdown import code, table

ACTIONS = Path(__file__).parents[2] / "github-actions"
_BEGIN, _END = "<!-- Made from action.yml by `make docs`; `make check` compares. -->\n", "\n<!-- end -->"


def action(name: str) -> dict[str, Any]:
    """What action.yml says."""
    document: dict[str, Any] = yaml.safe_load((ACTIONS / name / "action.yml").read_text())
    return document


def readmes() -> dict[Path, str]:
    """The whole page of each action, with the tables as they should be."""
    return {file: _page(file) for file in sorted(ACTIONS.glob("*/README.md")) if (file.parent / "action.yml").is_file()}


def _page(file: Path) -> str:
    before, _, rest = file.read_text().partition(_BEGIN)
    return f"{before}{_BEGIN}{_tables(action(file.parent.name))}{_END}{rest.partition(_END)[2]}"


def _tables(document: Mapping[str, Any]) -> str:
    inputs = [(code(name), entry["description"], _default(entry)) for name, entry in document["inputs"].items()]
    outputs = [(code(name), entry["description"]) for name, entry in document["outputs"].items()]
    parts = ["## Inputs", table(["Input", "Meaning", "Default"], inputs)]
    return "\n\n".join([*parts, "## Outputs", table(["Output", "Meaning"], outputs)])


def _default(entry: Mapping[str, Any]) -> str:
    return "required" if entry.get("required") else code(str(entry.get("default", "")))
