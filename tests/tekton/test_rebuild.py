"""The Pipeline, run: Tekton's controller makes the pod, its steps run for real, the image is in a registry."""

import json
import socket
from pathlib import Path

from layering.git import run_git
from layering.reference import ImageReference
from layering.registry.client import RegistryClient
from layering.registry.settings import RegistrySettings
from layering.sample.images import push_image
from layering.sample.layers import SampleFile, directory, sample_layer
from tests.docker_registry import PASSWORD, docker_registry
from tests.git_http import git_over_http
from tests.kubernetes.rest import Body
from tests.parts import require
from tests.scenario import Scenario
from tests.tekton.installed import Cluster, condition, pipeline_run, results, task_run

GIT_PASSWORD = "for git alone"
WITH_RUN = """\
FROM quay.io/openshift-release-dev/ocp-v4.0-art-dev@sha256:...
COPY --from={tools} /bin /tools
COPY motd /etc/motd
RUN ["/tools/sh", "-c", "/tools/busybox cat /etc/pki/entitlement/entitlement.pem > /dev/stderr"]
RUN ["/tools/sh", "-c", "! /tools/busybox grep -r 'for git' /workspace"]
"""


def request(scenario: Scenario, git: str, tag: str = "4.19.2-tekton", **more: object) -> str:
    with RegistryClient(scenario.settings) as client:
        art = ImageReference.parse(f"{scenario.registry}/openshift-release-dev/ocp-v4.0-art-dev:4.19.2-os")
        base = art.repository.at(client.resolve(art).digest)
    document = {
        "apiVersion": "layerwatch/v1alpha1",
        "kind": "RebuildRequest",
        "image": "worker-os",
        "base": str(base),
        "release": "4.19.2",
        "platforms": ["linux/amd64"],
        "source": {
            "git": git,
            "commit": run_git(scenario.source, ["rev-parse", "main"]).strip(),
            "context": "worker",
            "containerfile": "worker/Containerfile",
        },
        "target": str(scenario.target.tagged(tag)),
        **more,
    }
    return json.dumps(document)


def held(scenario: Scenario, tag: str = "4.19.2-tekton") -> str:
    with RegistryClient(scenario.settings) as client:
        return str(client.resolve(scenario.target.tagged(tag)).digest)


def test_a_run_builds_and_its_results_are_what_the_registry_holds(cluster: Cluster, scenario: Scenario) -> None:
    asked, host = request(scenario, f"file://{scenario.source}"), scenario.registry
    first = cluster.run(pipeline_run("first", asked, INSECURE_REGISTRIES=host))
    assert condition(first) == ("True", "Succeeded"), cluster.log(first)
    found, document = results(first), json.loads(asked)
    assert found == {
        "IMAGE_URL": str(scenario.target.tagged("4.19.2-tekton")),
        "IMAGE_DIGEST": held(scenario),
        "CHAINS-GIT_URL": document["source"]["git"],
        "CHAINS-GIT_COMMIT": document["source"]["commit"],
        "BASE_IMAGE_ARTIFACT_INPUTS": dict(zip(("uri", "digest"), document["base"].split("@"), strict=True)),
    }
    again = cluster.run(pipeline_run("again", asked, INSECURE_REGISTRIES=host))
    assert results(again) == found
    assert "nothing to do" in cluster.log(again)
    assert task_run(cluster.api, cluster.namespace, again)["spec"]["timeout"] == "0s"


def test_a_base_that_only_a_mirror_has(cluster: Cluster, scenario: Scenario) -> None:
    """REGISTRIES_CONF is what a pod knows of the cluster's mirrors."""
    document = json.loads(request(scenario, f"file://{scenario.source}", "mirrored"))
    name, _, digest = document["base"].partition("@")
    conf = f"""
[[registry]]
location = "quay.invalid/ocp/art"
[[registry.mirror]]
location = "{name}"
insecure = true
"""
    asked = json.dumps({**document, "base": f"quay.invalid/ocp/art@{digest}"})
    run = cluster.run(pipeline_run("mirror", asked, REGISTRIES_CONF=conf, INSECURE_REGISTRIES=scenario.registry))
    assert condition(run) == ("True", "Succeeded"), cluster.log(run)
    assert results(run)["BASE_IMAGE_ARTIFACT_INPUTS"] == {"uri": "quay.invalid/ocp/art", "digest": digest}


def test_what_is_wrong_is_told_by_the_step(cluster: Cluster, scenario: Scenario) -> None:
    failed = cluster.run(pipeline_run("failed", request(scenario, "file:///no/such.git")))
    assert condition(failed) == ("False", "Failed")
    (fetch, rebuild) = task_run(cluster.api, cluster.namespace, failed)["status"]["steps"]
    assert fetch["terminated"]["exitCode"] == 3
    assert rebuild["terminationReason"] == "Skipped"
    assert "reason: SourceRefused" in cluster.log(failed, "fetch-source")


def test_the_runs_time_limit_ends_it(cluster: Cluster, scenario: Scenario) -> None:
    """The Task has none of its own, which would be an hour whatever the run's is."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/os.git"
        body = pipeline_run("slow", request(scenario, url))
        body["spec"]["timeouts"] = {"pipeline": "8s"}
        run = cluster.run(body)
    assert condition(run) == ("False", "PipelineRunTimeout")


def test_a_request_is_taken_to_the_letter(cluster: Cluster, scenario: Scenario) -> None:
    """What Tekton and Kubernetes would expand arrives as it was sent (RebuildRequest.to_json writes no dollar)."""
    asked = request(scenario, f"file://{scenario.source}", buildArgs={"A": "$$(HOME) $(params.request)"})
    escaped = asked.replace("$", "\\u0024")
    run = cluster.run(pipeline_run("letter", escaped, INSECURE_REGISTRIES=scenario.registry))
    assert condition(run) == ("True", "Succeeded"), cluster.log(run)


def test_all_workspaces_bound(cluster: Cluster, tmp_path: Path) -> None:
    """A registry with a password and a CA of its own, a private source, RUN with an entitlement: buildah, with vfs."""
    require("buildah")
    home = tmp_path / "registry"
    home.mkdir()
    with docker_registry(home) as (address, settings):
        scenario = Scenario(directory=tmp_path, registry=address, settings=settings)
        scenario.set_up(WITH_RUN.format(tools=push_tools(scenario)))
        with git_over_http(tmp_path, "me", GIT_PASSWORD) as host:
            _keep_all(cluster, settings)
            workspaces: list[Body] = [
                {"name": "dockerconfig", "secret": {"secretName": "registry"}},
                {"name": "ca", "configMap": {"name": "ca"}},
                {"name": "git-credentials", "secret": {"secretName": "git"}},
                {"name": "rhel-entitlement", "secret": {"secretName": "etc-pki-entitlement"}},
            ]
            run = cluster.run(pipeline_run("all", request(scenario, f"http://{host}/os-images.git"), workspaces))
        told = cluster.log(run)
        assert condition(run) == ("True", "Succeeded"), told
        assert results(run)["IMAGE_DIGEST"] == held(scenario)
    assert "ENTITLED" in told
    assert "built by buildah" in told
    assert not [secret for secret in (PASSWORD, GIT_PASSWORD) if secret in told + cluster.log(run, "fetch-source")]


def _keep_all(cluster: Cluster, settings: RegistrySettings) -> None:
    assert settings.auth_file is not None
    assert settings.ca_file is not None
    cluster.keep("secrets", "registry", __dockerconfigjson=settings.auth_file.read_text())
    cluster.keep("configmaps", "ca", registry__crt=settings.ca_file.read_text())
    cluster.keep("secrets", "git", username="me", password=GIT_PASSWORD)
    cluster.keep("secrets", "etc-pki-entitlement", entitlement__pem="ENTITLED\n")


def push_tools(scenario: Scenario) -> str:
    busybox = Path(require("busybox")).read_bytes()
    files = [
        directory("bin"),
        SampleFile(path="bin/busybox", content=busybox, mode=0o755),
        SampleFile(path="bin/sh", link="busybox"),
    ]
    with RegistryClient(scenario.settings) as client:
        name = ImageReference.parse(f"{scenario.registry}/tools:1")
        return str(push_image(client, name, [sample_layer(files)], {}))
