"""`make parts`: install every real part that is missing, as Debian packages or built with Go into the parts cache.

It asks nothing. Debian packages need root, and it says so; what can be built without root is built all the same.
It does not upgrade what is there in the wanted version.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from pathlib import Path

from tests.parts.table import PARTS, Part, cache_directory, find, version

_NONINTERACTIVE = {"DEBIAN_FRONTEND": "noninteractive"}


def main() -> int:
    """Install, print the list, and return 1 when a part is still missing."""
    missing = [part for part in PARTS.values() if not find(part)[0]]
    problems = [
        *_install_packages([p for p in missing if not p.is_built]),
        *_build([p for p in missing if p.is_built and not p.npm_package]),
        *_unpack([p for p in missing if p.npm_package]),
    ]
    for line in report():
        print(line)
    for problem in problems:
        print(f"make parts: {problem}", file=sys.stderr)
    return 1 if problems else 0


def report() -> list[str]:
    """One line for each part: its version and path, or why it is missing."""
    lines = []
    for part in PARTS.values():
        path, reason = find(part)
        lines.append(f"  {part.name:<23} {version(part)} ({path})" if path else f"  {part.name:<23} missing: {reason}")
    return lines


def _install_packages(parts: Sequence[Part]) -> list[str]:
    packages = sorted({package for part in parts for package in part.packages})
    if not packages:
        return []
    by_hand = f"apt-get install --yes --no-install-recommends {' '.join(packages)}"
    if shutil.which("apt-get") is None:
        return [f"there is no apt-get on this machine; install by other means: {', '.join(p.name for p in parts)}"]
    if os.geteuid() != 0:
        return [f"Debian packages need root; run: sudo {by_hand}"]
    for argv in (["apt-get", "--quiet", "update"], by_hand.split()):
        if _ran(argv, _NONINTERACTIVE) != 0:
            return [f"failed: {' '.join(argv)}"]
    return []


def _build(parts: Sequence[Part]) -> list[str]:
    if parts and shutil.which("go") is None:
        return [f"Go is not installed, which makes {', '.join(p.name for p in parts)}; install Go 1.26.8 or newer"]
    problems = []
    for group in _built_together(parts):
        with tempfile.TemporaryDirectory(dir=_cache()) as made:  # beside its place, so that moving it there is one step
            if (_copy_files if group[0].files else _compile)(group, Path(made)):
                for part in group:
                    _put(Path(made) / part.name, part)
            else:
                problems.append(f"{', '.join(p.name for p in group)}: not made; the messages of go stand above")
    return problems


def _unpack(parts: Sequence[Part]) -> list[str]:
    """Files of npm packages, of which nothing is run: neither here nor by npm."""
    if parts and shutil.which("npm") is None:
        return [f"npm is not installed, which fetches {', '.join(p.name for p in parts)}; install Node.js"]
    problems = []
    for part in parts:
        with tempfile.TemporaryDirectory(dir=_cache()) as made:
            unpacked = Path(made) / part.name
            if not (_unpack_one if part.npm_lock is None else _install_locked)(part, unpacked):
                problems.append(f"{part.name}: not fetched; the messages of npm stand above")
                continue
            _put(unpacked, part)
    return problems


def _unpack_one(part: Part, into: Path) -> bool:
    """Without what it depends on."""
    if _ran(["npm", "pack", "--ignore-scripts", part.npm_package], {}, cwd=into.parent) != 0:
        return False
    with tarfile.open(next(into.parent.glob("*.tgz"))) as package:
        for name in part.files:
            package.extract(f"package/{name}", into.parent, filter="data")
    (into.parent / "package").rename(into)
    return True


def _install_locked(part: Part, into: Path) -> bool:
    assert part.npm_lock is not None
    shutil.copytree(part.npm_lock, into)
    return _ran(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], {}, cwd=into) == 0


def _cache() -> Path:
    cache_directory().mkdir(parents=True, exist_ok=True)
    return cache_directory()


def _built_together(parts: Sequence[Part]) -> Iterable[list[Part]]:
    """Programs of one module of ours share most of their packages, and are linked side by side."""
    groups: dict[str, list[Part]] = {}
    for part in parts:
        groups.setdefault(str(part.go_sources) if part.go_sources else part.name, []).append(part)
    return groups.values()


def _compile(parts: Sequence[Part], directory: Path) -> bool:
    first = parts[0]
    flags = ["-trimpath", "-buildvcs=false", f"-ldflags=-s -w {first.ldflags}".rstrip()]
    flags += [f"-tags={first.go_tags}"] if first.go_tags else []
    environment = {"CGO_ENABLED": "1" if first.needs_cgo else "0", "GOBIN": str(directory)}
    if first.go_sources is None:
        return _ran(["go", "install", *flags, first.go_module], environment) == 0
    packages = [part.go_module.partition("@")[0] or "." for part in parts]
    argv = ["go", "build", "-mod=readonly", *flags, "-o", str(directory) + os.sep, *packages]
    if _ran(argv, environment, cwd=first.go_sources) != 0:
        return False
    for part in parts:
        (directory / _name_by_go(part)).rename(directory / part.name)
    return True


def _name_by_go(part: Part) -> str:
    """What `go build` calls the program: the last element of its package's path that is no major version."""
    elements = part.go_module.partition("@")[0].split("/")
    if len(elements) == 1:
        return part.name
    return elements[-2] if re.fullmatch(r"v[0-9]+", elements[-1]) else elements[-1]


def _copy_files(parts: Sequence[Part], directory: Path) -> bool:
    """Copied, so that the tests need no Go and nobody's clean-up of Go's cache takes them away."""
    (part,) = parts
    answer = directory / "answer.json"
    if _ran(["go", "mod", "download", "-json", part.go_module], {}, cwd=directory, stdout=answer) != 0:
        return False
    module = Path(json.loads(answer.read_bytes())["Dir"])
    for name in part.files:
        shutil.copytree(module / name, directory / part.name / name, copy_function=shutil.copyfile)
    for made in (directory / part.name).rglob("*"):
        made.chmod(0o755 if made.is_dir() else 0o644)  # Go's cache is read-only, which nobody could replace later
    return True


def _put(made: Path, part: Part) -> None:
    part.stamp.unlink(missing_ok=True)
    part.installed.parent.mkdir(parents=True, exist_ok=True)
    if part.installed.is_dir():
        shutil.rmtree(part.installed)
    made.replace(part.installed)
    part.stamp.write_text(part.wanted_stamp + "\n")


def _ran(argv: Sequence[str], environment: dict[str, str], cwd: Path | None = None, stdout: Path | None = None) -> int:
    print(f"make parts: {' '.join(argv)}", flush=True)
    started = time.monotonic()
    with stdout.open("wb") if stdout else nullcontext() as output:
        code = subprocess.run(
            argv, env={**os.environ, **environment}, cwd=cwd, stdin=subprocess.DEVNULL, stdout=output, check=False
        ).returncode
    print(f"make parts: {time.monotonic() - started:.0f} s", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
