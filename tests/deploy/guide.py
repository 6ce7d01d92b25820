"""docs/install.md as something to follow: its files and its commands, in order."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.deploy.files import ROOT

_BLOCK = re.compile(r"^```(?P<kind>sh|yaml)\n(?P<text>.*?)^```\n\n?(?P<after>.*)", re.DOTALL | re.MULTILINE)
_EXIT_CODES = re.compile(r"Exit code (\d+(?: or \d+)*):")


@dataclass(frozen=True, kw_only=True)
class WriteFile:
    """A block whose first line is a comment with the file's name."""

    name: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Commands:
    """A block of shell. `codes` are what the page says it may exit with."""

    text: str
    codes: frozenset[int]


def steps() -> Iterator[WriteFile | Commands]:
    """What a reader does. Not the `console` blocks: test_image.py and test_outside.py have their commands."""
    rest = (ROOT / "docs/install.md").read_text()
    while block := _BLOCK.search(rest):
        rest = block["after"]
        if block["kind"] == "yaml":
            yield WriteFile(name=block["text"].splitlines()[0].removeprefix("# "), text=block["text"])
        else:
            told = _EXIT_CODES.match(rest)
            codes = told[1].split(" or ") if told else ["0"]
            yield Commands(text=block["text"], codes=frozenset(map(int, codes)))
