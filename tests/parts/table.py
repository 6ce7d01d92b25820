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

_HERE = Path(__file__).parent
_VERSION_TIMEOUT_SECONDS = 20
_SOURCES = (".go", ".json")
_KUBERNETES_VERSION = "v1.34.4"
_MAJOR, _MINOR = _KUBERNETES_VERSION[1:].split(".")[:2]
_GITEA = "code.gitea.io/gitea"
_GITEA_VERSION = "v1.26.0"
_WITHOUT_C = "containers_image_openpgp,containers_image_docker_daemon_stub,containers_image_storage_stub"
_TEKTON = "github.com/tektoncd/pipeline"
_TEKTON_VERSION = "v1.15.0"
_SAYS_ITS_VERSION = " ".join(  # Tekton refuses a server that does not know its own version
    f"-X k8s.io/component-base/version.{name}={value}"
    for name, value in (("gitVersion", _KUBERNETES_VERSION), ("gitMajor", _MAJOR), ("gitMinor", _MINOR))
)


@dataclass(frozen=True, kw_only=True)
class Part:
    """One program, or one directory of files. One of `packages`, `go_module`, `npm_package` says from where it is.

    Of an npm package, `NAME@VERSION`, `files` are single files, and nothing of it is run. With `npm_lock`, a directory
    of ours with a package.json and its lock, what is locked there is installed, as `files`, with all it depends on.
    With `go_sources`, a Go module of ours, `go_module` is built with the dependencies that are locked there; with
    `files`, these directories of it are copied and nothing is built. `go_tags` are build tags, separated by commas;
    `needs_cgo` means a C compiler.
    """

    name: str
    packages: Sequence[str] = ()
    version_argv: Sequence[str] = ()
    go_module: str = ""
    npm_package: str = ""
    npm_lock: Path | None = None
    go_sources: Path | None = None
    ldflags: str = ""
    go_tags: str = ""
    needs_cgo: bool = False
    files: Sequence[str] = ()
    is_test_asset: bool = False

    @property
    def is_built(self) -> bool:
        """Whether it goes into the cache, rather than being installed as a Debian package."""
        return not self.packages

    @property
    def wanted_stamp(self) -> str:
        """What the cache must hold it of: a module's version, and the digest of our own sources where there are any."""
        module_version = (self.go_module or self.npm_package).rpartition("@")[2]
        directory = self.go_sources or self.npm_lock
        if directory is None:
            return " ".join((module_version, *self.files))
        sources = sorted(path for path in directory.iterdir() if path.name.startswith("go.") or path.suffix in _SOURCES)
        content = b"".join(path.read_bytes() for path in sources) + (self.ldflags + self.go_tags).encode()
        return f"{module_version} sources {hashlib.sha256(content).hexdigest()[:12]}".lstrip()

    @property
    def installed(self) -> Path:
        """Where it stands in the cache, if it is there."""
        return cache_directory() / ("files" if self.files else "bin") / self.name

    @property
    def stamp(self) -> Path:
        """The file beside it that says what it was made from."""
        return self.installed.with_name(f"{self.name}.version")

    @property
    def test_asset(self) -> Path | None:
        """The program in $KUBEBUILDER_ASSETS, where Kubernetes developers keep theirs: it goes before a built one."""
        directory = os.environ.get("KUBEBUILDER_ASSETS")
        return Path(directory).absolute() / self.name if directory and self.is_test_asset else None


def _dpkg(package: str) -> Sequence[str]:
    return ("dpkg-query", "--show", "--showformat=${Version}", package)  # of programs that cannot say it themselves


def _kubernetes(name: str, *, version_argv: Sequence[str] = (), is_test_asset: bool = False) -> Part:
    return Part(
        name=name,
        go_sources=_HERE / "kubernetes",
        go_module=f"k8s.io/kubernetes/cmd/{name}@{_KUBERNETES_VERSION}",
        ldflags=_SAYS_ITS_VERSION,
        version_argv=version_argv,
        is_test_asset=is_test_asset,
    )


def _tekton(program: str) -> Part:
    return Part(
        name=f"tekton-{program}",
        go_sources=_HERE / "tekton",
        go_module=f"{_TEKTON}/cmd/{program}@{_TEKTON_VERSION}",
    )


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
        Part(name="gpg", packages=("gpg", "gpgconf", "gpg-agent"), version_argv=("gpg", "--version")),
        Part(name="gpgv", packages=("gpgv",), version_argv=("gpgv", "--version")),
        Part(name="openssl", packages=("openssl",), version_argv=("openssl", "version")),
        Part(name="busybox", packages=("busybox-static",), version_argv=("busybox",)),
        Part(
            name="conformance",
            go_module="github.com/opencontainers/distribution-spec/conformance@v0.0.0-20260831232431-97274622c111",
        ),
        Part(name="crane", go_module="github.com/google/go-containerregistry/cmd/crane@v0.22.1"),
        # One version is enough: the third writes and reads both its own form and the second's.
        Part(name="cosign", go_module="github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3"),
        Part(name="actionlint", go_module="github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"),
        Part(name="act", go_module="github.com/nektos/act@v0.2.89"),
        Part(name="oracle", go_sources=_HERE / "oracle", go_tags=_WITHOUT_C),
        Part(
            name="etcd",
            go_sources=_HERE / "etcd",
            go_module="go.etcd.io/etcd/server/v3@v3.6.4",
            version_argv=("--version",),
            is_test_asset=True,
        ),
        _kubernetes("kube-apiserver", version_argv=("--version",), is_test_asset=True),
        _kubernetes("kube-controller-manager"),
        _kubernetes("kubectl", version_argv=("version", "--client"), is_test_asset=True),
        Part(
            name="openshift-api",
            go_module="github.com/openshift/api@v0.0.0-20260728120005-8ba0b25b0f29",
            files=("payload-manifests/crds", "config/v1/zz_generated.crd-manifests"),
        ),
        Part(
            name="prometheus-operator",
            go_module="github.com/prometheus-operator/prometheus-operator@v0.85.0",
            files=("example/prometheus-operator-crd",),
        ),
        Part(
            name="promtool",
            go_sources=_HERE / "prometheus",
            go_module="github.com/prometheus/prometheus/cmd/promtool@v0.308.1",
        ),
        Part(
            name="gitea",
            go_sources=_HERE / "gitea",
            go_module=f"{_GITEA}@{_GITEA_VERSION}",
            go_tags="sqlite,sqlite_unlock_notify",
            needs_cgo=True,
        ),
        Part(name="gitea-files", go_module=f"{_GITEA}@{_GITEA_VERSION}", files=("options", "public", "templates")),
        Part(name="github-api", npm_package="@octokit/openapi@23.0.2", files=("generated/api.github.com.json",)),
        # A GitHub that others wrote, and the Node.js it runs on. Its default tag is another program.
        Part(name="emulate", npm_package="emulate@0.12.2", npm_lock=_HERE / "emulate", files=("node_modules",)),
        Part(name="tekton-manifests", go_module=f"{_TEKTON}@{_TEKTON_VERSION}", files=("config",)),
        *(_tekton(program) for program in ("controller", "webhook", "entrypoint", "workingdirinit")),
    )
}


def cache_directory() -> Path:
    """Where built parts live: $LAYERWATCH_PARTS, else the user's cache directory."""
    given = os.environ.get("LAYERWATCH_PARTS")
    if given:
        return Path(given).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "layerwatch" / "parts"


def find(part: Part) -> tuple[str, str]:
    """The path of it and "", or "" and the reason why it is missing."""
    if part.test_asset is not None and part.test_asset.is_file():
        return str(part.test_asset), ""
    if part.is_built:
        return _find_in_cache(part)
    on_path = shutil.which(part.name) or shutil.which(part.name, path="/usr/sbin:/sbin")
    return (on_path, "") if on_path else ("", f"{part.name} is not installed (Debian package {part.packages[0]})")


def _find_in_cache(part: Part) -> tuple[str, str]:
    if not part.installed.exists():
        return "", f"{part.name} is not in the parts cache"
    made_from = part.stamp.read_text().strip() if part.stamp.is_file() else "something unknown"
    if made_from != part.wanted_stamp:
        return "", f"{part.name} in the parts cache was made from {made_from}, wanted is {part.wanted_stamp}"
    return str(part.installed), ""


def version(part: Part) -> str:
    """What the installed program says of itself, in a line; "unknown" when it says nothing."""
    argv = part.version_argv
    if part.is_built:
        if part.test_asset is None or not part.test_asset.is_file():
            return part.wanted_stamp
        argv = (str(part.test_asset), *part.version_argv)
    try:
        said = subprocess.run(argv, capture_output=True, text=True, timeout=_VERSION_TIMEOUT_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return next(iter((said.stdout or said.stderr).splitlines()), "unknown").strip()
