"""WWW-Authenticate headers as they are seen in the wild, and as they should not be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layering.registry.challenge import parse_challenges

ROWS = [
    ("basic", ['Basic realm="x"'], [("basic", {"realm": "x"})]),
    ("bearer", ['Bearer realm="https://a/t",service="s"'], [("bearer", {"realm": "https://a/t", "service": "s"})]),
    ("scope with a comma", ['Bearer realm="r",scope="repository:a/b:pull,push"'],
     [("bearer", {"realm": "r", "scope": "repository:a/b:pull,push"})]),
    ("unquoted", ['Basic realm=myrealm,error="access denied"'],
     [("basic", {"realm": "myrealm", "error": "access denied"})]),
    ("blanks", ['Bearer   realm = "r" , service = "s"'], [("bearer", {"realm": "r", "service": "s"})]),
    ("case", ['BEARER Realm="r"'], [("bearer", {"realm": "r"})]),
    ("escapes", [r'Basic realm="a \"b\" c"'], [("basic", {"realm": 'a "b" c'})]),
    ("two in one header", ['Bearer realm="r", Basic realm="b"'],
     [("bearer", {"realm": "r"}), ("basic", {"realm": "b"})]),
    ("two headers", ['Bearer realm="r"', 'Basic realm="b"'], [("bearer", {"realm": "r"}), ("basic", {"realm": "b"})]),
    ("token68", ["Negotiate YWJj==", 'Basic realm="b"'], [("negotiate", {}), ("basic", {"realm": "b"})]),
    ("no parameters", ["Negotiate"], [("negotiate", {})]),
    ("a parameter twice: the first", ['Basic realm="a",realm="b"'], [("basic", {"realm": "a"})]),
    ("empty", [""], []),
    ("nothing", [], []),
    ("only commas", [", ,"], []),
    ("a quote that is not closed", ['Basic realm="x'], [("basic", {})]),
]  # fmt: skip


@pytest.mark.parametrize(("headers", "challenges"), [pytest.param(*row[1:], id=row[0]) for row in ROWS])
def test_challenges(headers: list[str], challenges: list[tuple[str, dict[str, str]]]) -> None:
    read = [(challenge.scheme, dict(challenge.parameters)) for challenge in parse_challenges(headers)]
    assert read[: len(challenges)] == challenges


@given(st.lists(st.text(), max_size=3))
def test_no_header_is_an_error(headers: list[str]) -> None:
    parse_challenges(headers)


@given(
    st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.text(alphabet='ab,="\\ ', max_size=8), max_size=4)
)
def test_quoted_values_come_back(parameters: dict[str, str]) -> None:
    quoted = ", ".join(f'{name}="{_quoted(value)}"' for name, value in parameters.items())
    (challenge,) = parse_challenges([f"Bearer {quoted}"])
    assert dict(challenge.parameters) == parameters


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
