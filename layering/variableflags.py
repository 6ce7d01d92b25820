"""Flags of a command taken from variables of the environment, for who runs commands and must not write programs.

A CI job has its values in variables; to put them into a script means to quote each of them right. `--flags-from INPUT_`
makes `INPUT_FORGE_URL=https://…` the flag `--forge-url https://…`. Knows no flag by itself: the parser's are asked.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence

FLAG = "--flags-from"
_NOT = {"help", "flags_from"}
# As GitHub's own actions read them (YAML 1.2 section 10.3.2, "Core Schema").
_ON, _OFF = frozenset({"true", "True", "TRUE"}), frozenset({"", "false", "False", "FALSE"})


def add_flags_from(parser: argparse.ArgumentParser) -> None:
    """Add --flags-from."""
    parser.add_argument(
        FLAG,
        metavar="PREFIX",
        help="take flags from variables, too: PREFIX, then the flag in capitals with _ for - (PREFIXFORGE_URL); an "
        "empty one is not given, a switch is true or false, a repeatable flag has one value per line or a JSON list",
    )


def with_flags_from(
    parser: argparse.ArgumentParser, words: Sequence[str], environment: Mapping[str, str]
) -> Sequence[str]:
    """The words, and before them those that variables give: what is said on the command line counts.

    A value that a flag cannot have ends as argparse ends: exit 2.
    """
    prefix = _prefix(words)
    if not prefix:
        return words
    return [*_given(parser, prefix, environment), *words]


def _prefix(words: Sequence[str]) -> str:
    for index, word in enumerate(words):
        if word == FLAG:
            return "".join(words[index + 1 : index + 2])
        if word.startswith(f"{FLAG}="):
            return word.removeprefix(f"{FLAG}=")
    return ""


def _given(parser: argparse.ArgumentParser, prefix: str, environment: Mapping[str, str]) -> Iterator[str]:
    for action in parser._actions:
        flag = next((name for name in action.option_strings if name.startswith("--")), None)
        if flag is None or action.dest in _NOT:
            continue
        variable = prefix + flag.removeprefix("--").replace("-", "_").upper()
        value = environment.get(variable, "").rstrip("\r\n")  # a block of YAML (`|`) ends a line
        if action.nargs == 0:
            if value not in _ON | _OFF:
                parser.error(f"{variable} is true or false")
            yield from [flag] if value in _ON else []
        elif isinstance(action.default, list):
            yield from (f"{flag}={each}" for each in _listed(value))
        elif value:
            yield f"{flag}={value}"


def _listed(value: str) -> list[str]:
    """GitLab writes an input of type array as JSON."""
    try:
        found = json.loads(value) if value.lstrip().startswith("[") else None
    except ValueError:
        found = None
    if isinstance(found, list):
        return [str(each) for each in found if str(each)]
    return [line.strip() for line in value.splitlines() if line.strip()]
