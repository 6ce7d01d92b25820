"""Which release does a cluster run: ClusterVersions as `oc get -o yaml` prints them, and what only looks like one."""

import contextlib
import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from layering.cluster.clusterversion import UpdateState, parse_clusterversion, read_file
from layering.errors import InputError, LayerwatchError, UnavailableError
from layering.reasons import Reason

NEW = f"quay.io/openshift-release-dev/ocp-release@sha256:{'2' * 64}"
OLD = f"quay.io/openshift-release-dev/ocp-release@sha256:{'1' * 64}"
NEXT = f"quay.io/openshift-release-dev/ocp-release@sha256:{'3' * 64}"
CLUSTERVERSION: dict[str, Any] = {
    "apiVersion": "config.openshift.io/v1",
    "kind": "ClusterVersion",
    "metadata": {"name": "version", "generation": 4},
    "spec": {"channel": "stable-4.19", "clusterID": "x"},
    "status": {
        "observedGeneration": 4,
        "availableUpdates": None,
        "conditions": [{"type": "Available", "status": "True"}],
        "desired": {"image": NEW, "version": "4.19.2"},
        "history": [
            {"state": "Completed", "image": NEW, "version": "4.19.2", "verified": True},
            {"state": "Completed", "image": OLD, "version": "4.19.1"},
        ],
    },
}
Change = Callable[[dict[str, Any]], Any]


def changed(change: Change) -> Any:
    """The document after `change`; what it returns, if anything, instead."""
    document = copy.deepcopy(CLUSTERVERSION)
    return change(document) or document


def test_the_newest_entry_of_the_history_is_the_release() -> None:
    release = parse_clusterversion(CLUSTERVERSION, "f")
    assert (str(release.payload), release.version, release.state) == (NEW, "4.19.2", UpdateState.COMPLETED)
    assert release.available_updates is None  # null: nobody could be asked; that is not "none"


def _history(document: dict[str, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = document["status"]["history"][0]
    return entry


READ: dict[str, Change] = {
    "in a List": lambda d: {"apiVersion": "v1", "kind": "List", "items": [d], "metadata": {"resourceVersion": ""}},
    "in a ClusterVersionList": lambda d: {"kind": "ClusterVersionList", "items": [d]},
    "in a List with other kinds": lambda d: {"kind": "List", "items": [{"kind": "ConfigMap"}, d, None, "x"]},
    "without generations": lambda d: d["metadata"].pop("generation") and None,
    "without observedGeneration": lambda d: d["status"].pop("observedGeneration") and None,
    "an observation ahead": lambda d: d["status"].update(observedGeneration=5),
    "not Available": lambda d: d["status"].update(conditions=[{"type": "Available", "status": "False"}]),
    "no version in the history": lambda d: _history(d).pop("version") and None,
    "no conditions, no desired": lambda d: d["status"].update(conditions=None) or (d["status"].pop("desired") and None),
}


@pytest.mark.parametrize("change", READ.values(), ids=READ)
def test_reads(change: Change) -> None:
    release = parse_clusterversion(changed(change), "f")
    assert (str(release.payload), release.version) == (NEW, "4.19.2")


def test_partial_is_on_its_way() -> None:
    release = parse_clusterversion(changed(lambda d: _history(d).update(state="Partial")), "f")
    assert (release.state, str(release.payload)) == (UpdateState.PARTIAL, NEW)


def test_the_payload_counts_where_the_version_stays() -> None:
    """`oc adm upgrade --to-multi-arch`: another payload under the same version."""
    release = parse_clusterversion(changed(lambda d: _history(d).update(image=NEXT)), "f")
    assert (str(release.payload), release.version) == (NEXT, "4.19.2")


@pytest.mark.parametrize(
    ("value", "versions"),
    [
        (None, None), ([], []), ([{"version": "4.19.3", "image": NEXT, "channels": ["x"]}], ["4.19.3"]),
        ([{"image": NEXT}], [""]), ("none", None),
    ],
)  # fmt: skip
def test_available_updates(value: Any, versions: list[str] | None) -> None:
    release = parse_clusterversion(changed(lambda d: d["status"].update(availableUpdates=value)), "f")
    found = release.available_updates
    assert (None if found is None else [update.version for update in found]) == versions


@pytest.mark.parametrize(
    "offer",
    [None, "4.19.4", {}, {"version": "4.19.4"}, {"version": "4.19.4", "image": ""}, {"version": "4\n", "image": NEXT}],
)
def test_an_offer_that_makes_no_sense_is_left_out(offer: Any) -> None:
    offers = [offer, {"version": "4.19.3", "image": NEXT}]
    release = parse_clusterversion(changed(lambda d: d["status"].update(availableUpdates=offers)), "f")
    assert release.available_updates is not None
    assert [update.version for update in release.available_updates] == ["4.19.3"]


@pytest.mark.parametrize(
    ("retrieved", "value", "versions"),
    [
        ("True", None, []), ("True", [{"version": "4.19.3", "image": NEXT}], ["4.19.3"]), ("True", "none", None),
        ("False", None, None), ("False", [{"version": "4.19.3", "image": NEXT}], None), ("Unknown", None, None),
    ],
)  # fmt: skip
def test_whether_the_updates_were_retrieved_decides_what_null_means(
    retrieved: str, value: Any, versions: list[str] | None
) -> None:
    condition = {"type": "RetrievedUpdates", "status": retrieved}
    release = parse_clusterversion(
        changed(lambda d: d["status"].update(availableUpdates=value, conditions=[condition])), "f"
    )
    found = release.available_updates
    assert (None if found is None else [update.version for update in found]) == versions
    assert (release.available_updates is not None) is (versions is not None)


def test_the_history_has_the_newest_first_and_tells_what_was_superseded() -> None:
    times = {"startedTime": "2026-01-01T00:00:00Z", "completionTime": "2026-01-01T01:00:00Z"}
    entries = [
        {"state": "Partial", "image": NEXT, "version": "4.19.3", "startedTime": "2026-01-01T01:00:00Z"},
        {"state": "Partial", "image": NEW, "version": "", **times},
        {"state": "Completed", "image": OLD, "version": "4.19.1", **times},
    ]
    release = parse_clusterversion(changed(lambda d: d["status"].update(history=entries)), "f")
    assert [(entry.version, entry.is_superseded) for entry in release.history] == [
        ("4.19.3", False), ("", True), ("4.19.1", False),
    ]  # fmt: skip
    assert release.history[1].completed == release.history[0].started


@pytest.mark.parametrize(
    "old",
    [None, "Completed", [], {}, {"state": "Nonsense", "image": OLD}, {"state": "Completed", "image": "A@x"},
     {"state": "Completed", "image": OLD, "version": 4.20}],
)  # fmt: skip
def test_nonsense_in_an_older_entry_is_left_out(old: Any) -> None:
    release = parse_clusterversion(changed(lambda d: d["status"]["history"].insert(1, old)), "f")
    assert [entry.version for entry in release.history] == ["4.19.2", "4.19.1"]


def test_a_time_that_is_none_is_not_told() -> None:
    release = parse_clusterversion(
        changed(lambda d: _history(d).update(startedTime="yesterday", completionTime=5)), "f"
    )
    assert (release.history[0].started, release.history[0].completed) == (None, None)


def test_a_status_about_an_older_spec_says_nothing_yet() -> None:
    with pytest.raises(UnavailableError, match="generation 3") as caught:
        parse_clusterversion(changed(lambda d: d["status"].update(observedGeneration=3)), "f")
    assert caught.value.reason is Reason.STATUS_NOT_OBSERVED


REFUSED: dict[str, Change] = {
    "nothing": lambda d: {"kind": "List", "items": []},
    "two": lambda d: {"kind": "List", "items": [d, d]},
    "items that are none": lambda d: {"kind": "List", "items": "x"},
    "another kind": lambda d: d.update(kind="ClusterOperator"),
    "another group": lambda d: d.update(apiVersion="v1"),
    "a look-alike group": lambda d: d.update(apiVersion="config.openshift.io.example.com/v1"),
    "no status": lambda d: d.pop("status") and None,
    "status null": lambda d: d.update(status=None),
    "no history": lambda d: d["status"].pop("history") and None,
    "history empty": lambda d: d["status"].update(history=[]),
    "history of text": lambda d: d["status"].update(history=["Completed"]),
    "an unknown state": lambda d: _history(d).update(state="Unknown"),
    "no state": lambda d: _history(d).pop("state") and None,
    "no image": lambda d: _history(d).pop("image") and None,
    "an image that is none": lambda d: _history(d).update(image="quay.io/A@x"),
    "an empty image": lambda d: _history(d).update(image=""),
    "a version read as a number": lambda d: _history(d).update(version=4.20),
    "a version that paints the terminal": lambda d: _history(d).update(version="4.19.2\x1b[31m"),
}


@pytest.mark.parametrize("change", REFUSED.values(), ids=REFUSED)
def test_refuses(change: Change) -> None:
    with pytest.raises(InputError) as caught:
        parse_clusterversion(changed(change), "where.yaml")
    assert "where.yaml" in str(caught.value)
    assert caught.value.next_step or "state" in caught.value.what


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from([NEW, "Completed", "Partial"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["status", "history", "items", "image", "state", "version"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(JSON, st.sampled_from(["status", "metadata", "spec", "kind", "apiVersion", "items"]))
def test_whatever_stands_there_is_read_or_refused(value: Any, key: str) -> None:
    for document in (value, {**CLUSTERVERSION, key: value}, {"items": [{**CLUSTERVERSION, key: value}]}):
        with contextlib.suppress(LayerwatchError):
            parse_clusterversion(document, "f")


@given(JSON, st.sampled_from(["history", "availableUpdates", "observedGeneration", "desired"]))
def test_whatever_stands_in_the_status_is_read_or_refused(value: Any, key: str) -> None:
    document = {**CLUSTERVERSION, "status": {**CLUSTERVERSION["status"], key: value}}
    with contextlib.suppress(LayerwatchError):
        parse_clusterversion(document, "f")


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "clusterversion.yaml"
    path.write_text(yaml.safe_dump(CLUSTERVERSION))
    assert str(read_file(path).payload) == NEW


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe\x00", b"a: [", b"[" * 100_000, b"a: !!python/object/apply:os.getcwd []", b"--- 1\n--- 2\n",
     b"&a [*a]", b"kind: &a {x: *a}\n", b"2000-99-99", b"{[]: 1}", b"\x00",
     b"!!bool x", b"!!int ''", b"!!timestamp x", b"a: 1" + b":1" * 400 + b"."],
    ids=["empty", "not text", "broken", "deep", "a program", "two", "of itself", "of itself too", "no date", "a key",
         "NUL", "no bool", "no int", "no timestamp", "a number beyond all"],
)  # fmt: skip
def test_a_file_that_is_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "clusterversion.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError):
        read_file(path)


@pytest.mark.parametrize("key", ["version", "state", "image"])
def test_a_field_of_a_billion_words_is_refused_and_not_written_out(tmp_path: Path, key: str) -> None:
    laughs = ["a0: &a0 [x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 40)), "history: *a39"]
    entry = json.dumps({**_history(CLUSTERVERSION), key: "LAUGHS"}).replace('"LAUGHS"', "*a39")
    path = tmp_path / "clusterversion.yaml"
    path.write_text(
        "\n".join(laughs)
        + f"\napiVersion: config.openshift.io/v1\nkind: ClusterVersion\nstatus: {{history: [{entry}]}}"
    )
    with pytest.raises(InputError, match=key):
        read_file(path)


def test_a_file_that_is_not_there_may_come_later(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(UnavailableError) as caught:
            read_file(path)
        assert caught.value.reason is Reason.UNREACHABLE
