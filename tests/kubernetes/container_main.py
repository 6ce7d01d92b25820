"""The first process of a test container: makes its root directory and its mounts, then becomes the command.

    python -m tests.kubernetes.container_main SPEC.json

SPEC is a container.Spec as JSON. The root directory is the machine's own, seen through an overlay: the container writes
where it likes and the machine keeps what it has. It is process 1 of a PID namespace, so that killing it kills all that
it started. Root needs no user namespace; anybody else gets one, and is root in it.

It separates neither network, users, nor resources, and what the machine has mounted somewhere (/sys, a disk) is
shared with it.
"""

import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.kubernetes import namespaces as ns

_DEVICES = Path("/dev")
_DEVICE_NAMES = ("null", "zero", "full", "random", "urandom", "tty", "fuse", "pts", "shm")
_CANNOT_RUN, _NOT_FOUND = 126, 127  # as a shell says it


def main() -> int:
    """Run the container's command and return its exit code; 128 + N when signal N ended it."""
    spec = json.loads(Path(sys.argv[1]).read_text())
    ns.die_with_parent()
    ns.unshare(ns.NEW_MOUNTS | ns.NEW_PROCESSES)
    child = os.fork()
    if child == 0:
        _become(spec)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: os.kill(child, received))
    return _exit_code(os.waitpid(child, 0)[1])


def _exit_code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _become(spec: Mapping[str, Any]) -> None:
    """In the child: never returns."""
    try:
        ns.die_with_parent()
        _enter_root(Path(spec["scratch"]), spec["mounts"])
        Path(spec["working_dir"]).mkdir(parents=True, exist_ok=True)
        os.chdir(spec["working_dir"])
    except OSError as error:
        print(f"the container could not be made: {error}", file=sys.stderr)
        os._exit(_CANNOT_RUN)
    try:
        os.execvpe(spec["argv"][0], spec["argv"], spec["env"])
    except OSError as error:
        print(f"{spec['argv'][0]}: {error.strerror}", file=sys.stderr)
        os._exit(_NOT_FOUND)


def _enter_root(scratch: Path, mounts: Sequence[Mapping[str, Any]]) -> None:
    ns.mount("", "/", "", ns.RECURSIVE | ns.PRIVATE)
    ns.mount("tmpfs", str(scratch), "tmpfs", 0, "mode=755")
    root = scratch / "root"
    root.mkdir()
    ns.mount(str(root), str(root), "", ns.BIND)
    mounted = _mounted()
    _make_devices(root / "dev")
    for entry in sorted(Path("/").iterdir()):
        if entry != _DEVICES:
            _show(entry, root / entry.name, scratch, [path for path in mounted if entry in (path, *path.parents)])
    for mount in sorted(mounts, key=lambda m: str(m["target"])):  # a directory before what lies in it
        _bind(Path(mount["source"]), root / str(mount["target"]).lstrip("/"), read_only=mount["read_only"])
    os.chdir(root)
    ns.mount(".", "/", "", ns.MOVE)  # and not a mere chroot, in which the kernel allows no user namespaces
    os.chroot(".")
    os.chdir("/")
    _see_only_own_processes()


def _mounted() -> Sequence[Path]:
    """Where the machine has mounts, sorted, so that one stands before what is mounted in it; see proc(5)."""
    return sorted(Path(line.split(" ")[4]) for line in Path("/proc/self/mountinfo").read_text().splitlines())


def _make_devices(target: Path) -> None:
    """Those that every container has, in a directory of its own, where it may make files as well."""
    target.mkdir()
    for name in _DEVICE_NAMES:
        device = _DEVICES / name
        if device.exists():
            _bind(device, target / name, read_only=False)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        (target / name).symlink_to(f"/proc/self/fd/{number}")
    (target / "fd").symlink_to("/proc/self/fd")
    (target / "ptmx").symlink_to("pts/ptmx")


def _show(entry: Path, target: Path, scratch: Path, mounted: Sequence[Path]) -> None:
    """`entry` of the machine's root directory in the container's; `mounted` lie at or below it."""
    if entry.is_symlink():
        target.symlink_to(entry.readlink())
    elif entry.is_dir():
        target.mkdir()
        if entry in mounted or not _overlay(entry, target, scratch):
            ns.mount(str(entry), str(target), "", ns.BIND | ns.RECURSIVE)
        else:
            _show_mounts(entry, target, mounted)


def _show_mounts(entry: Path, target: Path, mounted: Sequence[Path]) -> None:
    """An overlay does not show what is mounted below its lower directory."""
    shown: list[Path] = []
    for path in mounted:
        if not any(outer in path.parents for outer in shown):
            with suppress(FileNotFoundError):  # it was unmounted just now
                ns.mount(str(path), str(target / path.relative_to(entry)), "", ns.BIND | ns.RECURSIVE)
            shown.append(path)


def _overlay(entry: Path, target: Path, scratch: Path) -> bool:
    """False where the kernel refuses: in a user namespace nothing with mounts in it may be a lower directory."""
    upper, work = scratch / "upper" / entry.name, scratch / "work" / entry.name
    upper.mkdir(parents=True)
    upper.chmod(entry.stat().st_mode & 0o7777)  # what is merged has the mode of the upper: /tmp its sticky bit
    work.mkdir(parents=True)
    try:
        ns.mount("overlay", str(target), "overlay", 0, f"lowerdir={entry},upperdir={upper},workdir={work},userxattr")
    except OSError:
        return False
    return True


def _bind(source: Path, target: Path, *, read_only: bool) -> None:
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    ns.mount(str(source), str(target), "", ns.BIND | ns.RECURSIVE)
    if read_only:
        ns.mount("", str(target), "", ns.BIND | ns.REMOUNT | ns.READ_ONLY)


def _see_only_own_processes() -> None:
    """Mount /proc of our PID namespace. Where that is refused (nested containers), the machine's stays."""
    try:
        ns.mount("proc", "/proc", "proc", ns.NO_SUID)
    except PermissionError:
        return


if __name__ == "__main__":
    sys.exit(main())
