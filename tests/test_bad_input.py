"""Bad input over all commands: the exit code of the table, a message that says what and where, and nothing written.

One row per mistake. Each runs in an empty directory against a registry that counts its writes; afterwards the directory
holds what it held before, and the registry was sent nothing but reads.
"""

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from layering.git import run_git
from layering.reference import ImageReference, Repository
from layering.registry.client import RegistryClient
from layering.registry.server import RegistryServer, one_of
from layering.registry.settings import RegistrySettings
from layering.sample.images import push_image, push_os_image, push_release
from layering.sample.layers import SampleFile, sample_layer
from pipeline import cli as step_cli
from tests.scenario import MACHINE_CONFIG
from watcher import cli as watcher_cli

NO_DIGEST = f"sha256:{'0' * 64}"
WRITES = ("POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True)
class Place:
    """What the rows' placeholders stand for."""

    server: RegistryServer
    locked: RegistryServer
    names: dict[str, str]


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with RegistryServer() as server, RegistryServer(check_password=one_of({"joe": "right"})) as locked:
        names = {"reg": server.address, "locked": locked.address, "zero": NO_DIGEST}
        with RegistryClient(RegistrySettings(insecure=frozenset({server.address}))) as client:
            names |= {name: str(image) for name, image in _images(client, server.address).items()}
        yield Place(server=server, locked=locked, names=names)


def _images(client: RegistryClient, address: str) -> dict[str, ImageReference]:
    art, payload = Repository(address, "ocp/art"), Repository(address, "ocp/release")
    base = push_os_image(client, art, "one", version="9.6.1-0", seed="1")
    other = push_os_image(client, art, "two", version="9.6.2-0", seed="2")
    release = push_release(client, payload, "4.19.1", version="4.19.1", images={"rhel-coreos": base})
    unpinned = json.dumps(
        {
            "kind": "ImageStream",
            "apiVersion": "image.openshift.io/v1",
            "metadata": {"name": "4.19.1"},
            "spec": {"tags": [{"name": "rhel-coreos", "from": {"kind": "DockerImage", "name": "quay.io/a/b:tag"}}]},
        }
    ).encode()
    broken = push_release(
        client, payload, "broken", version="4.19.1", images={"a": base}, files={"image-references": b"{"}
    )
    loose = push_release(
        client, payload, "loose", version="4.19.1", images={"a": base}, files={"image-references": unpinned}
    )
    plain = push_image(
        client,
        Repository(address, "x/plain").tagged("1"),
        [sample_layer([SampleFile(path="f", content=b"x")])],
        {},
    )
    return {"base": base, "other": other, "release": release, "broken": broken, "loose": loose, "plain": plain}


FILES = {
    "Containerfile": "FROM quay.io/x/y:1\nCOPY f /f\n",
    "two": "FROM golang:1 AS build\nFROM quay.io/m/y\n",
    "none": "RUN true\n",
    "scratch": "FROM scratch\nCOPY f /f\n",
    "configs": "FROM configs AS final\n",
    "payload": "FROM quay.io/openshift-release-dev/ocp-release:4.19.2-x86_64\n",
    "undeclared": "FROM ${BASE}\n",
    "heredoc": "FROM x\nRUN <<EOF\n",
    "missing": "FROM x\nCOPY not-there /x\n",
    "f": "f\n",
    "mc.yaml": MACHINE_CONFIG,
    "nokey.yaml": MACHINE_CONFIG.replace("  osImageURL: ''   # ours\n", "  kernelType: default\n"),
    "alias.yaml": "a: &x quay.io/a/b:1\n---\n" + MACHINE_CONFIG.replace("osImageURL: ''", "osImageURL: &y z\n  o: *y"),
    "broken.yaml": "a: [\n",
    "cm.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n",
    "latin1.yaml": "",
    "auth.json": "{",
    "ca.pem": "not a certificate",
    "request.json": "{}",
    "twice.json": '{"kind": 1, "kind": 2}',
    "cv.yaml": "kind: Pod\napiVersion: v1\n",
    "old.yaml": "kind: ClusterVersion\napiVersion: config.openshift.io/v1\nmetadata: {generation: 3}\n"
    "status: {observedGeneration: 2, history: [{state: Completed, version: 4.19.1, image: quay.io/a/b}]}\n",
    "bad.yaml": "apiVersion: layerwatch/v1alpha1\nkind: WatchConfig\nimagse: []\nschedule: {every: 60}\n",
    "lw.yaml": "apiVersion: layerwatch/v1alpha1\nkind: WatchConfig\nclusters: [{name: a, access: {file: cv.yaml}}]\n"
    "images: [{name: x, base: {cluster: a, tag: t}, source: {git: repo}, target: reg.invalid/x}]\n",
    "gone.yaml": "apiVersion: layerwatch/v1alpha1\nkind: WatchConfig\nclusters: [{name: a, access: {file: gone}}]\n"
    "images: [{name: x, base: {cluster: a, tag: t}, source: {git: repo}, target: reg.invalid/x}]\n",
    "behind.yaml": "apiVersion: layerwatch/v1alpha1\nkind: WatchConfig\n"
    "clusters: [{name: a, access: {file: old.yaml}}]\n"
    "images: [{name: x, base: {cluster: a, tag: t}, source: {git: repo}, target: reg.invalid/x}]\n",
    "empty.yaml": "",
}

INSECURE = "--insecure-registry {reg} --insecure-registry {locked}"
BUILD = "layerwatch-step build-image --context . --target {reg}/t/x:1 --base {base} " + INSECURE
PR = "layerwatch-step open-pull-request --cluster c --pool worker --image {base} --file mc.yaml "
REMOTE = PR + f"--key {'1' * 64} "
APP = "--repository o/r --forge github --app-key-file f "
GITEA = "--repository o/r --forge gitea --forge-url https://f.test/api/v1 "

ROWS = [
    # (id, command, exit code, what the message must have)
    ("no step", "layerwatch-step frobnicate", 2, "invalid choice"),
    ("no time", "layerwatch-step resolve-base --registry-timeout 5", 2, "not a duration"),
    ("no realm", "layerwatch-step resolve-base --image x --auth-realm https://x", 2, "not HOST"),
    ("unknown flag", "layerwatch-step resolve-base --frob", 2, "required"),
    ("nothing to follow", "layerwatch-step resolve-base", 2, "--release --image is required"),
    ("release without tag", "layerwatch-step resolve-base --release {release}", 2, "--release needs --tag"),
    ("tag without release", "layerwatch-step resolve-base --image {base} --tag x", 2, "--tag goes with --release"),
    ("no reference", "layerwatch-step resolve-base --image https://quay.io/x", 2, "not an image reference"),
    ("upper case", "layerwatch-step resolve-base --image quay.io/Foo/bar", 2, "not a repository name"),
    ("bare hash", f"layerwatch-step resolve-base --image {'a' * 64}", 2, "bare hash"),
    ("bad digest", "layerwatch-step resolve-base --image quay.io/x@sha256:12", 2, "is not a digest"),
    ("bad platform", "layerwatch-step resolve-base --image {base} --platform amd64", 2, "is not a platform"),
    (
        "no such tag in payload",
        "layerwatch-step resolve-base --release {release} --tag rhel-coreso " + INSECURE,
        2,
        "did you mean rhel-coreos?",
    ),
    (
        "not a payload",
        "layerwatch-step resolve-base --release {base} --tag rhel-coreos " + INSECURE,
        2,
        "not a release payload",
    ),
    ("payload as image", "layerwatch-step resolve-base --image {release} " + INSECURE, 2, "is the release payload"),
    ("broken payload", "layerwatch-step resolve-base --release {broken} --tag a " + INSECURE, 5, "not the JSON"),
    (
        "unpinned payload",
        "layerwatch-step resolve-base --release {loose} --tag rhel-coreos " + INSECURE,
        5,
        "is not pinned",
    ),
    (
        "absent platform",
        "layerwatch-step resolve-base --image {base} --platform linux/s390x " + INSECURE,
        2,
        "is for linux/amd64 only",
    ),
    ("no such image", "layerwatch-step resolve-base --image {reg}/ocp/art:none " + INSECURE, 3, "no such thing"),
    ("no credentials", "layerwatch-step resolve-base --image {locked}/a/b:1 " + INSECURE, 3, "without credentials"),
    (
        "nobody there",
        "layerwatch-step resolve-base --image 127.0.0.1:1/a:1 --insecure-registry 127.0.0.1:1",
        4,
        "cannot be reached",
    ),
    ("authfile missing", "layerwatch-step resolve-base --image {base} --authfile nope.json", 2, "is not a file"),
    ("authfile broken", "layerwatch-step resolve-base --image {base} --authfile auth.json " + INSECURE, 2, "not JSON"),
    ("CA missing", "layerwatch-step resolve-base --image {base} --ca-file nope.pem", 2, "is not a file"),
    ("CA broken", "layerwatch-step resolve-base --image {base} --ca-file ca.pem " + INSECURE, 2, "no certificates"),
    (
        "results to nowhere",
        "layerwatch-step resolve-base --image {base} --results-dir nope " + INSECURE,
        2,
        "is not a directory",
    ),
    ("context missing", "layerwatch-step prepare-source --context nope --base {base}", 2, "is not a directory"),
    (
        "Containerfile missing",
        "layerwatch-step prepare-source --containerfile nope --base {base}",
        2,
        "there is no Containerfile",
    ),
    ("base not pinned", "layerwatch-step prepare-source --base quay.io/x:1", 2, "is not pinned"),
    (
        "ambiguous",
        "layerwatch-step prepare-source --containerfile two --base {base} --in-place",
        2,
        "line 2: FROM quay.io/m/y",
    ),
    (
        "match fits none",
        "layerwatch-step prepare-source --containerfile two --base {base} --match stage:x",
        2,
        "fits no FROM",
    ),
    ("match is nothing", "layerwatch-step prepare-source --base {base} --match A:B:C", 2, "not an image reference"),
    ("no FROM", "layerwatch-step prepare-source --containerfile none --base {base}", 2, "there is no FROM"),
    ("FROM scratch", "layerwatch-step prepare-source --containerfile scratch --base {base}", 2, "no FROM in it names"),
    (
        "on-cluster form",
        "layerwatch-step prepare-source --containerfile configs --base {base}",
        2,
        "on-cluster layering",
    ),
    (
        "FROM a payload",
        "layerwatch-step prepare-source --containerfile payload --base {base}",
        2,
        "is a release payload",
    ),
    ("undeclared ARG", "layerwatch-step prepare-source --containerfile undeclared --base {base}", 2, "no ARG before"),
    ("unfinished heredoc", "layerwatch-step prepare-source --containerfile heredoc --base {base}", 2, "not finished"),
    ("build-arg without value", "layerwatch-step prepare-source --base {base} --build-arg X", 2, "NAME=VALUE"),
    ("in place and elsewhere", "layerwatch-step prepare-source --base {base} --in-place --output x", 2, "not allowed"),
    ("output to nowhere", "layerwatch-step prepare-source --base {base} --output no/where", 2, "cannot be written"),
    ("target without tag", BUILD.replace(":1 ", " "), 2, "is not REPOSITORY:TAG"),
    ("unknown builder", BUILD + " --builder kaniko", 2, "invalid choice"),
    ("key that is none", BUILD + " --key abc", 2, "is not a build key"),
    ("time that is none", BUILD + " --created yesterday", 2, "RFC 3339"),
    ("COPY of nothing", BUILD + " --containerfile missing --builder compose", 2, "not-there"),
    ("base gone", BUILD.replace("{base}", "{reg}/ocp/art@{zero}"), 3, "no such thing"),
    (
        "check of a tag",
        "layerwatch-step check-image --image {reg}/ocp/art:one --base {base} " + INSECURE,
        7,
        "is not pinned",
    ),
    ("check against a tag", "layerwatch-step check-image --image {base} --base {reg}/ocp/art:one", 2, "--base"),
    ("not from that base", "layerwatch-step check-image --image {other} --base {base} " + INSECURE, 7, "not FROM"),
    ("no OS image", "layerwatch-step check-image --image {plain} --base {plain} " + INSECURE, 7, "containers.bootc"),
    (
        "comparison with nothing",
        "layerwatch-step compare-images --old {base} --new {reg}/ocp/art@{zero} " + INSECURE,
        3,
        "no such thing",
    ),
    ("file missing", "layerwatch-step update-machineconfig --file nope.yaml --image {base}", 2, "no such file"),
    ("image not pinned", "layerwatch-step update-machineconfig --file mc.yaml --image quay.io/x:1", 2, "--image: "),
    ("key missing", "layerwatch-step update-machineconfig --file nokey.yaml --image {base}", 2, "osImageURL"),
    ("not YAML", "layerwatch-step update-machineconfig --file broken.yaml --image {base}", 2, "broken.yaml"),
    ("no MachineConfig", "layerwatch-step update-machineconfig --file cm.yaml --image {base}", 2, "MachineConfig"),
    ("no such name", "layerwatch-step update-machineconfig --file mc.yaml --image {base} --name x", 2, "99-worker"),
    ("no such pool", "layerwatch-step update-machineconfig --file mc.yaml --image {base} --pool infra", 2, "infra"),
    ("value shared", "layerwatch-step update-machineconfig --file alias.yaml --image {base}", 2, "alias.yaml"),
    ("a directory", "layerwatch-step update-machineconfig --file repo --image {base}", 2, "repo"),
    (
        "cluster called as the branches of groups",
        PR.replace("--cluster c", "--cluster group") + "--repository repo",
        2,
        "no cluster can be called group",
    ),
    ("pull request without a key", PR + "--repository o/r --forge github", 2, "found again by its key"),
    ("repository of no forge", REMOTE + "--repository repo --forge github", 2, "no repository of github"),
    ("forge nowhere", REMOTE + "--repository o/r --forge gitea", 2, "no public address"),
    ("forge in plain sight", REMOTE + "--repository o/r --forge gitea --forge-url http://f.test/api", 2, "plain http"),
    ("login in an address", REMOTE + "--repository o/r --forge gitea --forge-url https://u:p@f.test", 2, "a login"),
    ("no token file", REMOTE + "--repository o/r --forge github --token-file nope", 2, "token cannot be read"),
    ("token as a file", REMOTE + "--repository o/r --forge github --token-file ghp_0123456789abcdef", 2, "is a token"),
    ("App of another forge", REMOTE + "--repository g/p --forge gitlab --app-id 1", 2, "Apps are GitHub's"),
    ("App without a key", REMOTE + "--repository o/r --forge github --app-id 1", 2, "an id and a key"),
    ("App with no key", REMOTE + "--repository o/r --forge github --app-id 1 --app-key-file f", 2, "no private key"),
    ("App of no id", REMOTE + APP + "--app-id 'hello world'", 2, "--app-id: no App has such an id"),
    ("App of nothing", REMOTE + APP + "--app-id 0", 2, "its number, or its client id"),
    (
        "milestone of a blank",
        REMOTE + "--repository o/r --forge github --milestone ' '",
        2,
        "--milestone: a name is one",
    ),
    ("title of what is not known", PR + "--repository repo --title {{node}}", 2, "no placeholder"),
    (
        "title of drafts",
        REMOTE + "--repository g/p --forge gitlab --title Draft:{{version}}",
        2,
        "--title: gitlab takes",
    ),
    (
        "title of drafts by a name",
        REMOTE + GITEA + "--cluster wip --title {{cluster}}:{{pool}}",
        2,
        "--title: gitea takes",
    ),
    ("team of no name", REMOTE + "--repository o/r --forge github --reviewer team:", 2, "names no team"),
    ("wait that is none", REMOTE + "--repository o/r --forge github --max-wait long", 2, "number of seconds"),
    ("url of this machine", PR + "--repository repo --forge-url https://f.test", 2, "takes no such thing"),
    (
        "token as an argument",
        REMOTE + "--repository o/r --forge github --token abc",
        2,
        "--token (did you mean --token-file",
    ),
    ("flag with a slip", REMOTE + "--repository o/r --forge github --reviewers boss", 2, "did you mean --reviewer?"),
    ("forge of never", PR + "--repository repo --forge svn", 2, "is not a forge"),
    ("forge of no kind", REMOTE + "--repository o/r --forge corp --forge-url https://f.test", 2, "ends in /api/v3"),
    ("no repository", PR + "--repository f", 3, "not a git repository"),
    ("no branch", PR + "--repository repo --branch nope", 2, "there is no branch"),
    ("file not in it", PR.replace("mc.yaml", "nope.yaml") + "--repository repo", 2, "there is no nope.yaml"),
    (
        "leaves the repository",
        PR.replace("mc.yaml", "../mc.yaml") + "--repository repo",
        2,
        "--file: '../mc.yaml' leaves",
    ),
    (
        "cluster that is no name",
        PR.replace("--cluster c", "--cluster C_1") + "--repository repo",
        2,
        "--cluster: 'C_1' is",
    ),
    ("pool that is no name", PR.replace("worker", "W") + "--repository repo", 2, "--pool: 'W' is not"),
    ("image of a tag", PR.replace("{base}", "a/b:1") + "--repository repo", 2, "--image: 'a/b:1' is not pinned"),
    ("key that is no key", PR + "--repository repo --key 12", 2, "64 lower-case hex"),
    ("author that is none", PR + "--repository repo --author me", 2, "NAME <MAIL>"),
    ("evidence that is none", PR + "--repository repo --evidence f", 2, "STEP=FILE"),
    ("request missing", "layerwatch-step run --request nope.json", 2, "nope.json"),
    ("request empty", "layerwatch-step run --request request.json", 2, "apiVersion"),
    ("request with a key twice", "layerwatch-step run --request twice.json", 2, "stands twice"),
    ("no command", "layerwatch frob", 2, "invalid choice"),
    ("configuration missing", "layerwatch validate -c nope.yaml", 2, "cannot be read"),
    ("configuration empty", "layerwatch validate -c empty.yaml", 2, "one YAML document"),
    ("configuration not YAML", "layerwatch check -c broken.yaml", 2, "not YAML"),
    ("misspelt key", "layerwatch validate -c bad.yaml", 2, "did you mean images?"),
    ("number without unit", "layerwatch run -c bad.yaml --once", 2, "has a unit"),
    ("not a ClusterVersion", "layerwatch check -c lw.yaml", 11, "not a ClusterVersion"),
    ("ClusterVersion gone", "layerwatch check -c gone.yaml", 11, "cannot be read"),
    ("status behind", "layerwatch run -c behind.yaml --once", 11, "StatusNotObserved"),
    ("demo into what is not empty", "layerwatch demo --dir .", 2, "not an empty directory"),
    ("demo where nothing can be made", "layerwatch demo --dir /proc/nowhere/x", 2, "cannot be made"),
    ("output into a device", "layerwatch-step prepare-source --base {base} --output /dev/null", 2, "regular file"),
    ("registry for everyone", "layerwatch registry --listen 0.0.0.0:0", 2, "not a loopback"),
    ("registry nowhere", "layerwatch registry --listen 5000", 2, "HOST:PORT"),
    ("certificate without key", "layerwatch registry --listen 127.0.0.1:0 --tls-cert ca.pem", 2, "belong together"),
    ("htpasswd that is none", "layerwatch registry --listen 127.0.0.1:0 --htpasswd f", 2, "not a bcrypt line"),
]


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    work = tmp_path / "work"
    work.mkdir()
    for name, text in FILES.items():
        (work / name).write_text(text)
    (work / "repo").mkdir()
    run_git(work / "repo", ["init", "--quiet", "--initial-branch=main"])
    (work / "repo" / "mc.yaml").write_text(MACHINE_CONFIG)
    run_git(work / "repo", ["add", "."])
    person = {f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    run_git(work / "repo", ["commit", "--quiet", "-m", "x"], person)
    monkeypatch.chdir(work)
    return work


def _contents(directory: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()}


@pytest.mark.parametrize(("command", "exit_code", "message"), [pytest.param(*row[1:], id=row[0]) for row in ROWS])
def test_bad_input(
    place: Place,
    directory: Path,
    capsys: pytest.CaptureFixture[str],
    command: str,
    exit_code: int,
    message: str,
) -> None:
    before = _contents(directory)
    place.server.requests.clear()
    assert _run(shlex.split(command.format(**place.names))) == exit_code
    said = capsys.readouterr()
    assert message in said.err + said.out
    assert "Traceback" not in said.err
    assert "a defect of layerwatch" not in said.err
    assert _contents(directory) == before
    assert [request for request in place.server.requests if request.method in WRITES] == []


def test_there_are_at_least_sixty_rows() -> None:
    assert len({row[1] for row in ROWS}) >= 60


def _run(words: list[str]) -> int:
    main = {"layerwatch": watcher_cli.main, "layerwatch-step": step_cli.main}[words[0]]
    try:
        return main(words[1:])
    except SystemExit as left:  # argparse prints what is wrong and leaves by itself
        return int(left.code or 0)
