"""buildah: its argv is a function of the request, and its words become our errors."""

from pathlib import Path
from typing import Any

import pytest

from layering.errors import ExitCode
from layering.reasons import Reason
from layering.registry.settings import RegistrySettings
from pipeline.builders.buildah import (
    bud_argv,
    storage_flags,
    text_for,
)
from pipeline.builders.buildah_failure import buildah_failure
from pipeline.builders.buildah_registries import certificate_directory, registries_environment
from tests.builders.building import BASE, build_request, platform_base

ALWAYS = ("--isolation=chroot", "--format=oci", "--layers=false", "--force-rm", "--timestamp=1762000200")


@pytest.mark.parametrize(
    ("changes", "flags"),
    [
        pytest.param({}, [], id="nothing but the base"),
        pytest.param(
            {"build_args": {"B": "2", "A": "x y"}}, ["--build-arg=A=x y", "--build-arg=B=2"], id="build arguments"
        ),
        pytest.param(
            {"labels": {"layerwatch.build-key": "k", "a": ""}}, ["--label=a=", "--label=layerwatch.build-key=k"],
            id="labels",
        ),
    ],
)  # fmt: skip
def test_argv(changes: dict[str, Any], flags: list[str]) -> None:
    argv = bud_argv(build_request(**changes), platform_base(), "localhost/x:build", Path("/w/Containerfile"), ())
    assert argv == (
        "bud",
        *ALWAYS,
        "--platform=linux/amd64",
        *flags,
        "--file=/w/Containerfile",
        "--tag=localhost/x:build",
        "/context",
    )


def test_argv_names_the_ignore_file_that_stands_beside_the_containerfile(tmp_path: Path) -> None:
    """buildah is given a copy of the Containerfile, and would look for it there."""
    (tmp_path / "Containerfile.dockerignore").touch()
    argv = bud_argv(build_request(context=tmp_path), platform_base(), "n", Path("/w/Containerfile"), ())
    assert f"--ignorefile={tmp_path / 'Containerfile.dockerignore'}" in argv


def test_argv_names_platform_and_credentials() -> None:
    argv = bud_argv(build_request(), platform_base("arm64"), "n", Path("C"), ("--authfile", "a", "--cert-dir", "c"))
    assert "--platform=linux/arm64" in argv
    assert argv[argv.index("--authfile") : argv.index("--authfile") + 4] == ("--authfile", "a", "--cert-dir", "c")


def test_storage_of_its_own_wants_three_flags() -> None:
    assert storage_flags(None) == ()
    assert storage_flags(None, "vfs") == ("--storage-driver", "vfs")
    assert storage_flags(Path("/s")) == ("--root", "/s", "--runroot", "/s/run", "--storage-driver", "overlay")


def test_the_platforms_own_manifest_takes_the_place_of_the_index() -> None:
    base = platform_base("arm64", raw=b"another")
    request = build_request(f"ARG B={BASE}\nFROM $B\n", build_args={"B": str(BASE)})
    assert text_for(request, base) == f"ARG B={BASE.repository}@{base.manifest.digest}\nFROM $B\n"
    argv = bud_argv(request, base, "n", Path("C"), ())
    assert f"--build-arg=B={BASE.repository}@{base.manifest.digest}" in argv


def test_registries_conf_adds_to_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "own.conf"
    own.write_text('unqualified-search-registries = ["docker.io"]\n')
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(own))
    settings = RegistrySettings(insecure=frozenset({"b:1", "a:1"}))
    written = Path(registries_environment(settings, tmp_path)["CONTAINERS_REGISTRIES_CONF"]).read_text()
    assert written == (
        'unqualified-search-registries = ["docker.io"]\n'
        '\n[[registry]]\nprefix = "a:1"\nlocation = "a:1"\ninsecure = true\n'
        '\n[[registry]]\nprefix = "b:1"\nlocation = "b:1"\ninsecure = true\n'
    )
    assert registries_environment(RegistrySettings(), tmp_path) == {}


def test_a_ca_is_laid_out_as_buildah_wants_it(tmp_path: Path) -> None:
    ca = tmp_path / "any.pem"
    ca.write_text("PEM")
    directory = certificate_directory(RegistrySettings(ca_file=ca), tmp_path)
    assert directory is not None
    assert (directory / "ca.crt").read_text() == "PEM"
    assert certificate_directory(RegistrySettings(), tmp_path) is None


DUMP = 'error during bulk transfer for copier.request{Request:"GET", Root:"/", Rename:map[string]string(nil)}: '


@pytest.mark.parametrize(
    ("stderr", "exit_code", "reason", "message"),
    [
        pytest.param(
            'boom\nsubprocess exited with status 42\nError: building at STEP "RUN exit 42": exit status 42',
            7, Reason.BUILD_FAILED, "boom", id="a RUN that fails",
        ),
        pytest.param(
            'Error: building at STEP "RUN /x": exit status 1', 7, Reason.BUILD_FAILED, "last words", id="its stdout"
        ),
        pytest.param(
            'exec /bin/sh: exec format error\nError: building at STEP "RUN true": exit status 1',
            7, Reason.BUILD_FAILED, "emulation", id="a RUN for another architecture",
        ),
        pytest.param(
            'Error: building at STEP "FOO ": Build error: Unknown instruction: "FOO" &imagebuilder.Step{}',
            2, Reason.BUILD_MISCONFIGURED, "Unknown instruction", id="an unknown instruction",
        ),
        pytest.param(
            'Error: building at STEP "COPY onlyone": COPY requires at least one argument',
            2, Reason.BUILD_MISCONFIGURED, "at least one argument", id="a COPY with too little",
        ),
        pytest.param(
            'Error: building at STEP "COPY no /x": checking on sources under "/c": copier: stat: "/no": no such file '
            "or directory", 2, Reason.BUILD_MISCONFIGURED, "no such file", id="a missing source",
        ),
        pytest.param(
            f'Error: building at STEP "COPY a /l": reading "/c/a": {DUMP}copier: get: lstat "/a": no such file',
            2, Reason.BUILD_MISCONFIGURED, '"/c/a": copier: get', id="without the copier's dump",
        ),
        pytest.param(
            "Error: COPY --from=zzz: no stage or image found with that name",
            2, Reason.BUILD_MISCONFIGURED, "no stage", id="a missing stage",
        ),
        pytest.param(
            "Trying to pull r/none:1...\nError: COPY --from=r/none:1: no stage or image found with that name",
            3, Reason.REGISTRY_REFUSED, "copies from", id="a COPY --from an image that is not there",
        ),
        pytest.param(
            'Trying to pull r/none:1...\ntime="x" level=warning msg="Failed, retrying in 2s: dial tcp"\n'
            "Error: COPY --from=r/none:1: no stage or image found with that name",
            4, Reason.REGISTRY_UNAVAILABLE, "copies from", id="a COPY --from a registry that is not there",
        ),
        pytest.param('Error: no contents in "/cf"', 2, Reason.BUILD_MISCONFIGURED, "no contents", id="an empty file"),
        pytest.param(
            'Error: resolving step {Value:copy}: unexpected end of statement while looking for matching double-quote',
            2, Reason.BUILD_MISCONFIGURED, "double-quote", id="an open quote",
        ),
        pytest.param(
            "Error: creating build container: initializing source docker://r/none:1: reading manifest 1 in r/none: "
            "manifest unknown: manifest unknown", 3, Reason.REGISTRY_REFUSED, "manifest unknown", id="no such image",
        ),
        pytest.param(
            "Error: creating build container: initializing source docker://r/x:1: unable to retrieve auth token: "
            "invalid username/password: unauthorized", 3, Reason.REGISTRY_REFUSED, "credentials", id="no credentials",
        ),
        pytest.param(
            'Error: creating build container: initializing source docker://r/x:1: pinging container registry r: Get '
            '"https://r/v2/": x509: certificate signed by unknown authority',
            3, Reason.REGISTRY_REFUSED, "CA", id="no trust",
        ),
        pytest.param(
            'Error: creating build container: initializing source docker://r/x:1: pinging container registry r: Get '
            '"https://r/v2/": dial tcp 127.0.0.1:1: connect: connection refused',
            4, Reason.REGISTRY_UNAVAILABLE, "connection refused", id="no connection",
        ),
        pytest.param(
            'Error: building at STEP "ADD http://h/x /a": reading "http://h/x": Get "http://h/x": dial tcp: refused',
            4, Reason.REGISTRY_UNAVAILABLE, "could not download", id="an ADD that cannot download",
        ),
        pytest.param(
            'Error: building at STEP "RUN x": writing: no space left on device',
            4, Reason.REGISTRY_UNAVAILABLE, "make room", id="a full disk",
        ),
        pytest.param("segfault", 7, Reason.BUILD_FAILED, "segfault", id="something else"),
        pytest.param("", 7, Reason.BUILD_FAILED, "buildah could not build", id="nothing at all"),
    ],
)  # fmt: skip
def test_failures(stderr: str, exit_code: int, reason: Reason, message: str) -> None:
    error = buildah_failure("last words", stderr)
    assert (error.exit_code, error.reason) == (ExitCode(exit_code), reason)
    assert message in str(error)
    assert error.next_step


def test_a_failing_run_shows_the_end_of_its_output_only() -> None:
    lines = "\n".join(f"line {number}" for number in range(1000))
    error = buildah_failure(lines, 'Error: building at STEP "RUN make": exit status 2')
    assert "line 999" in str(error)
    assert "line 900" not in str(error)
