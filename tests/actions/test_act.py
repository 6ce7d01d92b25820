"""The workflows to copy, run by act: a watch that builds and proposes, a rebuild, and what goes wrong."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from layering.git import run_git
from layering.registry.client import RegistryClient
from layering.registry.server import RegistryServer
from layering.registry.settings import RegistrySettings
from tests.actions.act import OUT_OF_THE_CLONE, TOKEN, Act
from tests.daemon.process import eventually, running
from tests.engines.actions_api import Actions
from tests.forges.gitea.server import BOT
from tests.forges.gitea.world import GiteaWorld, gitea_world
from tests.forges.github.api import Api
from tests.forges.github.server import NAME, add_repository, github_at
from tests.forges.github.server import TOKEN as GITHUB_TOKEN
from tests.forges.origin import Origin
from tests.forges.watched import Watched, watched
from tests.kubernetes.openshift import OpenShiftPlay
from tests.kubernetes.server import TestApiServer
from tests.parts import require
from tests.scenario import BRANCH, FILE, MACHINE_CONFIG, Scenario

KEY = "0" * 64
BUILDS = "acme/builds"
USED = f"acme/layerwatch/github-actions/{{}}@{'a' * 40}"
BOTH = f"""\
on: workflow_dispatch
jobs:
  both:
    runs-on: ubuntu-24.04
    steps:
      - uses: {USED.format("rebuild")}
        id: rebuild
        with:
          request: ${{{{ env.REQUEST }}}}
          results-dir: ${{{{ runner.temp }}}}
      - uses: {USED.format("propose")}
        with:
          forge-url: ${{{{ env.URL }}}}
          token: ${{{{ env.TOKEN }}}}
          repository: {NAME}
          file: {FILE}
          cluster: prod
          pool: worker
          image: ${{{{ steps.rebuild.outputs.image }}}}
          key: ${{{{ steps.rebuild.outputs.key }}}}
          evidence: |
            resolve-base=${{{{ runner.temp }}}}/resolve-base
            build-image=${{{{ runner.temp }}}}/build-image
            check-image=${{{{ runner.temp }}}}/check-image
"""


@pytest.fixture
def server() -> Iterator[RegistryServer]:
    with RegistryServer() as made:
        yield made


@pytest.fixture
def world(server: RegistryServer, tmp_path: Path) -> Scenario:
    settings = RegistrySettings(insecure=frozenset({server.address}))
    return Scenario(tmp_path, server.address, settings).set_up()


@pytest.fixture
def act(world: Scenario, tmp_path: Path) -> Act:
    """A repository with the configuration of that world."""
    conf = tmp_path / "registries.conf"
    conf.write_text(f'[[registry]]\nlocation = "{world.registry}"\ninsecure = true\n')
    world.configure(
        source={"git": str(world.source), "context": "worker", "containerfile": "worker/Containerfile"},
        proposals=[world.proposal(repository=str(world.forge))],
    )
    files = {name: (tmp_path / name).read_text() for name in ("layerwatch.yaml", "clusterversion.yaml")}
    directory = tmp_path / "act"
    return Act(
        program=require("act"), directory=directory, environment={"CONTAINERS_REGISTRIES_CONF": str(conf)}
    ).set_up(files)


def request(world: Scenario, **changed: object) -> str:
    """What a watcher sends for 4.19.2."""
    document = {
        "apiVersion": "layerwatch/v1alpha1",
        "kind": "RebuildRequest",
        "image": "worker-os",
        "base": str(world.os_images["4.19.2"]),
        "release": "4.19.2",
        "platforms": ["linux/amd64"],
        "source": {
            "git": str(world.source),
            "commit": run_git(world.source, ["rev-parse", "main"]).strip(),
            "context": "worker",
            "containerfile": "worker/Containerfile",
        },
        "target": str(world.target.tagged("4.19.2")),
        **changed,
    }
    return json.dumps(document)


def inputs(request: str) -> dict[str, str]:
    return {"request": request, "key": KEY, "attempt": "1"}


def test_a_rebuild(act: Act, world: Scenario) -> None:
    told = act.dispatch("rebuild.yml", inputs(request(world)))
    assert told.succeeded, told.log
    assert {name: told.outputs[name] for name in ("image", "passed")} == {
        "image": f"{world.target}@{told.outputs['digest']}",
        "passed": "true",
    }
    with RegistryClient(world.settings) as client:
        assert str(client.resolve(world.target.tagged("4.19.2")).digest) == told.outputs["digest"]
    assert "### layerwatch-step run" in told.summary
    assert TOKEN not in told.log


def test_a_rebuild_with_layerwatch_out_of_the_clone(act: Act, world: Scenario) -> None:
    """It is installed with pip, which asks a package index."""
    told = act.dispatch("rebuild.yml", inputs(request(world)), environment=OUT_OF_THE_CLONE)
    if "No matching distribution" in told.log and os.environ.get("REQUIRE_REAL_PARTS") != "1":
        pytest.skip("pip reaches no package index")
    assert told.succeeded, told.log
    assert told.outputs["passed"] == "true"


def test_a_rebuild_shows_what_differs_from_what_is_pinned(act: Act, world: Scenario) -> None:
    proposals = [world.proposal(repository=str(world.forge))]
    before = {"base": str(world.os_images["4.19.1"]), "release": "4.19.1", "target": str(world.target.tagged("4.19.1"))}
    assert act.dispatch("rebuild.yml", inputs(request(world, proposals=proposals, **before))).succeeded
    world.merge()
    told = act.dispatch("rebuild.yml", inputs(request(world, proposals=proposals)))
    assert told.succeeded, told.log
    assert "OS version `9.6.1-0` → `9.6.2-0`" in told.summary
    assert "| `linux/amd64` |" in told.summary


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
    """The workflow as it was copied: a token of the forge and the cluster's kubeconfig are all that it is given."""
    with watched(config.settings, f"http://{config.gitea.address}") as forge:
        configure(act, world, forge, config.repository)
        secrets = {"GITHUB_TOKEN": config.gitea.user(BOT), "KUBECONFIG": api_server.kubeconfig.read_text()}

        def watch(**given: str) -> tuple[str, str]:
            forge.forget()
            server.requests.clear()
            told = act.dispatch("watch.yml", given, secrets=secrets)
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


def pinned(origin: Origin, branch: str) -> str:
    return str(yaml.safe_load(origin.show(branch, FILE))["spec"]["osImageURL"])


def built(world: Scenario) -> str:
    """The only image there is, by digest."""
    (tag,) = world.tags()
    with RegistryClient(world.settings) as client:
        return f"{world.target}@{client.resolve(world.target.tagged(tag)).digest}"


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


def test_what_was_rebuilt_is_proposed_in_the_same_job(act: Act, world: Scenario, tmp_path: Path) -> None:
    """With the inputs that propose/README.md shows. The token is in the command's environment, and not in the log."""
    (act.repository / ".github" / "workflows" / "both.yml").write_text(BOTH)
    with github_at(tmp_path / "forge") as (github, _, address):
        clusters = add_repository(github, tmp_path / "forge")
        clusters.origin.commit({FILE: MACHINE_CONFIG})
        given = {"URL": f"http://{address}/api/v3", "TOKEN": GITHUB_TOKEN, "REQUEST": request(world)}
        told = act.dispatch("both.yml", environment=given)
        assert told.succeeded, told.log
        (pull,) = clusters.pulls
        assert (told.outputs["state"], told.outputs["reason"]) == ("created", "AwaitingApproval")
        assert (told.outputs["number"], told.outputs["commit"]) == (str(pull.number), pull.sha)
        assert told.outputs["pull_request"] == f"http://{address}/{NAME}/pull/{pull.number}"
        assert pinned(clusters.origin, told.outputs["branch"]) == told.outputs["image"] == built(world)
        assert "| Built on | -   | `4.19.2`" in pull.body
        assert "**Checked:** it is FROM that base" in pull.body
        again = act.dispatch("both.yml", environment=given)
        assert (again.outputs["state"], again.outputs["commit"]) == ("unchanged", pull.sha)
        assert len(clusters.pulls) == 1
    assert GITHUB_TOKEN not in told.log


@pytest.mark.parametrize(
    ("changed", "code", "said"),
    [
        pytest.param({"base": "quay.io/a/b:tag"}, 2, "base", id="a request with a base that is not pinned"),
        pytest.param({"key": "f" * 64}, 2, "the request's key is ffffffffffff", id="the key of something else"),
        pytest.param({"target": "{registry}/none/../x:1"}, 2, "target", id="no target"),
    ],
)
def test_wrong_inputs_are_annotated(act: Act, world: Scenario, changed: dict[str, str], code: int, said: str) -> None:
    told = act.dispatch("rebuild.yml", inputs(request(world, **changed)))
    assert not told.succeeded
    (annotation,) = told.annotations
    assert (annotation.level, annotation.title) == ("error", "layerwatch-step run")
    assert said in annotation.message
    assert told.exit_codes == {code}


def test_a_watch_without_its_configuration(act: Act) -> None:
    (act.repository / "layerwatch.yaml").unlink()
    told = act.dispatch("watch.yml")
    (annotation,) = told.annotations
    assert (annotation.level, told.exit_codes) == ("error", {2})
    assert "layerwatch.yaml" in annotation.message
