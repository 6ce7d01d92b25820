"""Documents that nearly are what a parser takes: bytes of one changed, its structure changed, or made of its words."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from hypothesis import strategies as st

from tests.parsers.table import Parser

_COMMON = (b"\0", b"\xff", b"\n", b" ", b'"', b"9" * 40, b"\xf0\x9f\x92\xbf", b"\xc3", b"\x7f", b"\x1b[2J", b"-1")
_CHANGES = st.integers(0, 3)
_LENGTHS = st.sampled_from([0, 0, 1, 2, 8, 100, 1 << 20])
_HOW = st.sampled_from(["word", "word", "word", "take out", "repeat", "other"])
_TIMES = st.sampled_from([1, 1, 2, 60])
_DEPTHS = st.sampled_from([1, 40, 2000])
_DEEP = "deep"
_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.integers(2**60, 2**70)
_KEYS = st.sampled_from(["a", "", "digest", "Digest", "size", "kind", "name", "items", "spec", "\u017fize"])
_JUNK = _LEAVES | st.lists(_LEAVES, max_size=2) | st.dictionaries(_KEYS, _LEAVES, max_size=2)


@cache
def documents(parser: Parser) -> st.SearchStrategy[bytes]:
    """All three kinds, and bytes of no kind. To make it takes as long as to draw from it."""
    words = st.sampled_from([*parser.words, *_COMMON])
    seeds = st.sampled_from(parser.seeds)
    trees = [tree for seed in parser.seeds if isinstance(tree := _tree(seed), dict | list)]
    kinds = [_mutated(seeds, words), _mutated(seeds, words), st.lists(words, max_size=12).map(b"".join)]
    kinds += [_restructured(trees)] * 2 if trees else []
    return st.one_of(*kinds, st.binary(max_size=40))


@st.composite
def _mutated(draw: st.DrawFn, seeds: st.SearchStrategy[bytes], words: st.SearchStrategy[bytes]) -> bytes:
    """A valid document in which a few spans are taken out, put in, repeated, or replaced by another document's."""
    data = draw(seeds)
    for _ in range(draw(_CHANGES)):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(_LENGTHS))
        how = draw(_HOW)
        if how == "word":
            put = draw(words)
        else:
            put = data[start:end] * draw(_TIMES) if how == "repeat" else draw(seeds)[start:] if how == "other" else b""
        data = data[:start] + put + data[end:]
    return data


@st.composite
def _restructured(draw: st.DrawFn, trees: list[Any]) -> bytes:
    """A valid JSON document in which a value is another one, an entry is missing, called otherwise or said twice."""
    tree = json.loads(json.dumps(draw(st.sampled_from(trees))))
    holder, key = draw(st.sampled_from(list(_places(tree))))
    how = draw(st.sampled_from(["replace", "wrap", "take out", "rename", "deep", "twice"]))
    old = holder[key]
    if how == "replace" or how == "wrap":
        holder[key] = draw(_JUNK) if how == "replace" else [old, {"a": old}]
    elif how == "deep":
        holder[key] = _DEEP
    elif how == "take out" or isinstance(holder, list):
        del holder[key]
    elif how == "rename":
        holder[draw(_KEYS | st.just(str(key).swapcase()))] = holder.pop(key)
    text = json.dumps(tree, ensure_ascii=draw(st.booleans()))
    if how == "twice":
        text = text.replace(f"{json.dumps(key)}:", f"{json.dumps(key)}: null, {json.dumps(key)}:")
    deep = "[" * (depth := draw(_DEPTHS)) + "]" * depth
    return text.replace(json.dumps(_DEEP), deep).encode("utf-8", "surrogatepass")


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Each list or object with each of its keys."""
    if isinstance(tree, dict | list):
        for key in tree if isinstance(tree, dict) else range(len(tree)):
            yield tree, key
            yield from _places(tree[key])


def _tree(seed: bytes) -> Any:
    try:
        return json.loads(seed)
    except ValueError:
        return None
