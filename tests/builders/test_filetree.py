"""What a COPY puts on top of a base: every entry with its mode and owner, or a refusal.

The expectations were read off buildah 1.28 (test_equal_to_buildah.py holds them to the program itself).
"""

import os
import socket
import tarfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from layering.errors import InputError
from layering.layer import EntryKind, LayerEntry
from layering.layerfacts import look_up, read_facts
from pipeline.builders.filetree import Origin, apply_steps
from pipeline.builders.ignorefile import NOTHING_IGNORED, find_ignore_file, read_ignore_file
from pipeline.builders.interpreter import CopyStep, WorkdirStep
from pipeline.builders.refusal import RefusalReason, Refused
from pipeline.builders.stages import StageTree
from tests.builders.tars import Member, directory, file, odd_base, symlink, tar

LAYERS = [read_facts([tar(members)], where="test") for members in reversed(odd_base(b"#!"))]
BASE = partial(look_up, LAYERS)


@pytest.fixture
def context(tmp_path: Path) -> Path:
    for name, mode in {"f": 0o640, "suid": 0o6755, "d/x": 0o600, "d/sub/y": 0o644, "d/motd": 0o644}.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        path.chmod(mode)
    (tmp_path / "d").chmod(0o751)
    (tmp_path / "d/sub").chmod(0o2700)
    (tmp_path / "d/link").symlink_to("x")
    (tmp_path / "empty").mkdir()
    return tmp_path


def copy(*words: str, owner: tuple[int, int] = (0, 0), mode: int | None = None, extracts: bool = False) -> CopyStep:
    *sources, destination = words
    return CopyStep(line=7, sources=tuple(sources), destination=destination, owner=owner, mode=mode, extracts=extracts)


def origin(context: Path) -> Origin:
    file = find_ignore_file(context, context / "Containerfile")
    ignored = read_ignore_file(file) if file else NOTHING_IGNORED
    return Origin(context=context, scratch=context.parent, ignored=ignored)


def layer(context: Path, *steps: CopyStep | WorkdirStep) -> dict[str, str]:
    """Path → type, mode and owner, as a person would list them."""
    entries, refusals = apply_steps(steps, origin(context), BASE)
    assert refusals == []
    letters = {EntryKind.FILE: "-", EntryKind.DIRECTORY: "d", EntryKind.SYMLINK: "l", EntryKind.FIFO: "p"}
    return {entry.path: f"{letters[entry.kind]}{entry.mode:04o} {entry.uid}:{entry.gid}" for entry in entries}


TREE = {"x": "-0600 0:0", "sub": "d0700 0:0", "sub/y": "-0644 0:0", "link": "l0777 0:0", "motd": "-0644 0:0"}


def below(path: str) -> dict[str, str]:
    return {f"{path}/{name}": entry for name, entry in TREE.items()}


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        pytest.param(copy("f", "/etc"), {"etc": "d0755 0:0", "etc/f": "-0640 0:0"}, id="into a directory of the base"),
        pytest.param(copy("f", "/etc/"), {"etc": "d0755 0:0", "etc/f": "-0640 0:0"}, id="the same with a slash"),
        pytest.param(copy("f", "/etc/motd"), {"etc": "d0755 0:0", "etc/motd": "-0640 0:0"}, id="over a file"),
        pytest.param(copy("f", "/root/g"), {"root": "d0700 0:0", "root/g": "-0640 0:0"}, id="under another name"),
        pytest.param(copy("f", "/f"), {"f": "-0640 0:0"}, id="into the root, which has no entry"),
        pytest.param(copy("f", "/"), {"f": "-0640 0:0"}, id="into /"),
        pytest.param(copy("f", "/."), {"f": "-0640 0:0"}, id="into /."),
        pytest.param(
            copy("f", "suid", "/tmp/x"),
            {"tmp": "d1777 0:0", "tmp/x": "d0755 0:0", "tmp/x/f": "-0640 0:0", "tmp/x/suid": "-0755 0:0"},
            id="several files make a directory; set-id bits go",
        ),
        pytest.param(
            copy("f", "/srv/a/b/"),
            {"srv": "d2775 5:6", "srv/a": "d0755 0:0", "srv/a/b": "d0755 0:0", "srv/a/b/f": "-0640 0:0"},
            id="parents keep their mode, new ones do not inherit it",
        ),
        pytest.param(
            copy("f", "/opt/old"), {"opt": "d0750 7:8", "opt/old": "-0640 0:0"}, id="where a directory was deleted"
        ),
        pytest.param(
            copy("f", "/opt/kept"),
            {"opt": "d0750 7:8", "opt/kept": "d0711 9:9", "opt/kept/f": "-0640 0:0"},
            id="a directory of a lower layer",
        ),
        pytest.param(
            copy("f", "/etc/conf.d/lost/"),
            {"etc": "d0755 0:0", "etc/conf.d": "d0710 1:2", "etc/conf.d/lost": "d0755 0:0",
             "etc/conf.d/lost/f": "-0640 0:0"},
            id="where an opaque directory hid a file",
        ),
        pytest.param(copy("d", "/new"), {"new": "d0755 0:0", **below("new")}, id="a directory's own mode is not kept"),
        pytest.param(
            copy("d/", "/etc/conf.d"),
            {"etc": "d0755 0:0", "etc/conf.d": "d0710 1:2", **below("etc/conf.d")},
            id="a directory into one of the base, which keeps its mode",
        ),
        pytest.param(copy("empty", "/etc"), {}, id="nothing into something changes nothing"),
        pytest.param(copy("empty", "/new"), {"new": "d0755 0:0"}, id="an empty directory"),
        pytest.param(
            copy("f", "/new/", owner=(5, 6)), {"new": "d0755 5:6", "new/f": "-0640 5:6"}, id="owner of new parents too"
        ),
        pytest.param(
            copy("d/sub", "/new", mode=0o4711), {"new": "d0755 0:0", "new/y": "-4711 0:0"}, id="mode of files only"
        ),
        pytest.param(copy("?", "/new/"), {"new": "d0755 0:0", "new/f": "-0640 0:0", **below("new")}, id="a pattern"),
        pytest.param(copy("s*d", "/"), {"suid": "-0755 0:0"}, id="a pattern into a directory"),
        pytest.param(copy("[e-g]", "/l/"), {"l": "d0755 0:0", "l/f": "-0640 0:0"}, id="a class of characters"),
        pytest.param(copy("f*", "/l"), {"l": "-0640 0:0"}, id="a pattern that one file matches is that file"),
        pytest.param(copy("d/link", "/l"), {"l": "-0600 0:0"}, id="a link that is named is followed"),
        pytest.param(copy("f", "/é"), {"é": "-0640 0:0"}, id="other characters than ASCII"),
        pytest.param(
            copy("f", "/home/f"),
            {"var": "d0755 0:0", "var/home": "d0755 0:0", "var/home/f": "-0640 0:0"},
            id="through a link of the base",
        ),
        pytest.param(
            copy("f", "/home"),
            {"var": "d0755 0:0", "var/home": "d0755 0:0", "var/home/f": "-0640 0:0"},
            id="into a directory that a link of the base names",
        ),
        pytest.param(
            copy("f", "/bin/"),
            {"usr": "d0755 0:0", "usr/bin": "d0555 0:0", "usr/bin/f": "-0640 0:0"},
            id="a link of the base with a slash",
        ),
        pytest.param(WorkdirStep(line=7, path="/etc/motd", user=""), {}, id="WORKDIR that is a file"),
        pytest.param(WorkdirStep(line=7, path="/w", user="1000"), {"w": "d0755 1000:1000"}, id="WORKDIR of a user"),
        pytest.param(WorkdirStep(line=7, path="/etc", user="core"), {}, id="WORKDIR that is there"),
        pytest.param(WorkdirStep(line=7, path="/w/x", user=""), {"w": "d0755 0:0", "w/x": "d0755 0:0"}, id="WORKDIR"),
    ],
)  # fmt: skip
def test_layer(context: Path, step: CopyStep | WorkdirStep, expected: dict[str, str]) -> None:
    assert layer(context, step) == expected


def test_later_steps_see_earlier_ones(context: Path) -> None:
    steps = (copy("f", "/a/"), copy("suid", "/a/f"), copy("f", "/a/f"), WorkdirStep(line=7, path="/a/w", user="0"))
    assert layer(context, *steps) == {"a": "d0755 0:0", "a/f": "-0640 0:0", "a/w": "d0755 0:0"}


def _socket(context: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.open(context, os.O_PATH)  # the path of a socket is short
        listener.bind(f"/proc/self/fd/{here}/s")
        os.close(here)


def _another(context: Path) -> None:
    (context / "fa").mkdir()


def _dangling(context: Path) -> None:
    (context / "dangling").symlink_to("nowhere")


def _archive(context: Path) -> None:
    with tarfile.open(context / "f", "w") as archive:
        archive.add(context / "suid", "suid")


def _cut_archive(context: Path) -> None:
    _archive(context)
    os.truncate(context / "f", 514)


def _zstd(context: Path) -> None:
    (context / "f").write_bytes(b"(\xb5/\xfdrest")


def _gzip(context: Path) -> None:
    (context / "f").write_bytes(b"\x1f\x8b\x08rest")


def _ignored(pattern: str) -> Callable[[Path], None]:
    def prepare(context: Path) -> None:
        (context / ".dockerignore").write_text(f"{pattern}\n")

    return prepare


def _nothing(context: Path) -> None:
    """The context as it is."""


@pytest.mark.parametrize(
    ("prepare", "step", "reason"),
    [
        (_nothing, copy("f", "/etc/motd/"), RefusalReason.DESTINATION_OF_OTHER_KIND),
        (_nothing, copy("f", "/etc/motd/x"), RefusalReason.DESTINATION_OF_OTHER_KIND),
        (_nothing, copy("d", "/etc/motd"), RefusalReason.DESTINATION_OF_OTHER_KIND),
        (_nothing, copy("d", "/etc/motd/"), RefusalReason.DESTINATION_OF_OTHER_KIND),
        (_nothing, copy("f", "/l*"), RefusalReason.DESTINATION_UNDECIDED),
        (_dangling, copy("dangling", "/l"), RefusalReason.SOURCE_IS_SYMLINK),
        (_nothing, copy("../f", "/l"), RefusalReason.SOURCE_NOT_LOCAL),
        (_nothing, copy("[f", "/l/"), RefusalReason.SOURCE_PATTERN),
        (_another, copy("f*", "/l"), RefusalReason.DESTINATION_UNDECIDED),
        (_socket, copy("s", "/l"), RefusalReason.SOURCE_IS_SPECIAL),
        (_zstd, copy("f", "/l", extracts=True), RefusalReason.SOURCE_IS_ARCHIVE),
        (_cut_archive, copy("f", "/l", extracts=True), RefusalReason.SOURCE_IS_ARCHIVE),
        (_ignored("f"), copy("f", "/l"), RefusalReason.IGNORE_FILE),
        (_nothing, WorkdirStep(line=7, path="/new", user="core"), RefusalReason.WORKDIR_OF_USER),
        (_nothing, WorkdirStep(line=7, path="/etc/motd/x", user=""), RefusalReason.DESTINATION_OF_OTHER_KIND),
    ],
)
def test_refusals(
    context: Path, prepare: Callable[[Path], None], step: CopyStep | WorkdirStep, reason: RefusalReason
) -> None:
    prepare(context)
    _, refusals = apply_steps([step], origin(context), BASE)
    assert [(refusal.reason, refusal.line) for refusal in refusals] == [(reason, 7)]


@pytest.mark.parametrize("prepare", [_archive, _gzip])
def test_copy_takes_an_archive_as_it_is(context: Path, prepare: Callable[[Path], None]) -> None:
    prepare(context)
    assert layer(context, copy("f", "/l")) == {"l": "-0640 0:0"}


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ([file("a/b/c")], RefusalReason.DIRECTORY_UNKNOWN),
        ([directory("a"), Member(name="a/b/", type=tarfile.DIRTYPE, pax={"SCHILY.xattr.user.x": "1"})],
         RefusalReason.DIRECTORY_UNKNOWN),
        ([directory("a"), symlink("a/b", "b")], RefusalReason.DESTINATION_THROUGH_SYMLINK),
        ([file("a")], RefusalReason.DESTINATION_OF_OTHER_KIND),
    ],
    ids=["a directory that only its children mention", "extended attributes", "a link to itself", "a file"],
)  # fmt: skip
def test_bases_that_do_not_say_enough(context: Path, members: list[Member], reason: RefusalReason) -> None:
    facts = [read_facts([tar(members)], where="test")]
    _, refusals = apply_steps([copy("f", "/a/b/")], origin(context), partial(look_up, facts))
    assert [refusal.reason for refusal in refusals] == [reason]


@pytest.mark.parametrize("source", ["nothere", "d/nothere", "f/x", "no*"])
def test_a_missing_source_builds_nowhere(context: Path, source: str) -> None:
    with pytest.raises(InputError, match="not in the build context") as error:
        apply_steps([copy(source, "/l/")], origin(context), BASE)
    assert error.value.where == "line 7"


def test_add_takes_what_is_no_archive_as_it_is(context: Path) -> None:
    _gzip(context)
    assert layer(context, copy("f", "/l", extracts=True)) == {"l": "-0640 0:0"}


def test_hard_links_stay_one_file(context: Path) -> None:
    os.link(context / "d/x", context / "d/z")
    entries, _ = apply_steps([copy("d", "/l")], origin(context), BASE)
    one, two = (next(entry for entry in entries if entry.path == path) for path in ("l/x", "l/z"))
    assert one.inode == two.inode is not None


def test_hard_links_that_are_named_one_by_one_are_two_files(context: Path) -> None:
    os.link(context / "d/x", context / "d/z")
    entries, _ = apply_steps([copy("d/x", "d/z", "/l")], origin(context), BASE)
    one, two = (next(entry for entry in entries if entry.path == path) for path in ("l/x", "l/z"))
    assert one.inode != two.inode


@pytest.mark.parametrize(
    ("name", "lines", "left"),
    [
        (".dockerignore", "# all of it\n\n*\n!d/sub\n", {"l/sub", "l/sub/y"}),
        (".containerignore", "**/x\nd/sub/\n", {"l/link", "l/motd"}),
        ("Containerfile.dockerignore", "d/*\n!d/m*\n", {"l/motd"}),
        (".dockerignore", "/d/l?nk\nd/[m-x]*\n", set()),
    ],
)
def test_ignore_files(context: Path, name: str, lines: str, left: set[str]) -> None:
    (context / name).write_text(lines)
    assert set(layer(context, copy("d", "/l"))) - {"l"} == left


@pytest.mark.parametrize("pattern", ["a(b", "[", "x{1}", "!", "a\\b", "\udce9"])
def test_patterns_that_are_read_differently_are_refused(context: Path, pattern: str) -> None:
    (context / ".dockerignore").write_text(f"{pattern}\n", "utf-8", "surrogateescape")
    with pytest.raises(Refused) as refused:
        origin(context)
    assert refused.value.reason is RefusalReason.IGNORE_FILE


def test_the_containerfiles_own_ignore_file_wins(context: Path) -> None:
    assert find_ignore_file(context, context / "Containerfile") is None
    for name in (".dockerignore", ".containerignore", "Containerfile.containerignore", "Containerfile.dockerignore"):
        (context / name).touch()
        assert find_ignore_file(context, context / "Containerfile") == context / name


def test_extended_attributes_of_a_source(context: Path) -> None:
    try:
        os.setxattr(context / "f", "user.layerwatch", b"1")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    entries, _ = apply_steps([copy("f", "/l")], origin(context), BASE)
    assert [entry.xattrs for entry in entries] == [(("user.layerwatch", b"1"),)]


def test_stages_cannot_double_without_end(context: Path) -> None:
    entry = LayerEntry(path="f", kind=EntryKind.FILE, mode=0o644)
    stage = StageTree(root=context, entries=dict.fromkeys(map(str, range(200_001)), entry))
    step = replace(copy("f", "/l/"), stage="a")
    _, refusals = apply_steps([step], origin(context), BASE, lambda name: stage)
    assert [refusal.reason for refusal in refusals] == [RefusalReason.SEVERAL_STAGES]
