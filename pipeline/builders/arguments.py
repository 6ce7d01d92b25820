"""Flags, lists and paths in the arguments of a Containerfile instruction, as imagebuilder and buildah read them."""

import json
import posixpath
import re
from collections.abc import Sequence

from layering.containerfile_text import Instruction
from pipeline.builders.refusal import RefusalReason, Refused

_OWNER = re.compile(r"(?P<uid>[0-9]{1,7})(?::(?P<gid>[0-9]{0,7}))?")
_MODE = re.compile(r"0?[0-7]{1,4}")


def copy_flags(flags: Sequence[str]) -> tuple[tuple[int, int] | None, int | None]:
    """Owner and mode that COPY or ADD gives; None when not. Raises Refused for a name, and for any other flag."""
    owner: tuple[int, int] | None = None
    mode = None
    for flag in flags:
        name, _, value = flag.partition("=")
        if name == "--chown":
            numeric = numeric_owner(value)
            if numeric is None:
                raise Refused(RefusalReason.OWNER_BY_NAME, f"{flag} is not UID[:GID] in digits")
            owner = numeric
        elif name == "--chmod" and _MODE.fullmatch(value):
            mode = int(value, 8)
        else:
            raise Refused(RefusalReason.FLAG_NOT_COMPOSABLE, flag)
    return owner, mode


def stage_copied_from(instruction: Instruction) -> str:
    """What `--from` of a COPY says; empty without one. Raises Refused for one that is not said plainly."""
    said = [flag.partition("=")[2] for flag in instruction.flags if flag.startswith("--from=")]
    if instruction.keyword != "COPY" or not said:
        return ""
    if len(said) > 1 or not re.fullmatch(r"[a-z0-9][a-z0-9_.-]*", said[0]):
        raise Refused(RefusalReason.FLAG_NOT_COMPOSABLE, f"--from={said[0][:80]} is no plain name of a stage")
    return said[0]


def numeric_owner(text: str) -> tuple[int, int] | None:
    """`UID[:GID]`; the group is the user's number when it is not given (add.go, `userForCopy`)."""
    match = _OWNER.fullmatch(text)
    return (int(match["uid"]), int(match["gid"] or match["uid"])) if match else None


def absolute(destination: str, working_directory: str) -> str:
    """imagebuilder internals.go, `makeAbsolute`."""
    if destination == ".":
        destination = f"{working_directory.rstrip('/')}/"
    if destination.startswith("/"):
        return destination
    path = "/" + posixpath.normpath(f"/{working_directory}/{destination}").lstrip("/")
    return path + "/" * destination.endswith("/")


def json_words(text: str) -> list[str] | None:
    """The strings of a JSON list; None for what is no JSON. Raises Refused for what readers disagree on."""
    if not text.startswith("["):
        return None
    try:
        words, end = json.JSONDecoder().raw_decode(text)
    except ValueError:
        return None
    if text[end:].strip() or not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise Refused(RefusalReason.ARGUMENTS_NOT_COMPOSABLE, "it starts like a JSON list and is none")
    return words


def argv(instruction: Instruction) -> list[str]:
    """The exec form, or the shell form under `/bin/sh -c` (buildah drops SHELL when it writes the OCI form)."""
    words = json_words(instruction.arguments)
    if words is not None:
        return words
    if not instruction.arguments or "\n" in instruction.arguments:
        raise Refused(RefusalReason.ARGUMENTS_NOT_COMPOSABLE, f"{instruction.keyword} is empty")
    return ["/bin/sh", "-c", instruction.arguments]
