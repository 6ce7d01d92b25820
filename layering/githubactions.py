"""What a command says to the runner of GitHub Actions: annotations, its outputs, its part of the job's summary.

The only module that knows the runner's files and commands (docs.github.com, "Workflow commands for GitHub Actions").
Texts come without secrets. It decides nothing, and never makes a command fail that did its work, or fail otherwise.
"""

import contextlib
import json
import os
import re
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from layering.errors import InputError

Level = Literal["error", "warning", "notice"]
SUMMARY_BYTES_MAX = 1024 * 1024  # of one step; a larger one is not shown at all
_CUT = "\n\n(cut: a summary has room for 1 MiB)\n"
# Both forms that the runner obeys: actions/runner, src/Runner.Common/ActionCommand.cs. To it, \r ends a line, too.
_COMMAND = re.compile(r"(?:^|(?<=\r))([^\S\n]*):(?=:)|#(?=#\[)", re.MULTILINE)


def is_runner() -> bool:
    """Whether we run in a step of GitHub Actions (or of what behaves like it: Gitea, Forgejo, act)."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def annotate(level: Level, title: str, message: str) -> None:
    """One annotation, on stderr. Nothing outside a runner."""
    if is_runner():
        properties = f"title={_escaped(title).replace(':', '%3A').replace(',', '%2C')}"
        write_note(f"::{level} {properties}::{_escaped(message)}")


def failed(command: str, why: str) -> None:
    """A command failed: one annotation, and a section of the summary that says the same."""
    annotate("error", command, why)
    summarize(f"### {command} failed\n\n{_verbatim(why)}")


def harmless(text: str) -> str:
    """`text` for the log: what a build or a server says there gives the runner no commands."""
    return _COMMAND.sub(lambda match: (match[1] or "") + match[0].strip() + " ", text) if is_runner() else text


def harmless_json(text: str) -> str:
    """The same of JSON, which stays the same value: `##[` stands in strings only, and no line begins with `::`."""
    return text.replace("##[", r"#\u0023[") if is_runner() else text


def summarize(section: str) -> None:
    """Append Markdown to the step's summary, as much as there is room for. Nothing outside a runner."""
    file = os.environ.get("GITHUB_STEP_SUMMARY")
    if not file or not is_runner():
        return
    try:
        with Path(file).open("ab") as stream:
            stream.write(_within(section.rstrip("\n") + "\n\n", SUMMARY_BYTES_MAX - stream.tell()))
    except OSError as error:
        write_note(f"the summary of the job cannot be written: {error.strerror}")


def append_output(document: Mapping[str, Any], file: Path) -> None:
    """`key=value` lines, or the delimiter form when a value has several lines. Raises InputError."""
    lines = []
    for key, value in document.items():
        text = as_text(value)
        if "\n" in text or "\r" in text:
            delimiter = f"end-of-{key}-{secrets.token_hex(8)}"
            lines.append(f"{key}<<{delimiter}\n{text}\n{delimiter}\n")
        else:
            lines.append(f"{key}={text}\n")
    try:
        with file.open("a", encoding="utf-8") as stream:
            stream.write("".join(lines))
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error.strerror}", where="$GITHUB_OUTPUT") from None


def output(document: Mapping[str, Any]) -> None:
    """The step's outputs, where the runner names a file for them. Raises InputError."""
    if file := os.environ.get("GITHUB_OUTPUT"):
        append_output(document, Path(file))


def as_text(value: Any) -> str:
    """One output: text as it is, everything else as compact JSON."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def write_note(line: str) -> None:
    """On stderr, as long as somebody reads it: no work is left undone for a note."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            print(line, file=sys.stderr, flush=True)


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _verbatim(text: str) -> str:
    """A code block: no text can end it early."""
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", text))])
    return f"{fence}text\n{text}\n{fence}"


def _within(text: str, room: int) -> bytes:
    data = text.encode()
    if len(data) <= room:
        return data
    kept = data[: max(0, room - len(_CUT.encode()))].rpartition(b"\n")[0]
    return kept + _CUT.encode() if kept else b""
