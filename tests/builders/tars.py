"""Layers for tests, made with Python's own tarfile so that they are independent of the writer under test."""

import io
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Member:
    """One tar member; `type` as tarfile has it."""

    name: str
    type: bytes = tarfile.REGTYPE
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    data: bytes = b""
    link: str = ""
    pax: dict[str, str] = field(default_factory=dict)


def directory(name: str, mode: int = 0o755, uid: int = 0, gid: int = 0) -> Member:
    return Member(name=f"{name}/", type=tarfile.DIRTYPE, mode=mode, uid=uid, gid=gid)


def file(name: str, data: bytes = b"x", mode: int = 0o644, uid: int = 0, gid: int = 0) -> Member:
    return Member(name=name, data=data, mode=mode, uid=uid, gid=gid)


def symlink(name: str, target: str) -> Member:
    return Member(name=name, type=tarfile.SYMTYPE, mode=0o777, link=target)


def hard_link(name: str, target: str) -> Member:
    return Member(name=name, type=tarfile.LNKTYPE, mode=0o755, link=target)


MEMBERS = (  # of each kind that a layer usually has
    directory("etc", 0o1755, 1, 2),
    file("etc/" + "n" * 200, b"x" * 1000),
    file("./etc//dotted"),
    symlink("etc/l", "t" * 300),
    hard_link("etc/h", "etc/dotted"),
    file("etc/é"),
    directory("big", uid=5_000_000),
)


def tar(members: Iterable[Member], format: int = tarfile.PAX_FORMAT) -> bytes:
    """One uncompressed layer."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as archive:
        for member in members:
            info = tarfile.TarInfo(member.name)
            info.type, info.mode, info.uid, info.gid = member.type, member.mode, member.uid, member.gid
            info.linkname, info.size, info.mtime = member.link, len(member.data), 1_000_000_000
            info.pax_headers = dict(member.pax)
            archive.addfile(info, io.BytesIO(member.data))
    return out.getvalue()


def odd_base(shell: bytes) -> list[list[Member]]:
    """The layers of a base with what goes wrong most: odd modes and owners, links, deletions, an opaque directory."""
    lower = [
        directory("etc"),
        file("etc/passwd", b"root:x:0:0::/root:/bin/sh\ncore:x:1000:1000::/:/bin/sh\n"),
        file("etc/group", b"root:x:0:\ncore:x:1000:\n"),
        file("etc/motd", b"hello\n", mode=0o600, uid=3, gid=4),
        directory("etc/conf.d", 0o755),
        file("etc/conf.d/lost"),
        directory("tmp", 0o1777),
        directory("root", 0o700),
        directory("srv", 0o2775, 5, 6),
        directory("var"),
        directory("var/home"),
        symlink("home", "var/home"),
        directory("usr"),
        directory("usr/bin", 0o555),
        symlink("bin", "usr/bin"),
        file("usr/bin/busybox", shell, mode=0o755),
        hard_link("usr/bin/sh", "usr/bin/busybox"),
        directory("opt"),
        directory("opt/old", 0o711),
        file("opt/old/f"),
        directory("opt/kept", 0o711, 9, 9),
        file("opt/kept/f"),
    ]
    upper = [
        directory("opt", 0o750, 7, 8),
        file("opt/.wh.old", b""),
        directory("etc/conf.d", 0o710, 1, 2),
        file("etc/conf.d/.wh..wh..opq", b""),
        file("etc/conf.d/a", b"a"),
    ]
    return [lower, upper]
