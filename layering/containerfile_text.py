"""A Containerfile as instructions whose every character still knows where it stands in the file.

The line rules are those of buildkit (moby/buildkit, frontend/dockerfile/parser/parser.go): parser directives, comments
also within continuations, empty continuation lines, the escape character, heredocs of ADD, COPY and RUN. Nothing is
expanded or validated here; containerfile.py reads the stages, and the builders the rest.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from layering.errors import InputError

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_DIRECTIVE = re.compile(r"#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(\S.*?)\s*")
_DIRECTIVES = {"syntax", "escape", "check"}
_HEREDOC = re.compile(r"[0-9]*<<(-?)(?:\"([^\"<]+)\"|'([^'<]+)'|([^\"'<\s]+))")
_HEREDOC_KEYWORDS = {"ADD", "COPY", "RUN"}
_SPACES = " \t"
_BYTES_MAX = 4 * 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Heredoc:
    """`<<NAME`: its lines as they stand. `expand` is False when the name was quoted; `strip_tabs` is `<<-`."""

    name: str
    content: str
    expand: bool
    strip_tabs: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """A run of non-blank characters. `start` and `end` are offsets in the file; `line` is that of its first one."""

    text: str
    start: int
    end: int
    line: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Instruction:
    """One instruction. `keyword` is upper-case; `flags` are the leading `--name[=value]`; `arguments` what follows.

    `arguments` has its continuations joined; `offsets` has the offset in the file of each of its characters.
    """

    keyword: str
    flags: tuple[str, ...]
    arguments: str
    line: int
    heredocs: tuple[Heredoc, ...] = ()
    offsets: tuple[int, ...] = field(default=(), repr=False)
    lines: tuple[int, ...] = field(default=(), repr=False)

    def words(self, escape: str) -> tuple[Word, ...]:
        """The arguments, split at blanks that are neither quoted nor escaped."""
        return tuple(
            Word(
                text=self.arguments[start:end],
                start=self.offsets[start],
                end=self.offsets[end - 1] + 1,
                line=self.lines[start],
            )
            for start, end in _word_spans(self.arguments, escape)
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class ContainerfileText:
    """All instructions in order, and the escape character (a backslash, or a backtick by directive)."""

    escape: str
    instructions: tuple[Instruction, ...]


@dataclass(slots=True)
class _Logical:
    """The characters of one logical line with their offsets and line numbers."""

    text: list[str] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)

    def add(self, part: str, offset: int, line: int) -> None:
        self.text.append(part)
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
        return self.text.lstrip().startswith("#")


def read_text(text: str, where: str = "") -> ContainerfileText:
    """Read a Containerfile. Raises InputError for an unfinished heredoc and for more than 4 MiB."""
    if len(text) > _BYTES_MAX:
        raise InputError(f"larger than {_BYTES_MAX} characters", where=where)
    lines = list(_physical_lines(text))
    escape = _escape(lines)
    return ContainerfileText(escape=escape, instructions=tuple(_instructions(iter(lines), escape, where)))


def _physical_lines(text: str) -> Iterator[_Line]:
    for number, match in enumerate(_LINE.finditer(text), start=1):
        line, offset = match.group().rstrip("\r\n"), match.start()
        if number == 1 and line.startswith("\ufeff"):
            line, offset = line[1:], offset + 1
        yield _Line(line, offset, number)


def _escape(lines: list[_Line]) -> str:
    """The escape directive; directives stand before everything else, comments included."""
    for line in lines:
        match = _DIRECTIVE.fullmatch(line.text.strip())
        if match is None or match[1].lower() not in _DIRECTIVES:
            break
        if match[1].lower() == "escape" and match[2] in ("\\", "`"):
            return match[2]
    return "\\"


def _instructions(lines: Iterator[_Line], escape: str, where: str) -> Iterator[Instruction]:
    continued = re.compile(rf"(?:[^{re.escape(escape)}]|^){re.escape(escape)}[ \t]*$")
    for line in lines:
        if line.is_comment or not line.text.strip():
            continue
        logical = _Logical()
        indent = len(line.text) - len(line.text.lstrip())
        part, last = _cut(line.text[indent:], continued, escape)
        logical.add(part, line.offset + indent, line.number)
        while not last and (following := next(lines, None)) is not None:
            if following.is_comment or not following.text.strip():
                continue
            part, last = _cut(following.text, continued, escape)
            logical.add(part, following.offset, following.number)
        instruction = _instruction(logical, line.number)
        if instruction is not None:
            yield _with_heredocs(instruction, lines, escape, where)


def _cut(text: str, continued: re.Pattern[str], escape: str) -> tuple[str, bool]:
    """A line without its continuation mark, and whether it was the last."""
    if not continued.search(text):
        return text, True
    return text[: text.rindex(escape)], False


def _instruction(logical: _Logical, number: int) -> Instruction | None:
    text = "".join(logical.text)
    if not text.strip():
        return None
    position = len(text) - len(text.lstrip())
    spans = list(_blank_separated(text, position))
    keyword = text[slice(*spans[0])].upper()
    flags = []
    rest = spans[1:]
    while rest and text[slice(*rest[0])].startswith("--"):
        flags.append(text[slice(*rest.pop(0))])
    start = rest[0][0] if rest else len(text)
    end = len(text.rstrip())
    return Instruction(
        keyword=keyword,
        flags=tuple(flags),
        arguments=text[start:end],
        line=number,
        offsets=tuple(logical.offsets[start:end]),
        lines=tuple(logical.lines[start:end]),
    )


def _blank_separated(text: str, position: int) -> Iterator[tuple[int, int]]:
    for match in re.compile(r"\S+").finditer(text, position):
        yield match.span()


def _with_heredocs(instruction: Instruction, lines: Iterator[_Line], escape: str, where: str) -> Instruction:
    keyword, arguments = instruction.keyword, instruction.arguments
    if keyword == "ONBUILD":
        keyword, _, arguments = arguments.partition(" ")
    if keyword.upper() not in _HEREDOC_KEYWORDS:
        return instruction
    words = [arguments[start:end] for start, end in _word_spans(arguments, escape)]
    heredocs = []
    for match in filter(None, map(_HEREDOC.fullmatch, words)):
        name = match[2] or match[3] or match[4]
        content = _heredoc_content(lines, name, strip_tabs=bool(match[1]))
        if content is None:
            raise InputError(
                f"the heredoc <<{name} is not finished", where=f"{where}, line {instruction.line}".lstrip(", ")
            )
        heredocs.append(Heredoc(name=name, content=content, expand=match[4] is not None, strip_tabs=bool(match[1])))
    if not heredocs:
        return instruction
    return Instruction(
        keyword=instruction.keyword,
        flags=instruction.flags,
        arguments=instruction.arguments,
        line=instruction.line,
        heredocs=tuple(heredocs),
        offsets=instruction.offsets,
        lines=instruction.lines,
    )


def _heredoc_content(lines: Iterator[_Line], name: str, *, strip_tabs: bool) -> str | None:
    """The lines up to the one that is the name, or None when there is none."""
    content: list[str] = []
    for line in lines:
        text = line.text.lstrip("\t") if strip_tabs else line.text
        if text == name:
            return "".join(f"{kept}\n" for kept in content)
        content.append(text)
    return None


def _word_spans(text: str, escape: str) -> Iterator[tuple[int, int]]:
    """Start and end of each word; blanks within quotes or behind the escape character do not separate."""
    start, quote, position = None, "", 0
    while position < len(text):
        character = text[position]
        if start is None and character not in _SPACES:
            start = position
        if character == escape and quote != "'":
            position += 1
        elif quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in _SPACES and start is not None:
            yield start, position
            start = None
        position += 1
    if start is not None:
        yield start, len(text)
