"""Nothing that comes from outside can leave its code span or its table cell."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layering.markdown import code, folded, size, table, unfolded

SPANS = {
    "plain": ("rhel-coreos", "`rhel-coreos`"),
    "nothing": ("", "` `"),
    "spaces": ("  a  ", "`a`"),
    "a backtick": ("a`b", "``a`b``"),
    "only a backtick": ("`", "`` ` ``"),
    "backticks": ("```` `` `", "````` ```` `` ` `````"),
    "a bar": ("a|b", "`a¦b`"),
    "a mention": ("@team", "`@team`"),
    "an issue": ("see #1", "`see #1`"),
    "an issue to close, for who looks into spans": ("fixes: #1", "`fixes:\u00a0#1`"),
    "another": ("Closed group/x#1", "`Closed\u00a0group/x#1`"),
    "a link": ("[a](http://x)", "`[a](http://x)`"),
    "an image": ("![a](http://x)", "`![a](http://x)`"),
    "HTML": ("<script>alert(1)</script>", "`<script>alert(1)</script>`"),
    "a comment": ("<!-- layerwatch key=1 -->", "`<!-- layerwatch key=1 -->`"),
    "a marker": ("<!-- layerwatch:v1 e30= -->", "`<!- layerwatch:v1 e30= -->`"),
    "a backslash": ("a\\`b\\", "``a\\`b\\``"),
    "line breaks": ("a\r\n\r\n# b\n- c", "`a    # b - c`"),
    "other line breaks": ("a\u2028b\u0085c\vd", "`a b c d`"),
    "turned text": ("a\u202eb\u2066c", "`a b c`"),
    "an escape": ("\x1b[31mred\x07", "` [31mred`".replace("` ", "`")),
    "long": ("x" * 300, f"`{'x' * 199}…`"),
}


@pytest.mark.parametrize(("text", "span"), SPANS.values(), ids=SPANS)
def test_code(text: str, span: str) -> None:
    assert code(text) == span


@given(st.text(alphabet=st.one_of(st.sampled_from("`|\n\\ @<"), st.characters())))
def test_a_span_is_closed_only_by_its_own_fence(text: str) -> None:
    """CommonMark 0.31, code spans: it ends at the next run of backticks of the same length."""
    span = code(text)
    fence = re.match("`+", span)
    assert fence is not None
    runs = re.findall("`+", span)
    assert runs[0] == runs[-1] == fence[0]
    assert all(run != fence[0] for run in runs[1:-1])
    assert "|" not in span
    assert len(span.splitlines()) == 1


def test_table() -> None:
    assert (
        table(("A", "Long"), [("1", "2"), ("333", "")])
        == "| A   | Long |\n| --- | ---- |\n| 1   | 2    |\n| 333 |      |"
    )


def test_what_is_folded_is_read_without_html_too() -> None:
    text = f"before\n\n{folded('More of it', '- `<summary>x</summary>`')}\n\nafter\n"
    assert text.startswith("before\n\n<details>\n<summary>More of it</summary>\n\n- `")
    assert unfolded(text) == "before\n\nMore of it:\n\n- `<summary>x</summary>`\n\nafter\n"


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (9_940, "9.9 kB"), (12_345, "12 kB"), (1_500_000, "1.5 MB"),
     (999_900, "1.0 MB"), (2_000_000_000, "2.0 GB"), (5 * 10**12, "5000.0 GB")],
)  # fmt: skip
def test_size(count: int, text: str) -> None:
    assert size(count) == text
