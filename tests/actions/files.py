"""The actions and workflows of this repository, and the commands the actions wrap."""

import argparse
import dataclasses
import importlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from pipeline.cli import step_parser
from tests.docs.actions import ACTIONS
from watcher import cli as watcher

ROOT = ACTIONS.parent
NAMES = ("watch", "rebuild", "propose")
STEPS = {"rebuild": "run", "propose": "open-pull-request"}
WORKFLOWS = sorted([*ACTIONS.glob("workflows/*.yml"), *ROOT.glob(".github/workflows/*.yml")])

Document = dict[str, Any]


def flags(name: str) -> set[str]:
    """The flags of the command, without `--`."""
    options = (option for action in parser_of(name)._actions for option in action.option_strings)
    return {option.removeprefix("--") for option in options if option.startswith("--")}


def parser_of(name: str) -> argparse.ArgumentParser:
    if name == "watch":
        return watcher._subparser(watcher._parser(), "run")
    return step_parser(STEPS[name], _module(name))


def output_keys(name: str) -> set[str]:
    """The keys of what the step prints."""
    return {field.name for field in dataclasses.fields(_module(name).Outputs)}


def _module(name: str) -> Any:
    return importlib.import_module(f"pipeline.steps.{STEPS[name].replace('-', '_')}")


def workflow(file: Path) -> Document:
    document: Document = yaml.load(file.read_text(), Loader=yaml.BaseLoader)
    return document


def steps(document: Mapping[str, Any]) -> Iterable[Document]:
    """Those of a workflow's jobs, or of a composite action."""
    if "runs" in document:
        return list(document["runs"]["steps"])
    return [step for job in document["jobs"].values() for step in job["steps"]]
