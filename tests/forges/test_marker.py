"""The machine marker: what is written is read back, and nothing else is taken for one."""

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layering.forge.marker import Line, Marker, with_marker, without_marker

_HEX64 = st.text("0123456789abcdef", min_size=64, max_size=64)
_MEMBERS = st.builds(Line, key=_HEX64, image=st.text(), old=st.none() | st.text())
_MARKERS = st.builds(
    Marker,
    key=_HEX64,
    commit=st.text("0123456789abcdef", min_size=40, max_size=40),
    image=st.text(),
    old=st.none() | st.text(),
    base=st.text(),
    title=st.text(),
    written=st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(8999, 1, 1), timezones=st.just(UTC)).map(
        lambda at: at.replace(microsecond=0)
    ),
    todo=st.lists(st.sampled_from(["labels", "reviewers"]), unique=True).map(tuple),
    handled=st.integers(min_value=0, max_value=2**53),
    ignored=st.booleans(),
    after=st.integers(min_value=0, max_value=2**53),
    members=st.dictionaries(st.text(max_size=20), _MEMBERS, max_size=3),
)


@given(marker=_MARKERS, text=st.text(max_size=200))
def test_what_is_written_is_read_back(marker: Marker, text: str) -> None:
    body = with_marker(text, marker)
    assert Marker.parse(body) == marker
    assert Marker.parse(body.replace("\n", "\r\n")) == marker  # as forges give it back
    assert "--" not in marker.text().removeprefix("<!-- ").removesuffix(" -->")


@given(text=st.text())
def test_a_body_without_one_has_none(text: str) -> None:
    assert Marker.parse(text) is None or "layerwatch:v1" in text


def _packed(document: object) -> str:
    return f"<!-- layerwatch:v1 {base64.b64encode(json.dumps(document).encode()).decode()} -->"


_WHOLE = {"key": "1" * 64, "commit": "2" * 40, "image": "r@sha256:3", "old": None}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("", id="empty"),
        pytest.param("<!-- layerwatch:v1 -->", id="nothing in it"),
        pytest.param("<!-- layerwatch:v1 !!!! -->", id="no base64"),
        pytest.param("<!-- layerwatch:v1 AAA= -->", id="no JSON"),
        pytest.param(_packed([]), id="no object"),
        pytest.param(_packed({**_WHOLE, "key": "1"}), id="a short key"),
        pytest.param(_packed({**_WHOLE, "commit": 5}), id="a number for a commit"),
        pytest.param(_packed({**_WHOLE, "members": []}), id="members of the wrong type"),
        pytest.param(_packed({**_WHOLE, "written": "yesterday"}), id="no time"),
        pytest.param(_packed({**_WHOLE, "written": "9999-12-31T23:59:59+00:00"}), id="the end of time"),
        pytest.param(_packed({**_WHOLE, "written": "0001-01-01T00:00:00+00:00"}), id="the beginning of time"),
        pytest.param(_packed({**_WHOLE, "handled": [1]}), id="no comment"),
        pytest.param(_packed({name: value for name, value in _WHOLE.items() if name != "old"}), id="old is missing"),
    ],
)
def test_what_cannot_be_read_is_no_marker(body: str) -> None:
    assert Marker.parse(body) is None


def test_the_four_keys_of_the_contract_suffice() -> None:
    marker = Marker.parse(_packed(_WHOLE))
    assert marker is not None
    assert (marker.key, marker.commit, marker.image, marker.old) == tuple(_WHOLE.values())


def test_people_see_the_text_without_it() -> None:
    marker = Marker(
        key="1" * 64, commit="2" * 40, image="i", old=None, base="", title="", written=datetime(2026, 1, 1, tzinfo=UTC)
    )
    assert without_marker(with_marker("Read this.\n", marker)) == "Read this."
