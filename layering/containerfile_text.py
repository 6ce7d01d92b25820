"""A Containerfile as instructions whose every character still knows where it stands in the file.

The line rules are those of buildkit (moby/buildkit v0.34.2, frontend/dockerfile/parser): parser directives, comments
also within continuations, empty continuation lines, the escape character, flags, heredocs of ADD, COPY and RUN. Nothing
is expanded or validated here; containerfile_stages.py reads the stages, and the builders the rest.

For readers of instructions: `read_text(text).instructions` is all of them in order, ARGs before the first FROM
included. `keyword` is upper-case, `flags` are without quotes, `arguments` is one line as written (a JSON form too), and
`heredocs` says whether text of the file follows that is no instruction.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from layering.containerfile_words import blank_separated_spans, heredocs_of, split_line, word_spans
from layering.errors import InputError
from layering.expansion import SPACES

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_DIRECTIVE = re.compile(r"([A-Za-z][A-Za-z0-9]*)[ \t\f\r]*=[ \t\f\r]*(.+?)[ \t\f\r]*")
_DIRECTIVES = {"syntax", "escape", "check"}
_LENGTH_MAX = 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """A piece of an instruction. `start` and `end` are offsets in the file; `line` is that of its first character.

    `text` has no continuations in it, so it may be shorter than what stands between the two offsets.
    """

    text: str
    start: int
    end: int
    line: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Instruction:
    """One instruction. `keyword` is upper-case; `flags` are the leading `--name[=value]`; `arguments` what follows.

    `arguments` has its continuations joined; `offsets` and `lines` say of each of its characters where it stands.
    `heredocs` are the names of the heredocs whose lines follow it.
    """

    keyword: str
    flags: tuple[str, ...]
    arguments: str
    line: int
    heredocs: tuple[str, ...] = ()
    offsets: tuple[int, ...] = field(default=(), repr=False)
    lines: tuple[int, ...] = field(default=(), repr=False)

    def words(self, escape: str) -> tuple[Word, ...]:
        """The arguments, split at blanks that are neither quoted nor escaped (as ARG, ENV and LABEL are)."""
        return tuple(self.word(start, end) for start, end in word_spans(self.arguments, escape))

    def blank_separated(self) -> tuple[Word, ...]:
        """The arguments, split at every blank (as FROM is)."""
        return tuple(self.word(start, end) for start, end in blank_separated_spans(self.arguments))

    def word(self, start: int, end: int) -> Word:
        """The characters of `arguments` from `start` to before `end`, which may be none at its end."""
        first = self.offsets[start] if start < len(self.offsets) else self.offsets[-1] + 1
        return Word(
            text=self.arguments[start:end],
            start=first,
            end=self.offsets[end - 1] + 1 if end > start else first,
            line=self.lines[min(start, len(self.lines) - 1)],
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class ContainerfileText:
    """All instructions in order, and the escape character (a backslash, or a backtick by directive)."""

    escape: str
    instructions: tuple[Instruction, ...]


@dataclass(slots=True)
class _Logical:
    """The characters of one logical line with their offsets and line numbers."""

    parts: list[str] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)

    def add(self, part: str, offset: int, line: int) -> None:
        self.parts.append(part)
        self.offsets.extend(range(offset, offset + len(part)))
        self.lines.extend([line] * len(part))


@dataclass(frozen=True, slots=True)
class _Line:
    """One physical line without its line end."""

    text: str
    offset: int
    number: int

    @property
    def is_comment(self) -> bool:
        return self.text.lstrip(SPACES).startswith("#")

    @property
    def is_blank(self) -> bool:
        return not self.text.strip(SPACES)


def read_text(text: str, where: str = "") -> ContainerfileText:
    """Read a Containerfile. Raises InputError: a faulty directive, an unfinished heredoc, over 1 Mi characters."""
    if len(text) > _LENGTH_MAX:
        raise InputError(f"larger than {_LENGTH_MAX} characters", where=where)
    lines = list(_physical_lines(text))
    escape = _escape(lines, where)
    return ContainerfileText(escape=escape, instructions=tuple(_instructions(iter(lines), escape, where)))


def _physical_lines(text: str) -> Iterator[_Line]:
    for number, match in enumerate(_LINE.finditer(text), start=1):
        line, offset = match.group().rstrip("\r\n"), match.start()
        if number == 1 and line.startswith("\ufeff"):
            line, offset = line[1:], offset + 1
        yield _Line(line, offset, number)


def _escape(lines: list[_Line], where: str) -> str:
    """The escape directive; directives stand before everything else, comments included (parser/directives.go)."""
    directives: dict[str, str] = {}
    for line in lines:
        comment = line.text.lstrip(SPACES)
        match = _DIRECTIVE.fullmatch(comment[1:].lstrip(SPACES)) if comment.startswith("#") else None
        if match is None or match[1].lower() not in _DIRECTIVES:
            break
        name = match[1].lower()
        if name in directives:
            raise InputError(f"a second {name} directive", where=_at(where, line.number))
        directives[name] = match[2]
        if name == "escape" and match[2] not in ("\\", "`"):
            raise InputError("the escape character is \\ or `", where=_at(where, line.number))
    return directives.get("escape", "\\")


def _instructions(lines: Iterator[_Line], escape: str, where: str) -> Iterator[Instruction]:
    mark = re.escape(escape)
    continued = re.compile(rf"(?:[^{mark}]|^){mark}[ \t]*$")
    for line in lines:
        if line.is_comment or line.is_blank:
            continue
        logical = _Logical()
        indent = len(line.text) - len(line.text.lstrip(SPACES))
        part, last = _cut(line.text[indent:], continued, escape)
        logical.add(part, line.offset + indent, line.number)
        while not last and (following := next(lines, None)) is not None:
            if following.is_comment or following.is_blank:
                continue
            part, last = _cut(following.text, continued, escape)
            logical.add(part, following.offset, following.number)
        text, heredocs = "".join(logical.parts), []
        for name, strip_tabs in heredocs_of(text, escape, _at(where, line.number)):
            _skip_heredoc(lines, name, strip_tabs=strip_tabs, where=_at(where, line.number))
            heredocs.append(name)
        yield _instruction(text, logical, line.number, escape, tuple(heredocs))


def _cut(text: str, continued: re.Pattern[str], escape: str) -> tuple[str, bool]:
    """A line without its continuation mark, and whether it was the last."""
    if not continued.search(text):
        return text, True
    return text[: text.rindex(escape)], False


def _instruction(text: str, logical: _Logical, number: int, escape: str, heredocs: tuple[str, ...]) -> Instruction:
    keyword, flags, start, end = split_line(text, escape)
    return Instruction(
        keyword=keyword,
        flags=flags,
        arguments=text[start:end],
        line=number,
        heredocs=heredocs,
        offsets=tuple(logical.offsets[start:end]),
        lines=tuple(logical.lines[start:end]),
    )


def _skip_heredoc(lines: Iterator[_Line], name: str, *, strip_tabs: bool, where: str) -> None:
    for line in lines:
        if (line.text.lstrip("\t") if strip_tabs else line.text) == name:
            return
    raise InputError(f"the heredoc <<{name} is not finished", where=where, next_step=f"end it with a line {name}")


def _at(where: str, line: int) -> str:
    return f"{where}, line {line}" if where else f"line {line}"
