"""The stages of a Containerfile: what each is FROM, as it is written and as it is meant, and the ARGs before them.

As buildkit reads them (moby/buildkit v0.34.2, frontend/dockerfile/instructions/parse.go and dockerfile2llb/convert.go).
Which stage is FROM the base is decided in containerfile_choice.py; COPY --from and RUN --mount=from are no stages.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from layering.containerfile_text import ContainerfileText, Instruction, Word, read_text
from layering.containerfile_words import word_spans
from layering.errors import InputError
from layering.expansion import expand


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """One FROM. `base` is the word as it stands; `base_expanded` what it means with the global ARGs.

    `name` is lower-case; `platform` is the flag's value as it stands; `line` is that of the FROM, `base.line` its own.
    """

    name: str | None
    base: Word
    base_expanded: str
    platform: str | None
    line: int
    instructions: tuple[Instruction, ...] = field(default=(), repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class GlobalArg:
    """One name of an ARG before the first FROM.

    `value` is its default with its quotes, `default` the place of the default without them; None without a default.
    """

    name: str
    value: str | None
    default: Word | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Containerfile:
    """Stages in order, and the ARGs before them."""

    escape: str
    global_args: tuple[GlobalArg, ...]
    stages: tuple[Stage, ...]


def parse(text: str, build_args: Mapping[str, str] | None = None, where: str = "Containerfile") -> Containerfile:
    """Read stages and global ARGs. Raises InputError when there is no FROM, or one that cannot be read."""
    read = read_text(text, where)
    first = next((n for n, i in enumerate(read.instructions) if i.keyword == "FROM"), None)
    if first is None:
        raise InputError("there is no FROM in it", where=where, next_step="a Containerfile begins with FROM <base>")
    args = [arg for i in read.instructions[:first] if i.keyword == "ARG" for arg in _global_args(i, read.escape)]
    values = _values(args, build_args or {}, read.escape, where)
    return Containerfile(escape=read.escape, global_args=tuple(args), stages=tuple(_stages(read, first, values, where)))


def _global_args(instruction: Instruction, escape: str) -> Iterable[GlobalArg]:
    for start, end in word_spans(instruction.arguments, escape):
        name, equals, value = instruction.arguments[start:end].partition("=")
        if not equals:
            yield GlobalArg(name=name, value=None, default=None)
            continue
        quoted = len(value) > 1 and value[0] in "\"'" and value[-1] == value[0]
        default = instruction.word(start + len(name) + 1 + quoted, end - quoted)
        yield GlobalArg(name=name, value=value, default=default)


def _values(args: Sequence[GlobalArg], given: Mapping[str, str], escape: str, where: str) -> Mapping[str, str]:
    """The value of each global ARG that has one, in their order; a build argument wins over a default."""
    values: dict[str, str] = {}
    for arg in args:
        if arg.name in given:
            values[arg.name] = given[arg.name]
        elif arg.value is not None and arg.default is not None:
            values[arg.name] = _expanded(arg.value, values, escape, f"{where}, line {arg.default.line}")
    return values


def _stages(read: ContainerfileText, first: int, values: Mapping[str, str], where: str) -> Iterable[Stage]:
    starts = [n for n, i in enumerate(read.instructions) if i.keyword == "FROM" and n >= first]
    for start, end in zip(starts, [*starts[1:], len(read.instructions)], strict=True):
        yield _stage(read.instructions[start], read.instructions[start + 1 : end], values, read.escape, where)


def _stage(
    instruction: Instruction, following: tuple[Instruction, ...], values: Mapping[str, str], escape: str, where: str
) -> Stage:
    words = instruction.blank_separated()
    named = len(words) == 3 and words[1].text.lower() == "as"
    if len(words) != 1 and not named:
        raise InputError("a FROM is FROM <image> [AS <name>]", where=f"{where}, line {instruction.line}")
    platforms = [flag.partition("=")[2] for flag in instruction.flags if flag.startswith("--platform=")]
    return Stage(
        name=words[2].text.lower() if named else None,
        base=words[0],
        base_expanded=_expanded(words[0].text, values, escape, f"{where}, line {words[0].line}"),
        platform=platforms[0] if platforms else None,
        line=instruction.line,
        instructions=following,
    )


def _expanded(word: str, values: Mapping[str, str], escape: str, where: str) -> str:
    try:
        return expand(word, values, escape)
    except InputError as error:
        raise InputError(error.what, where=where, next_step="mend the variables and quotes in it") from None
