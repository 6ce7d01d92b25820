"""layerwatch's own image: built by buildah from the Containerfile, on a base made on the spot, and run as in a pod.

A pod is played by the image's tree mounted read-only, with a /tmp of its own and a user that nobody has heard of. The
libraries come from the package index, through pip's own cache.
"""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.deploy.base_image import write_root
from tests.parts import require

ROOT = Path(__file__).parents[2]
_USER, _GROUP = 1000680000, 0  # as OpenShift makes them up
_BUILD_SECONDS = 300
_IMPORTS = "import kubernetes.client.rest, kubernetes.config, apscheduler, prometheus_client; print('all there')"


@dataclass(frozen=True, kw_only=True)
class Storage:
    """A container storage of its own."""

    buildah: str
    root: Path

    def run(self, *arguments: str, timeout: int = _BUILD_SECONDS) -> str:
        argv = [self.buildah, "--root", str(self.root), "--runroot", f"{self.root}/run", "--storage-driver", "overlay"]
        done = subprocess.run([*argv, *arguments], capture_output=True, text=True, timeout=timeout, check=False)
        assert done.returncode == 0, f"{arguments[0]}: {done.stdout[-2000:]} {done.stderr[-3000:]}"
        return done.stdout.strip()


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    if os.geteuid() != 0:
        pytest.skip("mounting an image needs root")
    storage = Storage(buildah=require("buildah"), root=tmp_path_factory.mktemp("containers"))
    yield storage
    storage.run("rm", "--all")
    storage.run("rmi", "--all", "--force")
    subprocess.run(["umount", str(storage.root / "overlay")], capture_output=True, check=False)


@pytest.fixture(scope="module")
def base(storage: Storage, tmp_path_factory: pytest.TempPathFactory) -> str:
    root = tmp_path_factory.mktemp("base") / "root"
    root.mkdir()
    write_root(root, busybox=Path(require("busybox")), programs=[Path(require("git")), Path(require("buildah"))])
    container = storage.run("from", "scratch")
    storage.run("copy", "--quiet", container, f"{root}/", "/")
    storage.run("config", "--env", "PATH=/usr/bin:/bin", container)
    storage.run("commit", "--quiet", container, "base")
    shutil.rmtree(root)
    return "localhost/base"


EXTRAS = ("cluster", "watcher", "verify", "sign")  # those that the Containerfile asks for, and what they ask for


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The libraries that layerwatch asks for, in the locked versions, and what builds its own wheel."""
    directory = tmp_path_factory.mktemp("wheels")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    asked = [*project["project"]["dependencies"], *(each for name in EXTRAS for each in extras[name])]
    wanted = [*(one for one in asked if not one.startswith("layerwatch")), *project["build-system"]["requires"]]
    argv = [sys.executable, "-m", "pip", "wheel", "--quiet", "--constraint", str(ROOT / "constraints.txt")]
    subprocess.run([*argv, "--wheel-dir", str(directory), *wanted], check=True, timeout=_BUILD_SECONDS)
    return directory


@pytest.fixture(scope="module", params=["watcher", "step"])
def image(request: pytest.FixtureRequest, storage: Storage, base: str, wheels: Path) -> str:
    """One target of the Containerfile. The stages they share are built once."""
    name = f"layerwatch-{request.param}"
    storage.run(
        "build",
        "--isolation=chroot",
        "--layers",
        "--pull-never",
        f"--build-arg=BASE_IMAGE={base}",
        "--build-arg=PIP_NO_INDEX=1",
        "--build-arg=PIP_FIND_LINKS=/wheels",
        f"--volume={wheels}:/wheels:ro",
        f"--target={request.param}",
        f"--ignorefile={ROOT / '.containerignore'}",
        f"--file={ROOT / 'Containerfile'}",
        f"--tag={name}",
        str(ROOT),
    )
    return name


@pytest.fixture(scope="module")
def tree(storage: Storage, image: str) -> Path:
    return Path(storage.run("mount", storage.run("from", "--pull-never", image)))


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        pytest.param(("layerwatch", "--help"), "layerwatch check -c layerwatch.yaml", id="the watcher"),
        pytest.param(("layerwatch-step", "--help"), "resolve-base", id="the steps"),
        pytest.param(("git", "--version"), "git version", id="git"),
        pytest.param(("python3", "-c", _IMPORTS), "all there", id="what the daemon imports"),
    ],
)
def test_runs_as_any_user_on_a_read_only_root(tree: Path, argv: Sequence[str], said: str) -> None:
    done = in_pod(tree, argv)
    assert said in done.stdout, done.stderr
    assert done.returncode == 0


def test_the_shipped_configuration_is_valid_there(tree: Path) -> None:
    shipped = yaml.safe_load((ROOT / "deploy/base/configmap.yaml").read_text())["data"]["layerwatch.yaml"]
    script = "cat > /tmp/layerwatch.yaml && layerwatch validate --config=/tmp/layerwatch.yaml"
    done = in_pod(tree, ("sh", "-c", script), stdin=shipped)
    assert "no faults" in done.stdout, done.stderr


def test_nothing_of_the_image_may_be_written_to(tree: Path) -> None:
    ours = [tree / "opt/layerwatch", *(tree / "opt/layerwatch").rglob("*")]
    assert [path for path in ours if not path.is_symlink() and path.stat().st_mode & 0o022] == []
    assert {path.lstat().st_uid for path in ours} == {0}


def test_its_configuration(storage: Storage, image: str) -> None:
    config = json.loads(storage.run("inspect", "--type", "image", image))["OCIv1"]["config"]
    assert (config["User"], config["Entrypoint"], config["Cmd"]) == ("1001", ["layerwatch"], ["--help"])
    assert config["Env"] == [
        "PATH=/opt/layerwatch/bin:/usr/bin:/bin",
        "HOME=/tmp",
        "MALLOC_ARENA_MAX=2",
        "PYTHONUNBUFFERED=1",
    ]


def test_it_is_small(tree: Path) -> None:
    size = sum(path.lstat().st_size for path in (tree / "opt/layerwatch").rglob("*"))
    assert size < 130 * 1024 * 1024  # a quarter of it verifies releases and signs images
    assert not (tree / "tmp/layerwatch").exists()
    assert list((tree / "opt/layerwatch").rglob("site-packages/pip")) == []


def in_pod(tree: Path, argv: Sequence[str], stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run it in the image's tree: read-only but for /tmp, any user of group 0, no new privileges."""
    script = (
        f"mount --bind {tree} {tree} && mount -o remount,bind,ro {tree} && mount -t tmpfs tmpfs {tree}/tmp"
        f" && mount --bind /dev {tree}/dev && mount -t proc proc {tree}/proc"
        f' && exec setpriv --no-new-privs chroot --userspec={_USER}:{_GROUP} --groups=0 {tree} "$@"'
    )
    environment = {"PATH": "/opt/layerwatch/bin:/usr/bin:/bin", "HOME": "/tmp", "PYTHONUNBUFFERED": "1"}
    return subprocess.run(
        ["unshare", "--mount", "--propagation=private", "sh", "-c", script, "sh", *argv],
        env={**environment, "PATH": f"{environment['PATH']}:{os.environ['PATH']}"},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
