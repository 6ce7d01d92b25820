"""`layerwatch-step update-machineconfig`: the file afterwards, the JSON, the exit code."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.cli import main

OLD = "quay.io/acme/os@sha256:" + "1" * 64
DIGEST = "sha256:" + "2" * 64
NEW = f"quay.io/acme/os@{DIGEST}"
TEXT = (
    "# what the workers boot\r\n"
    "apiVersion: machineconfiguration.openshift.io/v1\r\n"
    "kind: MachineConfig\r\n"
    "metadata: {name: 99-os, labels: {machineconfiguration.openshift.io/role: worker}}\r\n"
    f"spec: {{osImageURL: '{OLD}'}} # pinned"
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "99-os.yaml"
    path.write_bytes(TEXT.encode())
    return path


def step(capsys: pytest.CaptureFixture[str], file: Path, *words: str, image: str = NEW) -> tuple[int, Any, str]:
    code = main(["update-machineconfig", "--file", str(file), "--image", image, *words])
    captured = capsys.readouterr()
    return code, json.loads(captured.out) if captured.out else None, captured.err


def test_the_digest_is_written_and_told(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, outputs, notes = step(capsys, file, "--pool", "worker", image=f"quay.io/acme/os:4.19@{DIGEST}")
    assert code == 0
    assert outputs == {"changed": True, "file": str(file), "old": OLD, "new": NEW}
    assert file.read_bytes() == TEXT.replace(OLD, NEW).encode()
    assert f"{file}:5: osImageURL of 99-os is {NEW} now" in notes


@pytest.mark.parametrize("spelling", [NEW, f"quay.io/acme/os:4.19@{DIGEST}", f"mirror.example.com/os@{DIGEST}"])
def test_a_digest_that_is_there_writes_nothing(file: Path, capsys: pytest.CaptureFixture[str], spelling: str) -> None:
    file.write_text(TEXT.replace(OLD, spelling))
    before = (file.read_bytes(), file.stat().st_mtime_ns, file.stat().st_ino)
    code, outputs, _ = step(capsys, file)
    assert code == 0
    assert outputs == {"changed": False, "file": str(file), "old": spelling, "new": spelling}
    assert (file.read_bytes(), file.stat().st_mtime_ns, file.stat().st_ino) == before


def test_again_is_unchanged(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert step(capsys, file)[1]["changed"] is True
    assert step(capsys, file)[1] == {"changed": False, "file": str(file), "old": NEW, "new": NEW}


def test_results_are_written_as_tekton_reads_them(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results"
    results.mkdir()
    assert step(capsys, file, "--results-dir", str(results))[0] == 0
    assert {path.name: path.read_text() for path in results.iterdir()} == {
        "changed": "true",
        "file": str(file),
        "old": OLD,
        "new": NEW,
    }


def test_a_missing_file_is_made_with_its_directories(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "clusters" / "prod" / "os.yaml"
    code, outputs, _ = step(capsys, path, "--create", "--pool", "infra")
    assert code == 0
    assert outputs == {"changed": True, "file": str(path), "old": None, "new": NEW}
    made = yaml.safe_load(path.read_text())
    assert made["metadata"]["name"] == "99-infra-osimageurl"
    assert made["spec"] == {"osImageURL": NEW}
    assert step(capsys, path, "--create", "--pool", "infra")[1]["changed"] is False


def test_a_missing_key_is_inserted_when_asked(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(TEXT.replace("osImageURL", "kernelType"))
    assert step(capsys, file)[0] == 2
    code, outputs, _ = step(capsys, file, "--create")
    assert (code, outputs["old"]) == (0, None)
    assert file.read_text() == TEXT.replace("osImageURL", f"osImageURL: {NEW}, kernelType").replace("\r\n", "\n")


def test_the_mode_stays(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.chmod(0o640)
    assert step(capsys, file)[0] == 0
    assert file.stat().st_mode & 0o7777 == 0o640


def test_a_symbolic_link_stays_and_its_target_is_edited(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    link = tmp_path / "link.yaml"
    link.symlink_to(file.name)
    assert step(capsys, link)[0] == 0
    assert link.is_symlink()
    assert NEW in file.read_text()


def test_what_decides_is_told_when_two_set_it(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = TEXT.replace("99-os", "98-os")
    file.write_text(f"{TEXT}\n---\n{other}\n")
    code, _, notes = step(capsys, file, "--pool", "worker")
    assert code == 2
    assert "99-os wins: of one pool's MachineConfigs the last by name decides" in notes
    code, _, notes = step(capsys, file, "--name", "98-os")
    assert code == 0
    assert "98-os does not decide: in this file 99-os decides" in notes


@pytest.mark.parametrize(
    ("words", "image", "content", "said"),
    [
        pytest.param([], "quay.io/acme/os:latest", TEXT.encode(), "is not pinned", id="a tag"),
        pytest.param([], "quay.io/acme/os@sha256:12", TEXT.encode(), "is not a digest", id="a short digest"),
        pytest.param(["--name", "b"], NEW, TEXT.encode(), "no MachineConfig named 'b'", id="another name"),
        pytest.param(["--pool", "infra"], NEW, TEXT.encode(), "for the pool 'infra'", id="another pool"),
        pytest.param([], NEW, b"", "no MachineConfig", id="an empty file"),
        pytest.param([], NEW, b"a: b\nc: \xff\n", ":2:4: this is not UTF-8: byte 0xff", id="not UTF-8"),
        pytest.param([], NEW, TEXT.encode("utf-16"), ":1:1: this is not UTF-8", id="UTF-16"),
        pytest.param([], NEW, b"\x7fELF\x00\x01", "not allowed in YAML", id="a program"),
        pytest.param([], NEW, b"a: [1\nb: 2\n", ":2:2: this is not YAML", id="not YAML"),
        pytest.param([], NEW, b"#" * (4 * 1024 * 1024 + 1), "larger than", id="too large"),
        pytest.param(["--create"], NEW, None, "needs its pool", id="a new file without a pool"),
        pytest.param(["--create", "--pool", "A b"], NEW, None, "'A b' is not a name", id="a pool that is none"),
        pytest.param([], NEW, None, "there is no such file", id="no file"),
    ],
)
def test_bad_input_writes_nothing(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: Sequence[str],
    image: str,
    content: bytes | None,
    said: str,
) -> None:
    path = tmp_path / "os.yaml"
    if content is not None:
        path.write_bytes(content)
    code, outputs, notes = step(capsys, path, *words, image=image)
    assert (code, outputs) == (2, None)
    assert said in notes
    assert "next: " in notes
    assert [entry.read_bytes() for entry in tmp_path.iterdir()] == ([] if content is None else [content])


def test_what_is_no_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").write_text("x")
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "loop", tmp_path / "file" / "below"):
        code, outputs, notes = step(capsys, path, "--create", "--pool", "worker")
        assert (code, outputs) == (2, None)
        assert "a defect" not in notes


def test_a_password_in_the_old_value_is_not_shown(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(TEXT.replace(OLD, "https://robot:hunter2@registry.example.com/os"))
    _, outputs, notes = step(capsys, file)
    assert outputs["old"] == "https://***@registry.example.com/os"
    assert "hunter2" not in notes
