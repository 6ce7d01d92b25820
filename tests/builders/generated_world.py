"""The bases and contexts that generated Containerfiles are built with: each has what goes wrong in its own way."""

import bz2
import gzip
import io
import lzma
import os
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

from layering.reference import ImageReference, Repository
from layering.registry.client import RegistryClient
from tests.builders.bases import CONFIG, push_base
from tests.builders.building import make_odd_directories
from tests.builders.tars import Member, directory, file, hard_link, odd_base, symlink, tar

BASES = ("oci", "oci", "oci", "docker", "docker triggers", "bare configuration", "unsaid")
CONTEXTS = (*("plain",) * 9, ".dockerignore", ".containerignore", "Containerfile.dockerignore")
_IGNORED = {
    ".dockerignore": "# comment\n*.conf\n!bb.conf\nd/sub\n/linked/two\n",
    ".containerignore": "**/x\nempty\n!d/x\nto-*\n",
    "Containerfile.dockerignore": "*\n!d\n!*.tar\nd/sti*\n!f\n!over/\n!linked\n!a.conf\n!umlaut/ä\n!packed*",
}
_ARCHIVED = (
    directory("etc", 0o711, 3, 4),
    file("etc/unpacked", b"u", mode=0o4755, uid=8, gid=9),
    file("deep/implied/file", b"i", mode=0o600),
    symlink("deep/link", "../etc/unpacked"),
    hard_link("deep/hard", "deep/implied/file"),
    directory("deep/sticky", 0o1777),
)
_ODD_ARCHIVED = (
    file("./twice", b"1"),
    file("twice", b"22", mode=0o640, uid=5, gid=5),
    Member(name="queue", type=tarfile.FIFOTYPE, mode=0o622),
    file("umläut", b"u"),
    Member(name="noted", data=b"n", pax={"SCHILY.xattr.user.note": "1"}),
)


def push_bases(client: RegistryClient, domain: str, shell: bytes) -> Mapping[str, ImageReference]:
    """Every base of `BASES`, in repositories of their own."""
    layers = [*odd_base(shell), _links()]
    bare = {"WorkingDir": "/made/by/base", "Volumes": {"/var/vol": {}}, "Labels": {"base": "bare"}}
    triggers = {**CONFIG, "OnBuild": ["COPY f /triggered/", "ENV T=$X", "LABEL t=1"]}
    return {
        "oci": push_base(client, Repository(domain, "generated/oci"), layers),
        "docker": push_base(client, Repository(domain, "generated/docker"), layers, docker=True),
        "docker triggers": push_base(
            client, Repository(domain, "generated/triggers"), layers, config=triggers, docker=True
        ),
        "unsaid": push_base(client, Repository(domain, "generated/unsaid"), [*layers, _unsaid()]),
        "bare configuration": push_base(client, Repository(domain, "generated/bare"), layers, config=bare),
    }


def _links() -> list[Member]:
    return [
        directory("var"),
        directory("var/mnt", 0o750, 2, 3),
        symlink("mnt", "/var/mnt"),
        symlink("chain", "chained"),
        symlink("chained", "home"),
        symlink("loop", "loop"),
        symlink("tozone", "etc/motd"),
        symlink("var/up", "../../srv"),
    ]


def _unsaid() -> list[Member]:
    """Directories that only their files mention, and one with an attribute."""
    noted = Member(name="root/", type=tarfile.DIRTYPE, mode=0o700, pax={"SCHILY.xattr.user.note": "1"})
    return [file("srv/implied"), file("new/a/f"), noted]


def make_contexts(directory: Path) -> Mapping[str, Path]:
    """Every context of `CONTEXTS` below `directory`."""
    return {name: _context(directory / name, name) for name in dict.fromkeys(CONTEXTS)}


def _context(root: Path, name: str) -> Path:
    modes = {"f": 0o640, "suid": 0o6755, "a.conf": 0o600, "bb.conf": 0o444, "d/x": 0o600, "d/sub/y": 0o755,
             "sp ace": 0o644, "linked/one": 0o644, "umlaut/ä": 0o604, "attributes/noted": 0o644,
             "over/motd/x": 0o644, "over/conf.d": 0o600}  # fmt: skip
    for path, mode in modes.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path * 100)
        (root / path).chmod(mode)
    make_odd_directories(root)
    (root / "over/bin").symlink_to("motd")
    (root / "over/motd").chmod(0o711)
    (root / "to-file").symlink_to("d/../f")
    (root / "to-directory").symlink_to("/d")
    (root / "linked/two").hardlink_to(root / "linked/one")
    os.mkfifo(root / "pipe", 0o620)
    _note(root / "attributes/noted")
    _archives(root)
    if name in _IGNORED:
        (root / name).write_text(_IGNORED[name])
    return root


def _note(path: Path) -> None:
    try:
        os.setxattr(path, "user.note", b"1")
    except OSError:  # a file system without any: one more ordinary file
        return


def _archives(root: Path) -> None:
    for name, write in _ARCHIVES.items():
        (root / name).write_bytes(write())
        (root / name).chmod(0o640)


def _zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo("inside"), b"inside")
    return out.getvalue()


_ARCHIVES: Mapping[str, Callable[[], bytes]] = {
    "plain.tar": lambda: tar(_ARCHIVED),
    "packed.tar.gz": lambda: gzip.compress(tar(_ARCHIVED), mtime=0),
    "packed.tar.bz2": lambda: bz2.compress(tar(_ARCHIVED)),
    "packed.tar.xz": lambda: lzma.compress(tar(_ARCHIVED)),
    "odd.tar": lambda: tar(_ODD_ARCHIVED),
    "empty.tar": lambda: tar(()),
    "not-packed.gz": lambda: b"\x1f\x8b\x08 not really",
    "zip.zip": _zip,
}
