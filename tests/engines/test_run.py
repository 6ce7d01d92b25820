"""The PipelineRun of one attempt, as it is sent."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layering.cluster.pipelineruns import parse_pipeline_run
from layering.errors import InputError
from layering.request import RebuildRequest
from tests.engines.runs import KEY, image, request
from watcher.engines.tekton_run import pipeline_run, run_name
from watcher.settings_image import TektonBuild

_LABEL = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def settings(**build: Any) -> TektonBuild:
    parsed = image(**build).build
    assert isinstance(parsed, TektonBuild)
    return parsed


def manifest(**build: Any) -> dict[str, Any]:
    return pipeline_run(request(), settings(**build), 1, "builds", {})


def test_the_whole_run() -> None:
    sent = manifest()
    assert sent == {
        "apiVersion": "tekton.dev/v1",
        "kind": "PipelineRun",
        "metadata": {
            "name": "worker-os-0a1b2c3d4e5f-1",
            "namespace": "builds",
            "labels": {
                "app.kubernetes.io/managed-by": "layerwatch",
                "layerwatch/image": "worker-os",
                "layerwatch/build-key": "0a1b2c3d4e5f",
                "layerwatch/attempt": "1",
            },
            "annotations": {
                "layerwatch/build-key": KEY,
                "layerwatch/base": "quay.io/openshift/os@sha256:" + "1" * 64,
                "layerwatch/release": "4.19.2",
                "layerwatch/target": "registry.example.com/acme/worker-os:4.19.2-0a1b2c3d4e5f",
                "layerwatch/source-commit": "c" * 40,
            },
        },
        "spec": {
            "pipelineRef": {"name": "layered-image-rebuild"},
            "params": [{"name": "request", "value": request().to_json()}],
            "workspaces": [
                {
                    "name": "source",
                    "volumeClaimTemplate": {
                        "spec": {
                            "accessModes": ["ReadWriteOnce"],
                            "resources": {"requests": {"storage": "1Gi"}},
                        }
                    },
                }
            ],
            "timeouts": {"pipeline": "7200s", "tasks": "7200s"},
            "taskRunTemplate": {"serviceAccountName": "layerwatch-build"},
        },
    }
    assert json.loads(json.dumps(sent)) == sent


def test_the_request_in_it_is_the_message_to_the_pipeline() -> None:
    value = manifest()["spec"]["params"][0]["value"]
    assert RebuildRequest.parse(value) == request()
    assert json.loads(value)["proposals"] == []


def test_what_is_sent_is_what_is_read_back() -> None:
    state = parse_pipeline_run(pipeline_run(request(), settings(), 3, "builds", {}))
    assert (state.managed, state.image, state.key, state.attempt) == (True, "worker-os", KEY, 3)


def test_the_settings_are_handed_on_unchanged() -> None:
    binding = {"name": "source", "persistentVolumeClaim": {"claimName": "mine"}, "subPath": "x"}
    secret = {"name": "dockerconfig", "secret": {"secretName": "push"}}
    pod = {"nodeSelector": {"kubernetes.io/arch": "amd64"}, "securityContext": {"fsGroup": 65532}}
    spec = manifest(
        pipeline="mine", serviceAccountName="other", workspaces=[binding, secret], podTemplate=pod, timeout="90s"
    )["spec"]
    assert spec["workspaces"] == [binding, secret]
    assert spec["taskRunTemplate"] == {"serviceAccountName": "other", "podTemplate": pod}
    assert spec["pipelineRef"] == {"name": "mine"}
    assert spec["timeouts"] == {"pipeline": "90s", "tasks": "90s"}


def test_fractions_of_a_second_are_told_in_milliseconds() -> None:
    assert manifest(timeout="1500ms")["spec"]["timeouts"]["pipeline"] == "1500ms"


def test_a_volume_is_claimed_beside_other_workspaces() -> None:
    names = [binding["name"] for binding in manifest(workspaces=[{"name": "ca", "emptyDir": {}}])["spec"]["workspaces"]]
    assert names == ["ca", "source"]


def test_the_configuration_overrides_the_params_of_the_watcher() -> None:
    build = settings(params={"BUILDER": "buildah", "X": "configured"})
    params = pipeline_run(request(), build, 1, "builds", {"X": "watcher's", "Y": "watcher's"})["spec"]["params"]
    given_params = {param["name"]: param["value"] for param in params if param["name"] != "request"}
    assert given_params == {"BUILDER": "buildah", "X": "configured", "Y": "watcher's"}


def test_without_a_release_there_is_no_annotation_of_it() -> None:
    sent = pipeline_run(request(release=None), settings(), 1, "builds", {})
    assert "layerwatch/release" not in sent["metadata"]["annotations"]


def test_a_request_without_a_key_has_no_run() -> None:
    with pytest.raises(InputError):
        pipeline_run(request(key=None), settings(), 1, "builds", {})


@given(
    st.from_regex(r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?", fullmatch=True),
    st.text("0123456789abcdef", min_size=64, max_size=64),
    st.integers(min_value=1, max_value=10**6 - 1),
)
def test_every_name_and_label_is_a_legal_one(name: str, key: str, attempt: int) -> None:
    sent = pipeline_run(request(name=name, key=key), settings(), attempt, "builds", {})["metadata"]
    assert _NAME.fullmatch(sent["name"])
    assert all(_LABEL.fullmatch(value) for value in sent["labels"].values())
    assert sent["name"] == run_name(name, key, attempt)


def test_names_of_up_to_100_attempts_have_at_most_57_characters() -> None:
    assert len(run_name("a" * 40, KEY, 100)) == 57


def test_faults_of_a_request_are_told_at_a_length_that_can_be_read() -> None:
    odd = {"a" * 5000: 1, **{f"key{number}": 1 for number in range(1000)}}
    with pytest.raises(InputError) as caught:
        RebuildRequest.parse(json.dumps(odd))
    assert len(str(caught.value)) < 2000
    assert re.search(r"apiVersion: Field required\n(?s:.*)\n  and [0-9]+ more", caught.value.what)
