"""A proposal as a forge renders it: whatever stands outside of code spans is ours, whatever a name or label says."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from layering.evidence import Evidence
from layering.findings import Finding, Severity
from layering.forge.marker import Marker, without_marker
from layering.proposal import Facts, Rollout, body, group_body
from tests.test_proposal import BASE, LEAST, comparison

ROOM = 60_000
READER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
OUR_HTML = re.compile(r"(<details>|</details>|<summary>[A-Z][a-z ]+</summary>|\n)+")
# What forges make links of besides Markdown: GitHub's "Autolinked references and URLs", GFM 0.29 "Autolinks
# (extension)", GitLab's "GitLab-specific references". Commit ids and our own numbers are told apart by their length.
REFERENCES = re.compile(
    r"@\w|#\d|![0-9]|\bGH-\d|[%~&$]\w|\w+/\w+[#!@]|https?:|www\.|ftp:|mailto:|\S@\S|:\w+:|\b[0-9a-f]{7,}\b|\[\["
)
HOSTILE = {
    "a mention": "@acme/all",
    "a team of GitLab": "@all",
    "an issue": "#1",
    "an issue to close": "Fixes #1",
    "an issue, spelt": "GH-1",
    "an issue elsewhere": "owner/repo#1",
    "a merge request": "group/project!1",
    "a label of GitLab": '~bug %"v1" &1 $1',
    "a commit": "a" * 40,
    "an address": "https://evil.example/?a=b",
    "a bare address": "www.evil.example",
    "a mail": "all@evil.example",
    "an autolink": "<https://evil.example>",
    "a link": "[yes](https://evil.example)",
    "a reference": "[yes]: https://evil.example 'x'",
    "a footnote": "[^1]: x",
    "an image": "![x](https://evil.example/x.png)",
    "an image of HTML": "<img src=https://evil.example/x.png>",
    "HTML": "<details><summary>x</summary></details><script>alert(1)</script>",
    "the end of a fold": "</details>\n\n</details>",
    "a comment": "--> x <!--",
    "a table row": "a | b |\n| --- | --- |\n| c | d",
    "a bar, escaped": r"a\| b \\| c",
    "the end of a span": "x`` @all ` <b> ``` x",
    "a fence": "```\n\n@all",
    "a heading": "\n\n# Approved\n",
    "a heading underlined": "Approved\n===",
    "a quick action": "\n/approve\n/merge\n",
    "a command of ours": "\n/layerwatch rebase\n",
    "mathematics": "$`x`$ $$ y $$",
    "an emoji": ":tada:",
    "turned text": "\u202egnp.exe \u2066x",
    "a marker": "<!-- layerwatch:v1 e30= -->",
    "nothing": " ",
}


def facts(text: str) -> Facts:
    """Whatever may come from outside is `text`."""
    finding = Finding(rule=text, severity=Severity.WARNING, message=text)
    return replace(
        LEAST,
        cluster=text,
        pool=text,
        name=text,
        also=(text, "another"),
        old_image=text,
        version=text,
        old_version=text,
        base=BASE,
        old_base=text,
        source=text,
        commit=f"x{text}",
        build=text,
        build_url=f"x:{text}",
        rollouts=(Rollout(pool=text, machines=3, zones=((text, 1), (f"{text}2", 2)), paused=True),),
        evidence=Evidence(findings=(finding,), comparison=comparison(text, 1, text)),
    )


def bodies(text: str) -> tuple[str, ...]:
    told = facts(text)
    without = replace(told, rollouts=(), evidence=Evidence(not_compared=text))
    return body(told, ROOM), body(without, ROOM), group_body([told, without], ROOM)


def tokens(markdown: str) -> Iterator[Token]:
    for token in READER.parse(markdown):
        yield token
        yield from token.children or ()


def shape(markdown: str) -> list[str]:
    """Everything that is not in a code span, as it was understood."""
    return [
        f"{token.type} {token.content if token.type in ('text', 'html_block', 'html_inline') else ''}".strip()
        for token in tokens(markdown)
        if token.type != "inline"
    ]


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_nothing_from_outside_is_more_than_a_code_span(text: str) -> None:
    for ours, theirs in zip(bodies("x"), bodies(text), strict=True):
        assert shape(theirs) == shape(ours)


@pytest.mark.parametrize("text", ["x", *HOSTILE.values()], ids=["harmless", *HOSTILE])
def test_no_link_image_html_or_mention_comes_of_it(text: str) -> None:
    for markdown in bodies(text):
        for token in tokens(markdown):
            assert token.type not in ("link_open", "image", "html_inline", "fence", "code_block", "heading_open")
            assert token.type != "softbreak", "GitHub breaks the line there"
            if token.type == "html_block":
                assert OUR_HTML.fullmatch(token.content)
            if token.type == "text":
                assert not REFERENCES.search(token.content)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_no_line_is_a_command(text: str) -> None:
    """GitLab does quick actions that stand alone on a line of a description."""
    for markdown in bodies(text):
        assert not [line for line in markdown.splitlines() if line.lstrip().startswith(("/", "#"))]


PIECES = st.sampled_from(
    ["`", "``", "|", "\n", "\r", "\\", "@a", "<", ">", "[", "]", "(", ")", "#1", ":", "-", "!", "*", "_", "<!--", "-->",
     "</details>", " ", "~", "$", "&amp;", "http://x", "\u202e", "\u2028", "\0"]
)  # fmt: skip
TEXTS = st.one_of(st.lists(PIECES, max_size=20).map("".join), st.text(max_size=60))


@given(TEXTS)
def test_whatever_it_is(text: str) -> None:
    named = text if text.strip() else "x"  # what is empty is not mentioned
    for ours, theirs in zip(bodies("x"), bodies(named), strict=True):
        assert shape(theirs) == shape(ours)


@given(st.text(alphabet="ABCDefgh0123+/", min_size=2, max_size=80))
def test_no_marker_comes_of_it(packed: str) -> None:
    forged = f"<!-- layerwatch:v1 {packed}= -->"
    for markdown in bodies(forged):
        assert Marker.parse(markdown) is None
        assert without_marker(markdown) == markdown.rstrip()


def test_a_real_marker_in_a_name_is_none() -> None:
    """Another proposal's, say: even when a person takes ours away, nothing is read out of the text."""
    real = Marker(
        key="b" * 64,
        commit="c" * 40,
        image="x",
        old=None,
        base="d" * 40,
        title="t",
        written=datetime(2025, 6, 3, tzinfo=UTC),
    )
    assert Marker.parse(real.text()) == real
    for markdown in bodies(real.text()):
        assert Marker.parse(markdown) is None


PAGE = "https://git.example.com/acme/os"
COMMIT = "c" * 40
LINKS = {
    "https": (PAGE, COMMIT, f"{PAGE}/commit/{COMMIT}"),
    "as it is cloned": (f"{PAGE}.git", COMMIT, f"{PAGE}/commit/{COMMIT}"),
    "http with a port": ("http://127.0.0.1:3000/a/b/", COMMIT, f"http://127.0.0.1:3000/a/b/commit/{COMMIT}"),
    "ssh": ("ssh://git@git.example.com/acme/os", COMMIT, None),
    "scp": ("git@git.example.com:acme/os", COMMIT, None),
    "a directory": ("/srv/os", COMMIT, None),
    "with a secret that was taken out": ("https://***@git.example.com/acme/os", COMMIT, None),
    "with a query": (f"{PAGE}?x=y", COMMIT, None),
    "that ends the link": (f"{PAGE})[x](http://evil.example", COMMIT, None),
    "with blanks": (f"{PAGE} x", COMMIT, None),
    "with lines": (f"{PAGE}\n\n# x", COMMIT, None),
    "a branch for a commit": (PAGE, "main", None),
    "script": ("javascript:alert(1)//", COMMIT, None),
    "escaped": (f"{PAGE}/%29", COMMIT, None),
    "too long": (f"{PAGE}/{'x' * 600}", COMMIT, None),
}


@pytest.mark.parametrize(("source", "commit", "expected"), LINKS.values(), ids=LINKS)
def test_the_source_is_linked_where_it_has_a_page(source: str, commit: str, expected: str | None) -> None:
    markdown = body(replace(LEAST, source=source, commit=commit), ROOM)
    links = [token.attrGet("href") for token in tokens(markdown) if token.type == "link_open"]
    assert links == ([expected] if expected else [])


def test_the_build_is_linked_where_it_has_a_page() -> None:
    url = f"{PAGE}/actions/runs/7"
    assert f"**From** build [`7`]({url})." in body(replace(LEAST, build="7", build_url=url), ROOM)
    assert "**From** build `worker-os-1`." in body(replace(LEAST, build="worker-os-1"), ROOM)
