"""Which changes of the configuration's files are seen: the ways in which people and kubelets change them."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from watcher.reload import ReloadWatch, WatchedFiles


def in_place(file: Path) -> None:
    file.write_text("new")


def same_length_and_time(file: Path) -> None:
    before = file.stat()
    file.write_text("OLD")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def renamed_over(file: Path) -> None:
    other = file.with_suffix(".new")
    other.write_text("new")
    other.replace(file)


def link_swapped(file: Path) -> None:
    """As the kubelet updates a mounted ConfigMap: ..data points at another directory."""
    directory = file.resolve().parent.with_name("..2026_2")
    directory.mkdir()
    (directory / file.name).write_text("new")
    link = file.parent / "..data_tmp"
    link.symlink_to(directory.name)
    link.replace(file.parent / "..data")


def deleted(file: Path) -> None:
    file.unlink()


def touched(file: Path) -> None:
    os.utime(file)


def swapped_to_the_same(file: Path) -> None:
    other = file.with_suffix(".new")
    other.write_text("old")
    other.replace(file)


@pytest.fixture
def mounted(tmp_path: Path) -> Path:
    """A ConfigMap's file as a kubelet mounts it."""
    (tmp_path / "..2026_1").mkdir()
    (tmp_path / "..2026_1" / "layerwatch.yaml").write_text("old")
    (tmp_path / "..data").symlink_to("..2026_1")
    file = tmp_path / "layerwatch.yaml"
    file.symlink_to("..data/layerwatch.yaml")
    return file


@pytest.mark.parametrize(
    ("change", "is_seen"),
    [
        (in_place, True),
        (same_length_and_time, True),
        (renamed_over, True),
        (link_swapped, True),
        (deleted, True),
        (touched, False),
        (swapped_to_the_same, False),
    ],
)
def test_changes(mounted: Path, change: Callable[[Path], None], is_seen: bool) -> None:
    files = WatchedFiles([mounted])
    change(mounted)
    assert files.changed() == ([mounted] if is_seen else [])
    assert files.changed() == []


def test_a_file_that_appears(tmp_path: Path) -> None:
    files = WatchedFiles([tmp_path / "auth.json"])
    (tmp_path / "auth.json").write_text("{}")
    assert files.changed() == [tmp_path / "auth.json"]


def test_no_change_is_missed_while_the_files_themselves_change(mounted: Path, tmp_path: Path) -> None:
    files = WatchedFiles([mounted])
    in_place(mounted)
    files.follow([mounted, tmp_path / "ca.pem"])
    assert files.changed() == [mounted]
    files.follow([tmp_path / "ca.pem"])
    in_place(mounted)
    assert files.changed() == []


def test_told_it_asks_at_once_and_a_defect_does_not_end_it(mounted: Path) -> None:
    asked = threading.Semaphore(0)

    def changed() -> None:
        asked.release()
        raise ValueError("a defect")

    watch = ReloadWatch(WatchedFiles([mounted]), changed)
    watch.start()
    for act in (watch.now, lambda: in_place(mounted), watch.now):
        act()
        assert asked.acquire(timeout=30)
    watch.stop()
