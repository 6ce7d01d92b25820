"""The Tasks in pipelines of somebody's own: clone, resolve, build, check, compare; edit and propose."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from layering.git import run_git
from layering.reference import ImageReference
from layering.registry.client import RegistryClient
from tests.kubernetes.rest import Body
from tests.scenario import BRANCH, FILE, Scenario
from tests.tekton.installed import Cluster, condition, results

CONTAINERFILE = """\
ARG MOTD=nothing
FROM quay.io/openshift-release-dev/ocp-v4.0-art-dev@sha256:...
ARG MOTD
COPY motd /etc/motd
LABEL motd=$MOTD
"""
CLAIM = {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}


def clone(name: str, repository: Path, *flags: str) -> Body:
    """Stands for git-clone."""
    step = {
        "name": "clone",
        "image": "git",
        "command": ["git", "clone", *flags, f"file://{repository}", f"$(workspaces.source.path)/{name}"],
    }
    spec = {"workspaces": [{"name": "source"}], "steps": [step]}
    return {"name": f"clone-{name}", "workspaces": [{"name": "source"}], "taskSpec": spec}


def ours(name: str, params: Mapping[str, str | list[str]], *, after: Sequence[str] = (), source: bool = False) -> Body:
    return {
        "name": name,
        "taskRef": {"name": f"layerwatch-{name}"},
        "params": [{"name": key, "value": value} for key, value in params.items()],
        **({"workspaces": [{"name": "source"}]} if source else {}),
        **({"runAfter": list(after)} if after else {}),
    }


def run_of(name: str, tasks: Sequence[Body], told: Mapping[str, str]) -> Body:
    shown = [{"name": key, "value": f"$(tasks.{value})"} for key, value in told.items()]
    return {
        "apiVersion": "tekton.dev/v1",
        "kind": "PipelineRun",
        "metadata": {"name": name},
        "spec": {
            "pipelineSpec": {"workspaces": [{"name": "source"}], "tasks": list(tasks), "results": shown},
            "taskRunTemplate": {"serviceAccountName": "layerwatch-build"},
            "workspaces": [{"name": "source", "volumeClaimTemplate": CLAIM}],
        },
    }


def test_from_a_release_to_a_checked_image(cluster: Cluster, scenario: Scenario) -> None:
    scenario.commit_source({"worker/Containerfile": CONTAINERFILE})
    target, insecure = str(scenario.target.tagged("composed")), {"INSECURE_REGISTRIES": scenario.registry}
    release, base = str(scenario.payloads["4.19.2"]), "$(tasks.resolve-base.results.BASE_IMAGE)"
    image = "$(tasks.build-image.results.IMAGE_REF)"
    build: dict[str, str | list[str]] = {
        "IMAGE": target,
        "BASE_IMAGE": base,
        "CONTEXT": "os/worker",
        "BUILD_ARGS": ["MOTD=hello world", "UNUSED=--push"],
        "SOURCE_URL": "https://git.example.com/os.git",
        "SOURCE_REVISION": "c" * 40,
    }
    run = cluster.run(
        run_of(
            "composed",
            [
                clone("os", scenario.source),
                ours("resolve-base", {"RELEASE_IMAGE": release, "TAG": "rhel-coreos", **insecure}),
                ours("build-image", {**build, **insecure}, after=["clone-os"], source=True),
                ours("check-image", {"IMAGE": image, "BASE_IMAGE": base, **insecure}),
                ours("compare-images", {"OLD_IMAGE": base, "NEW_IMAGE": image, **insecure}),
            ],
            {
                "IMAGE_REF": "build-image.results.IMAGE_REF",
                "IMAGE_URL": "build-image.results.IMAGE_URL",
                "SAME": "compare-images.results.SAME_CONTENT",
            },
        )
    )
    assert condition(run) == ("True", "Succeeded"), run["status"]
    found = results(run)
    assert (found["IMAGE_URL"], found["SAME"]) == (target, "false")
    with RegistryClient(scenario.settings) as client:
        built = ImageReference.parse(found["IMAGE_REF"])
        assert client.resolve(scenario.target.tagged("composed")).digest == built.digest
        labels = client.config(built.repository, client.image(built)).labels
    assert labels["motd"] == "hello world"
    assert labels["org.opencontainers.image.revision"] == "c" * 40


def test_from_an_image_to_a_proposal(cluster: Cluster, scenario: Scenario) -> None:
    image = f"registry.example.com/acme/worker-os@sha256:{'1' * 64}"
    edit = {"IMAGE": image, "FILE": f"work/{FILE}", "POOL": "worker"}
    propose = {"IMAGE": image, "CLUSTER": "prod", "POOL": "worker", "FILE": FILE, "REPOSITORY": "bare"}
    tasks = [
        clone("work", scenario.forge),
        clone("bare", scenario.forge, "--bare"),
        ours("update-machineconfig", edit, after=["clone-work"], source=True),
        ours("open-pull-request", propose, after=["clone-bare"], source=True),
    ]
    told = {
        "CHANGED": "update-machineconfig.results.CHANGED",
        "BRANCH": "open-pull-request.results.BRANCH",
        "STATE": "open-pull-request.results.STATE",
    }
    run = cluster.run(run_of("proposed", tasks, told))
    assert condition(run) == ("True", "Succeeded"), run["status"]
    assert results(run) == {"CHANGED": "true", "BRANCH": BRANCH, "STATE": "created"}
    assert BRANCH not in run_git(scenario.forge, ["branch", "--list"])  # only the clone on the volume has it
