"""docs/reference/cli.md, from the parsers of both commands.

It does not use argparse's own help text, which differs from one Python to the next.
"""

import argparse
import importlib
import re
import types
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from layering.reference import Digest, ImageReference
from pipeline import cli as steps
from pipeline.outputs import keys
from tests.docs.markdown import code, page, table
from watcher import cli as watcher

# What a value is as JSON; of subclasses, the first that fits.
_KINDS: Sequence[tuple[type, str]] = [
    (bool, "`true` or `false`"),
    (int, "number"),
    (str, "text"),
    (Path, "text"),
    (Digest, "text"),
    (ImageReference, "text"),
    (types.NoneType, "null"),
    (tuple, "list"),
]
_REPEATABLE = re.compile(r"^repeatable\s+| \(repeatable\)|(?<=\()repeatable[;,] ")


def command_line() -> str:
    """The page about both commands."""
    return page(
        "Command line",
        "watcher/cli.py and pipeline/cli.py",
        "`layerwatch` watches; `layerwatch-step` does one step of a rebuild by hand. Both end with one of the "
        "[exit codes](exit-codes.md). Results for machines go to stdout, notes for people to stderr. A step's outputs "
        "are the keys of its JSON; --results-dir writes each to a file of its name, text as it is, others as JSON.",
        *_layerwatch(),
        *_steps(),
    )


def _layerwatch() -> Iterator[str]:
    for action in watcher._parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, parser in action.choices.items():
                yield from _section(f"layerwatch {name}", parser)


def _steps() -> Iterator[str]:
    for name in steps.STEPS:
        module = importlib.import_module(f"pipeline.steps.{name.replace('-', '_')}")
        yield from _section(f"layerwatch-step {name}", steps.step_parser(name, module))
        yield from _outputs(module.Outputs)


def _section(name: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    yield f"## {name}"
    description = (parser.description or "").strip()
    yield f"{description[:1].upper()}{description[1:].rstrip('.')}."
    actions = [action for action in parser._actions if not isinstance(action, argparse._HelpAction)]
    if actions:
        yield table(["Option", "", "Meaning"], [(_option(a), _use(a), help_of(a)) for a in actions])
    if parser.epilog:
        yield f"```\n{parser.epilog.partition('example:')[2].strip()}\n```"


def _outputs(outputs: type) -> Iterator[str]:
    """What stdout and --results-dir get, and what the class says of it."""
    hints = typing.get_type_hints(outputs)
    yield table(["Output", "Value"], [(code(name), _kind(hints[name])) for name in keys(outputs)])
    yield " ".join((outputs.__doc__ or "").split())


def _kind(hint: Any) -> str:
    if isinstance(hint, types.UnionType):
        return " or ".join(map(_kind, typing.get_args(hint)))
    kind = typing.get_origin(hint) or hint
    return next((name for each, name in _KINDS if issubclass(kind, each)), "object")


def _option(action: argparse.Action) -> str:
    value = action.metavar or ("|".join(map(str, action.choices)) if action.choices else action.dest.upper())
    shown = "" if action.nargs == 0 else f" {value}" if action.option_strings else str(value)
    return code(", ".join(action.option_strings) + shown)


def _use(action: argparse.Action) -> str:
    if not action.option_strings and action.nargs == "*":
        return "any number"  # before Python 3.12, argparse says of these that they are required
    if action.required:
        return "required"
    return "repeatable" if isinstance(action, argparse._AppendAction) else ""


def help_of(action: argparse.Action) -> str:
    """What a flag means, without how often it may be given."""
    meaning = (action.help or "") % {"default": action.default}
    return _REPEATABLE.sub("", meaning)  # the column beside it says so
