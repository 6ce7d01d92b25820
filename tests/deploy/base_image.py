"""A base image made on the spot of this machine's own Python, git and buildah, in place of Red Hat's.

It has what the Containerfile needs of one: python3 with pip, a shell, git, buildah. There is no microdnf in it, so that
a build which would install something fails.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

_NOT_NEEDED = ("site-packages", "dist-packages", "test", "tests", "idlelib", "tkinter", "turtledemo", "lib2to3")
_APPLETS = ("sh", "chmod", "ls", "cat", "id", "touch", "mkdir", "rm", "env", "true")
_FOR_WHEELS = ("libgcc_s.so.1", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libutil.so.1", "libstdc++.so.6")
_LOADED = re.compile(r"(?:=> )?(/\S+) \(0x")


def write_root(root: Path, *, busybox: Path, programs: Iterable[Path]) -> None:
    """Fill `root` with a small system in which `programs`, such as git, and python3 run."""
    for directory in ("etc", "usr/bin", "var/tmp", "proc", "dev", "sys"):
        (root / directory).mkdir(parents=True)
    (root / "tmp").mkdir(mode=0o1777)
    (root / "bin").symlink_to("usr/bin")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\n")
    shutil.copy2(busybox, root / "usr/bin/busybox")
    for applet in _APPLETS:
        (root / "usr/bin" / applet).symlink_to("busybox")
    python = Path(sys.executable).resolve()  # not the virtual environment's link to it
    for program in (python, *programs):
        _copy(program, root)
        link = root / "usr/bin" / ("python3" if program == python else program.name)
        if not link.exists():
            link.symlink_to(program)
    _copy_python(root)
    _copy_git_commands(root)
    _copy_libraries(root)


def _copy_python(root: Path) -> None:
    """The standard library, and pip beside it: where the base's own modules lie differs from system to system."""
    library = Path(os.__file__).parent
    ignored = shutil.ignore_patterns(*_NOT_NEEDED, "__pycache__", "config-*")
    shutil.copytree(library, root / library.relative_to("/"), ignore=ignored, symlinks=False)
    found = importlib.util.find_spec("pip")
    assert found is not None
    assert found.origin is not None
    pip = Path(found.origin).parent
    shutil.copytree(pip, root / library.relative_to("/") / "pip", ignore=shutil.ignore_patterns("__pycache__"))


def _copy_git_commands(root: Path) -> None:
    directory = Path(subprocess.run(["git", "--exec-path"], check=True, capture_output=True, text=True).stdout.strip())
    for command in ("git-remote-http", "git-remote-https", "git-upload-pack", "git-receive-pack"):
        if (directory / command).exists():
            _copy(directory / command, root)


def _copy_libraries(root: Path) -> None:
    """The shared libraries of everything that is there, at the places where the loader looks for them."""
    binaries = [path for path in root.rglob("*") if path.is_file() and not path.is_symlink() and _is_elf(path)]
    said = subprocess.run(["ldd", *map(str, binaries)], capture_output=True, text=True, check=False).stdout
    for library in sorted({match[1] for match in _LOADED.finditer(said)}):
        if not library.startswith(str(root)):
            _copy(Path(library), root)
    libc = Path("/") / next(root.rglob("libc.so.6")).relative_to(root)
    for name in _FOR_WHEELS:
        _copy(libc.with_name(name), root)


def _is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def _copy(file: Path, root: Path) -> None:
    """The file a path leads to, at that path."""
    target = root / file.relative_to("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        shutil.copy2(file.resolve(), target)
