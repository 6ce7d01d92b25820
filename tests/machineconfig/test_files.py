"""Whole files: `original/` edited gives `expected/`, byte for byte.

Each expected file differs from its original in osImageURL alone; reading the two with `diff` is reading the
specification.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from layering.machineconfig import Edit, read_claim, set_os_image
from layering.reference import ImageReference

HERE = Path(__file__).parent
NEW = ImageReference.parse("registry.example.com:5000/acme/worker-os@sha256:" + "2" * 64)
CASES: dict[str, dict[str, Any]] = {
    "anchors.yaml": {},
    "comments.yaml": {},
    "empty-value.yaml": {},
    "flow.yaml": {"pool": "worker"},
    "folded.yaml": {},
    "garbage-over-two-lines.yaml": {},
    "hosted.yaml": {},
    "hosted-insert.yaml": {"create": True},
    "insert.json": {"create": True},
    "insert.yaml": {"create": True},
    "insert-empty-spec.yaml": {"create": True},
    "insert-no-spec.yaml": {"create": True},
    "insert-null-spec.yaml": {"create": True},
    "list.yaml": {"pool": "worker"},
    "literal-with-line-break.yaml": {},
    "merged-defaults.yaml": {},
    "several-documents.yaml": {"pool": "infra"},
    "single-quotes-and-a-tag.yaml": {"name": "99-master-os"},
    "tabs.json": {},
    "two-for-one-pool.yaml": {"name": "98-worker-os"},
    "windows.yaml": {},
    "windows-insert.yaml": {"create": True},
}


def read(kind: str, file: str) -> str:
    return (HERE / kind / file).read_bytes().decode()


def edit(file: str) -> Edit:
    return set_os_image(read("original", file), NEW, **CASES[file])


@pytest.mark.parametrize("file", CASES)
def test_only_the_image_changes(file: str) -> None:
    assert edit(file).text == read("expected", file)


@pytest.mark.parametrize("file", CASES)
def test_the_new_value_is_read_back(file: str) -> None:
    which = {key: value for key, value in CASES[file].items() if key != "create"}
    assert read_claim(read("expected", file), **which).image == str(NEW)


@pytest.mark.parametrize("file", CASES)
def test_doing_it_again_changes_no_byte(file: str) -> None:
    done = read("expected", file)
    again = set_os_image(done, NEW, **CASES[file])
    assert (again.text, again.change, again.old) == (done, None, str(NEW))


@pytest.mark.parametrize("file", CASES)
def test_the_change_names_the_line_of_the_image(file: str) -> None:
    done = edit(file)
    assert done.change is not None
    assert done.change.new == str(NEW)
    assert str(NEW) in done.text.split("\n")[done.change.line - 1]


def test_every_file_has_its_case() -> None:
    assert sorted(CASES) == sorted(path.name for path in (HERE / "original").iterdir())
    assert sorted(CASES) == sorted(path.name for path in (HERE / "expected").iterdir())


@pytest.mark.parametrize("file", [file for file in CASES if file.endswith(".json")])
def test_json_stays_json(file: str) -> None:
    assert str(NEW) in json.dumps(json.loads(read("expected", file)))
