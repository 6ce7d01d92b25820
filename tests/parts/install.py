"""`make parts`: install every real part that is missing, as Debian packages or built with Go into the parts cache.

It asks nothing. Debian packages need root, and it says so; what can be built without root is built all the same.
It does not upgrade what is there in the wanted version.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.parts.table import PARTS, Part, bin_directory, find, version

_NONINTERACTIVE = {"DEBIAN_FRONTEND": "noninteractive"}


def main() -> int:
    """Install, print the list, and return 1 when a part is still missing."""
    missing = [part for part in PARTS.values() if not find(part)[0]]
    problems = [*_install_packages([p for p in missing if not p.is_built]), *_build([p for p in missing if p.is_built])]
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
        lines.append(f"  {part.name:<16} {version(part)} ({path})" if path else f"  {part.name:<16} missing: {reason}")
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
        return [f"Go is not installed, which builds {', '.join(p.name for p in parts)}; install Go 1.26.8 or newer"]
    bin_directory().mkdir(parents=True, exist_ok=True)
    problems = []
    for part in parts:
        if _ran(_build_argv(part), {"GOBIN": str(bin_directory()), "CGO_ENABLED": "0"}, cwd=part.go_sources) == 0:
            part.stamp.write_text(part.wanted_stamp + "\n")
        else:
            problems.append(f"{part.name} could not be built; the messages of go stand above")
    return problems


def _build_argv(part: Part) -> Sequence[str]:
    flags = ["-trimpath", "-buildvcs=false", "-ldflags=-s -w"]
    if part.go_sources is None:
        return ["go", "install", *flags, part.go_module]
    return ["go", "build", *flags, "-o", str(bin_directory() / part.name), "."]


def _ran(argv: Sequence[str], environment: dict[str, str], cwd: Path | None = None) -> int:
    print(f"make parts: {' '.join(argv)}", flush=True)
    started = time.monotonic()
    code = subprocess.run(
        argv, env={**os.environ, **environment}, cwd=cwd, stdin=subprocess.DEVNULL, check=False
    ).returncode
    print(f"make parts: {time.monotonic() - started:.0f} s", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
