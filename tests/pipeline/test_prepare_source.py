"""`layerwatch-step prepare-source`: which file it reads, what it leaves on disk, the JSON, the exit code."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli import main

OLD = "quay.io/acme/os:4.19.1"
BASE = "quay.io/acme/os@sha256:" + "2" * 64
TEXT = f"# syntax=docker/dockerfile:1\r\nFROM golang:1.22 AS build\r\nfrom {OLD} \\\r\n  AS os\r\nRUN a"
CHANGE = {"line": 3, "old": OLD, "new": BASE}


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # new files come and go with the test
    directory = tmp_path / "context"
    directory.mkdir()
    write(directory / "Containerfile", TEXT)
    return directory


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())


def step(capsys: pytest.CaptureFixture[str], context: Path, *words: str, base: str = BASE) -> tuple[int, Any, str]:
    code = main(["prepare-source", "--context", str(context), "--base", base, *words])
    captured = capsys.readouterr()
    return code, json.loads(captured.out) if captured.out else None, captured.err


def test_the_pinned_text_is_a_new_file_and_the_source_stays(context: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, outputs, notes = step(capsys, context)
    assert code == 0
    pinned = Path(outputs.pop("containerfile"))
    assert outputs == {"changes": [CHANGE], "build_args": {}}
    assert pinned.read_bytes() == TEXT.replace(OLD, BASE).encode()
    assert not pinned.is_relative_to(context)
    assert [path.name for path in context.iterdir()] == ["Containerfile"]
    assert (context / "Containerfile").read_bytes() == TEXT.encode()
    assert f"{context}/Containerfile, line 3: {OLD} -> {BASE}" in notes


def test_output_names_the_new_file(context: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "pinned"
    for _ in range(2):
        code, outputs, _ = step(capsys, context, "--output", str(target))
        assert (code, outputs["containerfile"], outputs["changes"]) == (0, str(target), [CHANGE])
        assert target.read_bytes() == TEXT.replace(OLD, BASE).encode()


def test_in_place_keeps_the_mode(context: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = context / "Containerfile"
    file.chmod(0o640)
    code, outputs, _ = step(capsys, context, "--in-place")
    assert (code, outputs) == (0, {"containerfile": str(file), "changes": [CHANGE], "build_args": {}})
    assert file.read_bytes() == TEXT.replace(OLD, BASE).encode()
    assert file.stat().st_mode & 0o777 == 0o640
    assert os.listdir(context) == ["Containerfile"]


def test_in_place_follows_a_link(context: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = context / "Containerfile"
    file.rename(tmp_path / "shared")
    file.symlink_to(tmp_path / "shared")
    assert step(capsys, context, "--in-place")[0] == 0
    assert file.is_symlink()
    assert (tmp_path / "shared").read_bytes() == TEXT.replace(OLD, BASE).encode()


@pytest.mark.parametrize("match", [(), ("--match", "quay.io/acme/os"), ("--match", "stage:os")], ids=" ".join)
def test_in_place_a_second_time_writes_nothing(
    context: Path, capsys: pytest.CaptureFixture[str], match: tuple[str, ...]
) -> None:
    file = context / "Containerfile"
    step(capsys, context, "--in-place", *match)
    before = file.stat().st_mtime_ns, file.stat().st_ino
    code, outputs, notes = step(capsys, context, "--in-place", *match)
    assert (code, outputs) == (0, {"containerfile": str(file), "changes": [], "build_args": {}})
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == before
    assert "nothing to change" in notes


def test_a_mirror_chosen_by_match_can_be_pinned_twice(context: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = context / "Containerfile"
    write(file, "FROM golang:1.22\nFROM mirror.example.com/os:1\n")
    words = ("--in-place", "--match", "mirror.example.com/os")
    assert step(capsys, context, *words)[1]["changes"] == [{"line": 2, "old": "mirror.example.com/os:1", "new": BASE}]
    assert step(capsys, context, *words)[1]["changes"] == []


def test_an_arg_without_a_default_becomes_a_build_argument(context: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "ARG BASE\nFROM $BASE\n"
    write(context / "Containerfile", text)
    code, outputs, notes = step(capsys, context)
    assert code == 0
    assert outputs["changes"] == []
    assert outputs["build_args"] == {"BASE": BASE}
    assert Path(outputs["containerfile"]).read_text() == text
    assert f"--build-arg BASE={BASE}" in notes


def test_a_build_argument_that_feeds_the_base_is_given_anew(context: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(context / "Containerfile", f"ARG BASE={OLD}\nFROM $BASE\n")
    outputs = step(capsys, context, "--build-arg", f"BASE={OLD}")[1]
    assert (outputs["changes"], outputs["build_args"]) == ([], {"BASE": BASE})


def test_the_tag_of_the_base_is_not_written(context: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert step(capsys, context, base=BASE.replace("@", ":4.19.2@"))[1]["changes"] == [CHANGE]


@pytest.mark.parametrize(
    ("named", "read"),
    [
        pytest.param((), "context/Containerfile", id="Containerfile before Dockerfile"),
        pytest.param(("os/Containerfile",), "os/Containerfile", id="as the shell sees it, even if the context has one"),
        pytest.param(("layers/Containerfile",), "context/layers/Containerfile", id="else one in the context"),
        pytest.param(("Dockerfile",), "context/Dockerfile", id="any name"),
    ],
)
def test_which_file_is_read(
    context: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], named: tuple[str], read: str
) -> None:
    tmp_path = context.parent
    monkeypatch.chdir(tmp_path)
    for name in ("Containerfile", "Dockerfile", "os/Containerfile", "layers/Containerfile"):
        write(tmp_path / "context" / name, f"FROM context/{name.lower()}\n")
    write(tmp_path / "os/Containerfile", "FROM os/containerfile\n")
    outputs = step(capsys, Path("context"), *(word for name in named for word in ("--containerfile", name)))[1]
    assert [change["old"] for change in outputs["changes"]] == [read.lower()]


def test_a_dockerfile_alone_is_found(context: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (context / "Containerfile").rename(context / "Dockerfile")
    assert step(capsys, context)[1]["changes"] == [CHANGE]


REFUSALS = [
    pytest.param(b"FROM a/x\n\nFROM b/x\n", (), ["Containerfile", "line 1", "line 3", "--match"], id="a doubt"),
    pytest.param(b"FROM configs AS final\n", (), ["line 1", "on-cluster layering"], id="the on-cluster form"),
    pytest.param(
        b"FROM quay.io/openshift-release-dev/ocp-release:4.19.2-x86_64\n", (), ["release payload"], id="payload"
    ),
    pytest.param(b"FROM a\nRUN echo \xff\n", (), ["not UTF-8"], id="another encoding"),
    pytest.param(b"", (), ["there is no FROM"], id="empty"),
    pytest.param(b"FROM a\n", ("--match", "quay.io/a:1"), ["only a repository belongs"], id="a match with a tag"),
    pytest.param(b"FROM a\n", ("--containerfile", "none"), ["there is no Containerfile", "none"], id="no such file"),
    pytest.param(b"FROM a\n", ("--build-arg", "x"), ["NAME=VALUE"], id="a build argument without a value"),
]


@pytest.mark.parametrize("in_place", [False, True], ids=["new file", "in place"])
@pytest.mark.parametrize(("raw", "words", "says"), REFUSALS)
def test_refuses_and_writes_nothing(
    context: Path,
    capsys: pytest.CaptureFixture[str],
    raw: bytes,
    words: tuple[str, ...],
    says: list[str],
    in_place: bool,
) -> None:
    (context / "Containerfile").write_bytes(raw)
    code, outputs, notes = step(capsys, context, *words, *(["--in-place"] if in_place else []))
    assert (code, outputs) == (2, None)
    assert [part for part in says if part not in notes] == []
    assert (context / "Containerfile").read_bytes() == raw
    assert os.listdir(context) == ["Containerfile"]
    assert os.listdir(tempfile.gettempdir()) == ["context"]


def test_output_must_have_a_place(context: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, outputs, notes = step(capsys, context, "--output", str(context / "none" / "x"))
    assert (code, outputs) == (2, None)
    assert "cannot be written" in notes


@pytest.mark.parametrize("base", ["quay.io/acme/os:4.19.2", "quay.io/acme/os", "Not A Name"])
def test_wants_a_pinned_base(context: Path, capsys: pytest.CaptureFixture[str], base: str) -> None:
    assert step(capsys, context, base=base)[:2] == (2, None)
