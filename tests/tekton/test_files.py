"""tekton/ without a cluster: everything that is named is there, nothing is a program, and the commands are ours."""

import argparse
import importlib
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from layering.request import RebuildRequest
from pipeline.cli import STEPS, step_parser
from tests.parts import require
from tests.tekton.files import DIRECTORY, Document, documents, names, pipeline, references, tasks

TASKS = [pytest.param(task, id=task["metadata"]["name"]) for task in tasks()]
STEP_LIST = [
    pytest.param(task, step, id=f"{task['metadata']['name']}-{step['name']}")
    for task in tasks()
    for step in task["spec"]["steps"]
]


@pytest.mark.parametrize("task", TASKS)
def test_whatever_a_task_refers_to_it_declares(task: Document) -> None:
    spec = task["spec"]
    declared = {f"params.{name}" for name in names(spec.get("params"))}
    declared |= {f"workspaces.{name}.path" for name in names(spec.get("workspaces"))}
    declared |= {f"results.{name}.path" for name in names(spec.get("results"))}
    assert references(spec["steps"]) <= declared


@pytest.mark.parametrize("task", TASKS)
def test_whatever_a_task_declares_it_uses(task: Document) -> None:
    spec, used = task["spec"], references(task["spec"]["steps"])
    assert names(spec["params"]) == {one.split(".")[1] for one in used if one.startswith("params.")}
    assert names(spec.get("results")) == {one.split(".")[1] for one in used if one.startswith("results.")}
    assert names(spec.get("workspaces")) == {one.split(".")[1] for one in used if one.startswith("workspaces.")}


@pytest.mark.parametrize("task", TASKS)
def test_every_param_result_and_workspace_is_described(task: Document) -> None:
    spec = task["spec"]
    for entry in [*spec["params"], *spec.get("results", []), *spec.get("workspaces", [])]:
        assert entry["description"], entry["name"]


@pytest.mark.parametrize(("task", "step"), STEP_LIST)
def test_a_step_is_our_command_and_no_program(task: Document, step: Document) -> None:
    assert "script" not in step
    assert step["image"] == "layerwatch"
    assert step["command"][0] == "layerwatch-step"
    assert step["command"][1] in STEPS


@pytest.mark.parametrize(("task", "step"), STEP_LIST)
def test_a_steps_arguments_are_flags_of_the_command(task: Document, step: Document) -> None:
    """As Tekton passes them when all optional params have their defaults and no optional workspace is bound."""
    arguments = [filled for text in step["args"] for filled in _filled(task, text)]
    parsed = _parser(step["command"][1]).parse_args(arguments)
    assert {flag.partition("=")[0].lstrip("-").replace("-", "_") for flag in arguments} <= set(vars(parsed)) | {""}


def _parser(step: str) -> argparse.ArgumentParser:
    return step_parser(step, importlib.import_module(f"pipeline.steps.{step.replace('-', '_')}"))


def _filled(task: Document, text: str) -> list[str]:
    params = {param["name"]: param.get("default", "x") for param in task["spec"]["params"]}
    bound = {space["name"] for space in task["spec"].get("workspaces", []) if not space.get("optional")}
    if isinstance(default := params.get(text.removeprefix("$(params.").removesuffix("[*])")), list):
        return default

    def value(match: re.Match[str]) -> str:
        kind, name = match[1].split(".")[:2]
        if kind == "params":
            return str(params[name] or ("x" if name == "IMAGE" else ""))
        return f"/{kind}/{name}" if kind == "results" or name in bound else ""

    return [re.sub(r"\$\(([^()]+)\)", value, text)]


@pytest.mark.parametrize(("task", "step"), STEP_LIST)
def test_registries_are_reached_as_the_task_is_told(task: Document, step: Document) -> None:
    flags = {text.partition("=")[0] for text in step["args"]}
    spaces = names(task["spec"].get("workspaces"))
    if "dockerconfig" in spaces and step["command"][1] != "fetch-source":
        assert {"--authfile", "--ca-file", "--insecure-registry", "--registries-conf"} <= flags
        assert {"name": "REGISTRIES_CONF", "value": "$(params.REGISTRIES_CONF)"} in step["env"]


@pytest.mark.parametrize(("task", "step"), STEP_LIST)
def test_security_is_what_openshift_admits(task: Document, step: Document) -> None:
    """Not a line more: pipelines-scc allows SETFCAP and root, restricted-v2 (and "restricted") the rest."""
    context, builds = step["securityContext"], step["command"][1] in ("run", "build-image")
    if builds:
        assert context == {"runAsUser": 0, "capabilities": {"add": ["SETFCAP"]}}
        return
    assert context["runAsNonRoot"] is True
    assert context["allowPrivilegeEscalation"] is False
    assert context["readOnlyRootFilesystem"] is True
    assert context["capabilities"] == {"drop": ["ALL"]}
    alone = len(task["spec"]["steps"]) == 1  # pipelines-scc admits no profile, so a pod that needs it names none
    assert context.get("seccompProfile") == ({"type": "RuntimeDefault"} if alone else None)
    assert "runAsUser" not in context  # restricted-v2 gives one out of the namespace's range


@pytest.mark.parametrize(("task", "step"), STEP_LIST)
def test_a_step_says_what_it_needs(task: Document, step: Document) -> None:
    resources = step["computeResources"]
    assert {"cpu", "memory"} <= set(resources["requests"])
    assert set(resources["limits"]) == {"memory"}  # a limit on CPU makes builds slow and saves nothing


def test_only_the_fetching_step_sees_credentials_of_git() -> None:
    seen = {
        (task["metadata"]["name"], step["name"]): names(step.get("workspaces"))
        for task in tasks()
        for step in task["spec"]["steps"]
        if "git-credentials" in names(task["spec"].get("workspaces"))
    }
    assert seen == {
        ("layerwatch-rebuild", "fetch-source"): {"git-credentials"},
        ("layerwatch-rebuild", "rebuild"): set(),
    }


def test_the_pipeline_needs_a_request_and_nothing_else() -> None:
    params = pipeline()["spec"]["params"]
    assert [param["name"] for param in params if "default" not in param] == ["request"]
    assert {space["name"]: space.get("optional", False) for space in pipeline()["spec"]["workspaces"]} == {
        "source": False,
        "dockerconfig": True,
        "ca": True,
        "git-credentials": True,
        "rhel-entitlement": True,
    }


def test_the_pipeline_hands_everything_on() -> None:
    spec = pipeline()["spec"]
    (only,) = spec["tasks"]
    task = next(one for one in tasks() if one["metadata"]["name"] == only["taskRef"]["name"])["spec"]
    assert {param["name"]: param["value"] for param in only["params"]} == {
        name: f"$(params.{name})" for name in names(spec["params"])
    }
    for entries in ("params", "workspaces", "results"):
        assert names(spec[entries]) == names(task[entries])
    defaults = {param["name"]: param.get("default") for param in spec["params"]}
    assert defaults == {param["name"]: param.get("default") for param in task["params"]}
    assert {space["name"]: space["workspace"] for space in only["workspaces"]} == {
        name: name for name in names(spec["workspaces"])
    }


@pytest.mark.parametrize("document", [*TASKS, pytest.param(pipeline(), id="the Pipeline")])
def test_metadata_is_the_catalogs(document: Document) -> None:
    metadata = document["metadata"]
    assert metadata["labels"]["app.kubernetes.io/version"] == "0.1"
    wanted = ("pipelines.minVersion", "categories", "tags", "displayName", "platforms")
    assert set(metadata["annotations"]) == {f"tekton.dev/{key}" for key in wanted}
    assert not [label for label in metadata["labels"] if "tekton.dev" in label]
    assert "\n\n" in document["spec"]["description"] or len(document["spec"]["description"]) < 120


def test_the_kustomization_has_every_file_but_the_samples() -> None:
    kustomization = yaml.safe_load((DIRECTORY / "kustomization.yaml").read_text())
    files = {str(file.relative_to(DIRECTORY)) for file in DIRECTORY.rglob("*.yaml")}
    apart = {"kustomization.yaml", *kustomization["configurations"]}
    assert set(kustomization["resources"]) == {file for file in files - apart if not file.startswith("samples/")}


def test_kustomize_replaces_the_image_in_every_step(tmp_path: Path) -> None:
    pinned = f"registry.example.com/acme/layerwatch@sha256:{'0' * 64}"
    name, _, digest = pinned.partition("@")
    overlay = tmp_path / "overlay"
    overlay.mkdir()
    (tmp_path / "tekton").symlink_to(DIRECTORY)
    settings = {
        "resources": ["../tekton"],
        "configurations": ["kustomizeconfig.yaml"],
        "images": [{"name": "layerwatch", "newName": name, "digest": digest}],
    }
    (overlay / "kustomizeconfig.yaml").write_text((DIRECTORY / "kustomizeconfig.yaml").read_text())
    (overlay / "kustomization.yaml").write_text(json.dumps(settings))
    built = kustomize(overlay)
    images = [step["image"] for one in built if one["kind"] == "Task" for step in one["spec"]["steps"]]
    assert images == [pinned] * sum(len(task["spec"]["steps"]) for task in tasks())
    assert {one["metadata"].get("namespace", "layerwatch") for one in built} == {"layerwatch"}
    account = next(one for one in built if one["kind"] == "RoleBinding")["subjects"][0]
    assert account == {"kind": "ServiceAccount", "name": "layerwatch-build", "namespace": "layerwatch"}


def kustomize(directory: Path) -> list[Any]:
    argv = [require("kubectl"), "kustomize", str(directory), "--load-restrictor=LoadRestrictionsNone"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def test_the_samples_request_is_one() -> None:
    (sample,) = (one for file, one in documents("samples/*.yaml") if file.stem == "pipelinerun")
    request = RebuildRequest.parse(sample["spec"]["params"][0]["value"])
    assert request.proposals == ()  # the watcher proposes; a build never does


def test_the_namespace_is_that_of_the_watcher() -> None:
    """Two files, one object: otherwise each apply would take away what the other says."""
    ours = yaml.safe_load((DIRECTORY / "namespace.yaml").read_text())
    assert ours == yaml.safe_load((DIRECTORY.parent / "deploy/base/namespace.yaml").read_text())


def test_build_pods_get_no_token_and_no_rights() -> None:
    rights = [one for _, one in documents("*.yaml") if one.get("kind") in ("Role", "ClusterRole", "RoleBinding")]
    assert [one["roleRef"]["name"] for one in rights] == ["pipelines-scc-clusterrole"]
    account = next(one for _, one in documents("*.yaml") if one.get("kind") == "ServiceAccount")
    assert (account["metadata"]["name"], account["automountServiceAccountToken"]) == ("layerwatch-build", False)


@pytest.mark.parametrize("document", [*TASKS, pytest.param(pipeline(), id="the Pipeline")])
def test_the_readme_tells_every_param_workspace_and_result(document: Document) -> None:
    text = (DIRECTORY / "README.md").read_text()
    shared = text.partition("## Tasks")[2].partition("###")[0] if document["kind"] == "Task" else ""
    heading = f"### {document['metadata']['name']}\n" if shared else "## Pipeline "
    section = shared + re.split(r"\n##+ ", text.partition(heading)[2])[0]
    spec = document["spec"]
    told = set(re.findall(r"`([\w-]+)`", section))
    assert names(spec["params"]) | names(spec.get("workspaces")) | names(spec.get("results")) <= told
