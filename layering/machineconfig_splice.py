"""The one span of a text to replace, and the proof that nothing else changed.

A splice says two things that are made independently: which characters to replace, and which parser events must differ
afterwards. The text is given back only if a parser sees exactly that. This module does not choose what to edit.
"""

import re
from dataclasses import dataclass

from layering.errors import InputError, LayerwatchError
from layering.machineconfig_embedded import Embedding
from layering.machineconfig_nodes import (
    NULL_TAG,
    STRING_TAG,
    Alias,
    Mapping,
    Scalar,
    Signature,
    Tree,
    place,
)
from layering.machineconfig_parse import Parsed, parse

_LINE_END = re.compile(r"[\r\n\x85\u2028\u2029]|\Z")
_LINE_BREAK = re.compile(r"\r\n|\n|\r")
_ONLY_COLON = re.compile(r"[ \t]*:[ \t]*(?:(?<=[ \t])#.*)?")
_ONLY_COMMENT = re.compile(r"[ \t]*(?:(?<=[ \t])#.*)?")
_BLOCK_HEADER = re.compile(r"([|>])[+-]?([1-9]?)[+-]?")
_BLANK = re.compile(r"[ \t\r\n]*")
_MAPPING_START: Signature = ("MappingStartEvent", None, None)
_MAPPING_END: Signature = ("MappingEndEvent",)


@dataclass(frozen=True, kw_only=True, slots=True)
class Splice:
    """Replace `start` to `end` by `text`; from event `event` on, `removed` events give way to `added`."""

    start: int
    end: int
    text: str
    event: int
    removed: int
    added: tuple[Signature, ...]


def apply(parsed: Parsed, splice: Splice) -> str:
    """The text with the splice made. Raises LayerwatchError, a defect, when a parser sees any other difference."""
    text = parsed.text[: splice.start] + splice.text + parsed.text[splice.end :]
    before = parsed.signatures
    expected = before[: splice.event] + splice.added + before[splice.event + splice.removed :]
    try:
        seen = parse(text).signatures
    except InputError:
        seen = ()
    if seen != expected:
        raise LayerwatchError(
            "the edit would have changed more than osImageURL; nothing was written",
            next_step="set osImageURL by hand, and report how the file is written there",
        )
    return text


def outward(embedding: Embedding, inner: Parsed, splice: Splice, where: str) -> Splice:
    """The same splice in the text around. Raises InputError when the inner text cannot be mapped line by line."""
    scalar, lines = embedding.scalar, embedding.lines
    if lines is None:
        raise InputError(
            "this text in a ConfigMap is not written as a literal block",
            where=place(where, scalar.line, scalar.column),
            next_step="write it as `config: |` and one indented line for each line",
        )
    return Splice(
        start=lines.outward(splice.start),
        end=lines.outward(splice.end),
        text=lines.indented(splice.text),
        event=scalar.event,
        removed=1,
        added=(("scalar", scalar.anchor, scalar.tag, apply(inner, splice)),),
    )


def replace_scalar(text: str, key: Scalar, scalar: Scalar, value: str, where: str) -> Splice:
    """Another text for a scalar, in the quotes it has. Raises InputError for forms that cannot hold it."""
    if scalar.explicit_tag not in (None, "!", STRING_TAG):
        raise _refused(scalar, where, f"carries the tag {scalar.explicit_tag[:80]!r}", "remove the tag")
    added = (("scalar", scalar.anchor, STRING_TAG, value),)
    if scalar.style in ("|", ">"):
        start, end, written = _in_block(text, scalar, value, where)
    else:
        start, end = scalar.start, scalar.end
        written = _spaced(text, scalar, _written(value, _quote(key, scalar)), where)
    return Splice(start=start, end=end, text=written, event=scalar.event, removed=1, added=added)


def fill_null(text: str, key: Scalar, scalar: Scalar, name: str, value: str, where: str) -> Splice:
    """A mapping `{name: value}` where nothing stands. Raises InputError for a null with a tag."""
    if scalar.explicit_tag is not None:
        raise _refused(scalar, where, f"carries the tag {scalar.explicit_tag[:80]!r}", "remove the tag")
    written = _spaced(text, scalar, _flow_mapping(key.style, name, value), where)
    added = (("MappingStartEvent", scalar.anchor, None), *_entry_events(name, value), _MAPPING_END)
    return Splice(start=scalar.start, end=scalar.end, text=written, event=scalar.event, removed=1, added=added)


def add_first(text: str, key: Scalar, mapping: Mapping, name: str, value: str, where: str) -> Splice:
    """A new first entry of the mapping under `key`, on its own line unless the mapping is in braces."""
    added = _entry_events(name, value)
    if mapping.flow:
        quote = _first_style(mapping, key.style)
        return _in_braces(text, mapping, f"{_written(name, quote)}: {_written(value, quote)}", added, where)
    newline, indent = _newline(text), " " * mapping.opening_column
    line_end = _line_end(text, key.end)
    if mapping.plain_start and line_end < mapping.opening and _ONLY_COLON.fullmatch(text, key.end, line_end):
        at, written = line_end, f"{newline}{indent}{name}: {_written(value, '')}"
    else:
        at, written = mapping.opening, f"{name}: {_written(value, '')}{newline}{indent}"
    return Splice(start=at, end=at, text=written, event=mapping.event + 1, removed=0, added=added)


def add_nested(text: str, mapping: Mapping, outer: str, name: str, value: str, where: str) -> Splice:
    """A new entry `outer: {name: value}`: at the end of a block mapping, as the first in braces.

    Raises InputError when the last entry's end is not clear, as after a block scalar.
    """
    added = (("scalar", None, STRING_TAG, outer), _MAPPING_START, *_entry_events(name, value), _MAPPING_END)
    if mapping.flow:
        quote = _first_style(mapping, "")
        entry = f"{_written(outer, quote)}: {_flow_mapping(quote, name, value)}"
        return _in_braces(text, mapping, entry, added, where)
    end = _text_end(mapping)
    line_end = _line_end(text, end) if end is not None else 0
    if end is None or not _ONLY_COMMENT.fullmatch(text, end, line_end):
        raise _refused(mapping, where, f"has no `{outer}`", f"write `{outer}: {{}}` into it")
    newline, indent = _newline(text), " " * mapping.opening_column
    written = f"{newline}{indent}{outer}:{newline}{indent}  {name}: {_written(value, '')}"
    event = mapping.extent.event
    return Splice(start=line_end, end=line_end, text=written, event=event, removed=0, added=added)


def _in_braces(text: str, mapping: Mapping, entry: str, added: tuple[Signature, ...], where: str) -> Splice:
    """A first entry right after the brace, followed by the same blanks as the one that was first."""
    at = mapping.opening
    if text[at - 1] != "{":
        raise _refused(mapping, where, "is written without braces in a list", "write it as a mapping of its own")
    blank = _BLANK.match(text, at)
    lead = blank[0] if blank and mapping.entries else ""
    tail = ("," if lead else ", ") if mapping.entries else ""
    return Splice(start=at, end=at, text=f"{lead}{entry}{tail}", event=mapping.event + 1, removed=0, added=added)


def _in_block(text: str, scalar: Scalar, value: str, where: str) -> tuple[int, int, str]:
    """The span of a block scalar of one line, and that span with the new value and no line break at its end."""
    line = scalar.text.rstrip("\n")
    header = _BLOCK_HEADER.match(text, scalar.start)
    body = _LINE_BREAK.search(text, scalar.start)
    if header and body and line.strip() and "\n" not in line:
        end = _line_end(text, body.end())
        start = end - len(line)
        if text[start:end] == line and not text[body.end() : start].strip(" "):
            head = f"{header[1]}{header[2]}-{text[header.end() : start]}"
            return scalar.start, end, head + value
    raise _refused(scalar, where, "is a block scalar of several lines or none", "write it on one line, without | or >")


def _spaced(text: str, scalar: Scalar, written: str, where: str) -> str:
    """What is written where nothing stood needs a space before it, and a colon before that."""
    if scalar.start != scalar.end:
        return written
    bare = scalar.anchor is None and scalar.explicit_tag is None
    if bare and text[scalar.start - 1 : scalar.start] != ":":
        raise _refused(scalar, where, "has a key without a colon", "write the colon after the key")
    return f" {written}"


def _quote(key: Scalar, scalar: Scalar) -> str:
    """The quotes the value has; one that is no text takes its key's, so that JSON stays JSON."""
    return key.style if not scalar.style and scalar.tag != STRING_TAG else scalar.style


def _first_style(mapping: Mapping, otherwise: str) -> str:
    first = mapping.entries[0][0] if mapping.entries else None
    return first.style if isinstance(first, Scalar) else otherwise


def _written(text: str, quote: str) -> str:
    """A name or pull spec, which holds neither quotes nor backslashes; `[::1]/x` cannot be plain."""
    if quote not in ("'", '"'):
        quote = "" if text[:1].isalnum() else '"'
    return f"{quote}{text}{quote}"


def _flow_mapping(quote: str, name: str, value: str) -> str:
    return f"{{{_written(name, quote)}: {_written(value, quote)}}}"


def _entry_events(name: str, value: str) -> tuple[Signature, ...]:
    return (("scalar", None, STRING_TAG, name), ("scalar", None, STRING_TAG, value))


def _text_end(node: Tree) -> int | None:
    """Where the text of a node ends; None when that is not clear."""
    while True:
        if isinstance(node, Scalar):
            return None if node.style in ("|", ">") else node.end
        if isinstance(node, Alias):
            return node.end
        if node.extent.end is not None:
            return node.extent.end
        node = node.entries[-1][1] if isinstance(node, Mapping) else node.items[-1]


def _line_end(text: str, index: int) -> int:
    match = _LINE_END.search(text, index)
    return match.start() if match else len(text)


def _newline(text: str) -> str:
    match = _LINE_BREAK.search(text)
    return match[0] if match else "\n"


def _refused(node: Tree, where: str, what: str, next_step: str) -> InputError:
    kind = "the value" if isinstance(node, Scalar) and node.tag != NULL_TAG else "the MachineConfig"
    return InputError(f"{kind} {what}", where=place(where, node.line, node.column), next_step=next_step)
