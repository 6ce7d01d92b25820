"""The watcher and GitHub Actions, by act: the whole watcher in a workflow, and the workflow a daemon dispatches."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from layering.registry.server import RegistryServer
from tests.actions.act import Act
from tests.actions.conftest import built, pinned
from tests.daemon.process import eventually, running
from tests.engines.actions_api import Actions
from tests.forges.gitea.server import BOT
from tests.forges.gitea.world import GiteaWorld, gitea_world
from tests.forges.github.api import Api
from tests.forges.github.server import NAME, add_repository, github_at
from tests.forges.github.server import TOKEN as GITHUB_TOKEN
from tests.forges.watched import Watched, watched
from tests.kubernetes.openshift import OpenShiftPlay
from tests.kubernetes.server import TestApiServer
from tests.scenario import BRANCH, FILE, MACHINE_CONFIG, Scenario

BUILDS = "acme/builds"


@pytest.fixture
def config(tmp_path: Path) -> Iterator[GiteaWorld]:
    """A real Gitea has the configuration of the cluster."""
    (tmp_path / "gitea").mkdir()
    with gitea_world(tmp_path / "gitea") as made:
        made.origin.commit({FILE: MACHINE_CONFIG})
        yield made


@pytest.fixture
def cluster(api_server: TestApiServer, openshift: OpenShiftPlay, world: Scenario) -> OpenShiftPlay:
    """It has a real API, runs 4.19.1, and its machines what that brings."""
    openshift.cluster_version("4.19.1", str(world.payloads["4.19.1"]))
    openshift.pool("worker", machines=1)
    apply(openshift, MACHINE_CONFIG)
    return openshift


def apply(cluster: OpenShiftPlay, text: str) -> None:
    """What GitOps and the operator do with what is on the base branch, until the machines run it."""
    cluster.apply(yaml.safe_load(text))
    cluster.render("worker")
    cluster.roll_out("worker")


def test_a_watch_opens_a_pull_request_and_rests_until_and_after_it_is_merged(
    act: Act,
    world: Scenario,
    server: RegistryServer,
    config: GiteaWorld,
    cluster: OpenShiftPlay,
    api_server: TestApiServer,
) -> None:
    """The workflow as it was copied: its own token and the cluster's kubeconfig are all that it is given."""
    with watched(config.settings, f"http://{config.gitea.address}") as forge:
        configure(act, world, forge, config.repository)
        secrets = {"GITHUB_TOKEN": config.gitea.user(BOT), "KUBECONFIG": api_server.kubeconfig.read_text()}
        runner = {"GITHUB_API_URL": forge.settings.url}  # a Gitea's says so

        def watch(**given: str) -> tuple[str, str]:
            forge.forget()
            server.requests.clear()
            told = act.dispatch("watch.yml", given, secrets=secrets, environment=runner)
            assert told.succeeded, told.log
            (entry,) = json.loads(told.outputs["decisions"])["images"]
            assert "| `worker-os` |" in told.summary
            return entry["decision"], entry["reason"]

        assert watch(**{"dry-run": "true"}) == ("Rebuild", "NeverBuilt")
        assert (config.pulls(), forge.writes, pushes(server)) == ([], [], [])

        assert watch() == ("AwaitingApproval", "ProposalOpen")
        (pull,) = config.pulls()
        assert config.origin.git("diff", "--numstat", "main", BRANCH) == f"1\t1\t{FILE}"
        assert pinned(config.origin, BRANCH) == built(world)
        assert pushes(server) != []

        assert watch() == ("AwaitingApproval", "ProposalOpen")
        assert (config.pulls(), forge.writes, pushes(server)) == ([pull], [], [])

        config.merge()
        apply(cluster, config.origin.show("main", FILE))
        assert watch() == ("UpToDate", "MatchesBase")
        assert (forge.writes, pushes(server)) == ([], [])


def configure(act: Act, world: Scenario, forge: Watched, repository: str) -> None:
    """What the user writes: the cluster as the workflow's header says, and the forge."""
    document = json.loads((act.repository / "layerwatch.yaml").read_text())
    document["clusters"] = [{"name": "prod", "access": {"kubeconfig": "kubeconfig"}}]
    document["images"][0]["proposals"] = [world.proposal(forge="gitea", repository=repository)]
    settings = forge.settings
    document["forges"] = [{"name": "gitea", "kind": "gitea", "url": settings.url, "gitUrl": settings.git_url}]
    (act.repository / "layerwatch.yaml").write_text(json.dumps(document))


def pushes(server: RegistryServer) -> list[str]:
    """What was asked of the registry that changes something."""
    return [f"{each.method} {each.path}" for each in server.requests if each.method not in ("GET", "HEAD")]


def test_a_rebuild_that_the_daemon_dispatches_is_what_it_proposes(act: Act, world: Scenario, tmp_path: Path) -> None:
    """The workflow is given what the daemon sent, and what it pushed is in the daemon's pull request."""
    with github_at(tmp_path / "forge") as (github, api, address):
        actions = Actions()
        serve_actions(api, actions)
        add_repository(github, tmp_path / "forge", BUILDS)
        clusters = add_repository(github, tmp_path / "forge")
        clusters.origin.commit({FILE: MACHINE_CONFIG})
        world.configure(
            build={"engine": "githubActions", "repository": BUILDS},
            proposals=[world.proposal(forge="github", repository=NAME)],
        )
        more = {"forges": [{"name": "github", "kind": "github", "url": f"http://{address}/api/v3"}]}
        document = json.loads(world.config.read_text()) | more | {"schedule": {"every": "1s"}}
        world.config.write_text(json.dumps(document))
        with running(world.config, environment={"GITHUB_TOKEN": GITHUB_TOKEN}) as daemon:
            sent = eventually("a dispatch", lambda: actions.bodies)[0]["inputs"]
            told = act.dispatch("rebuild.yml", sent)
            assert told.succeeded, told.log
            assert (told.outputs["key"], told.outputs["passed"]) == (sent["key"], "true")
            with github.guard:
                actions.end("success")
            daemon.says(decision="AwaitingApproval", reason="ProposalOpen")
        (pull,) = clusters.pulls
        assert pinned(clusters.origin, pull.head) == told.outputs["image"] == built(world)
        assert len(actions.bodies) == 1


def serve_actions(api: Api, actions: Actions) -> None:
    """That GitHub runs workflows, too."""
    workflow = "repos/:s/:s/actions/workflows/:s"
    api.add("POST", f"{workflow}/dispatches", lambda call, of, name: actions.dispatch(dict(call.body)))
    listed = f"/repos/{BUILDS}/actions/workflows/rebuild.yml/runs"
    api.add("GET", f"{workflow}/runs", lambda call, of, name: actions.answer("GET", listed, {}))


def test_a_watch_without_its_configuration(act: Act) -> None:
    (act.repository / "layerwatch.yaml").unlink()
    told = act.dispatch("watch.yml")
    (annotation,) = told.annotations
    assert (annotation.level, told.exit_codes) == ("error", {2})
    assert "layerwatch.yaml" in annotation.message
