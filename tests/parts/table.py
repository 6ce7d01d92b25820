"""The parts others wrote that the tests run against: what each is, where it comes from, how to ask its version.

The one list that `require`, `make parts` and the report at the end of a test run share. It needs nothing but Python's
own library, because it is read before anything is installed.
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_ORACLE_SOURCES = Path(__file__).parent / "oracle"
_VERSION_TIMEOUT_SECONDS = 20


@dataclass(frozen=True, kw_only=True)
class Part:
    """One program. Exactly one of `packages`, `go_module` and `go_sources` says where it comes from."""

    name: str
    packages: Sequence[str] = ()
    version_argv: Sequence[str] = ()
    go_module: str = ""
    go_sources: Path | None = None

    @property
    def is_built(self) -> bool:
        """Whether it is compiled into the cache, rather than installed as a Debian package."""
        return not self.packages

    @property
    def wanted_stamp(self) -> str:
        """What a build in the cache must be of: a module's version, or the digest of our own sources."""
        if self.go_sources is None:
            return self.go_module.rpartition("@")[2]
        content = b"".join((self.go_sources / name).read_bytes() for name in ("go.mod", "go.sum", "main.go"))
        return f"sources {hashlib.sha256(content).hexdigest()[:12]}"

    @property
    def stamp(self) -> Path:
        """The file beside the program that says what it was built from."""
        return bin_directory() / f"{self.name}.version"


def _dpkg(package: str) -> Sequence[str]:
    return ("dpkg-query", "--show", "--showformat=${Version}", package)  # of programs that cannot say it themselves


PARTS = {
    part.name: part
    for part in (
        Part(name="git", packages=("git",), version_argv=("git", "--version")),
        Part(
            name="buildah",
            packages=("buildah", "crun", "runc", "fuse-overlayfs", "uidmap"),
            version_argv=("buildah", "--version"),
        ),
        Part(name="skopeo", packages=("skopeo",), version_argv=("skopeo", "--version")),
        Part(name="umoci", packages=("umoci",), version_argv=("umoci", "--version")),
        Part(name="docker-registry", packages=("docker-registry",), version_argv=("docker-registry", "--version")),
        Part(name="htpasswd", packages=("apache2-utils",), version_argv=_dpkg("apache2-utils")),
        Part(name="openssl", packages=("openssl",), version_argv=("openssl", "version")),
        Part(name="busybox", packages=("busybox-static",), version_argv=("busybox",)),
        Part(
            name="conformance",
            go_module="github.com/opencontainers/distribution-spec/conformance@v0.0.0-20260831232431-97274622c111",
        ),
        Part(name="crane", go_module="github.com/google/go-containerregistry/cmd/crane@v0.22.1"),
        Part(name="oracle", go_sources=_ORACLE_SOURCES),
    )
}


def cache_directory() -> Path:
    """Where built parts live: $LAYERWATCH_PARTS, else the user's cache directory."""
    given = os.environ.get("LAYERWATCH_PARTS")
    if given:
        return Path(given).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "layerwatch" / "parts"


def bin_directory() -> Path:
    """The programs in the cache."""
    return cache_directory() / "bin"


def find(part: Part) -> tuple[str, str]:
    """The path of its program and "", or "" and the reason why it is missing."""
    cached = bin_directory() / part.name
    if part.is_built and cached.is_file():
        built = part.stamp.read_text().strip() if part.stamp.is_file() else "something unknown"
        if built == part.wanted_stamp:
            return str(cached), ""
        return "", f"{part.name} in the parts cache was built from {built}, wanted is {part.wanted_stamp}"
    if part.is_built:
        return "", f"{part.name} is not in the parts cache"
    on_path = shutil.which(part.name) or shutil.which(part.name, path="/usr/sbin:/sbin")
    return (on_path, "") if on_path else ("", f"{part.name} is not installed (Debian package {part.packages[0]})")


def version(part: Part) -> str:
    """What the installed program says of itself, in a line; "unknown" when it says nothing."""
    if part.is_built:
        return part.wanted_stamp
    try:
        said = subprocess.run(part.version_argv, capture_output=True, text=True, timeout=_VERSION_TIMEOUT_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return next(iter((said.stdout or said.stderr).splitlines()), "unknown").strip()
