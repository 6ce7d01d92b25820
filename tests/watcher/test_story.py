"""The whole job, as a user runs it: `check`, `run --once`, a merge, an upgrade."""

from collections.abc import Callable

import pytest

from layering.git import run_git
from layering.reference import Repository
from layering.registry.client import RegistryClient
from layering.registry.server import RegistryServer
from tests.scenario import BRANCH, FILE, PERSON, Scenario
from watcher import demo_git

WRITES = ("POST", "PUT", "PATCH", "DELETE")


def test_from_nothing_to_merged_to_the_next_release(scenario: Scenario) -> None:
    assert scenario.decision() == ("Rebuild", "NeverBuilt")
    assert scenario.tick() == ("AwaitingApproval", "ProposalOpen")
    scenario.merge()
    assert scenario.tick() == ("UpToDate", "MatchesBase")
    scenario.at("4.19.2")
    assert scenario.decision() == ("Rebuild", "BaseChanged")
    assert scenario.tick() == ("AwaitingApproval", "ProposalOpen")
    scenario.merge()
    assert scenario.tick() == ("UpToDate", "MatchesBase")
    assert [tag.rpartition("-")[0] for tag in scenario.tags()] == ["4.19.1", "4.19.2"]
    text = demo_git.show(scenario.forge, f"main:{FILE}")
    with RegistryClient(scenario.settings) as client:
        digest = client.resolve(scenario.target.tagged(scenario.tags()[1])).digest
    assert f"osImageURL: '{scenario.target}@{digest}'   # ours" in text


def test_a_second_tick_builds_and_proposes_nothing(scenario: Scenario, server: RegistryServer) -> None:
    scenario.tick()
    before = (demo_git.refs(scenario.forge), len([r for r in server.requests if r.method in WRITES]))
    assert scenario.tick() == ("AwaitingApproval", "ProposalOpen")
    assert (demo_git.refs(scenario.forge), len([r for r in server.requests if r.method in WRITES])) == before


@pytest.mark.parametrize("flags", [("check",), ("run", "--once", "--dry-run")], ids=["check", "dry-run"])
def test_looking_writes_nothing_anywhere(scenario: Scenario, server: RegistryServer, flags: tuple[str, ...]) -> None:
    server.requests.clear()
    refs = demo_git.refs(scenario.forge)
    done = scenario.layerwatch(*flags, "-c", str(scenario.config))
    assert done.returncode in (0, 10), done.stderr
    assert "Rebuild" in done.stdout
    assert server.requests
    assert [r for r in server.requests if r.method in WRITES] == []
    assert demo_git.refs(scenario.forge) == refs


def test_a_source_change_rebuilds_and_a_change_beside_the_context_does_not(scenario: Scenario) -> None:
    scenario.tick()
    scenario.merge()
    scenario.commit_source({"README.md": "read me\n"})
    assert scenario.decision() == ("UpToDate", "MatchesBase")
    scenario.commit_source({"worker/motd": "good day\n"})
    assert scenario.decision() == ("Rebuild", "SourceChanged")
    assert scenario.tick() == ("AwaitingApproval", "ProposalOpen")


def test_an_update_on_its_way_is_built_for_and_not_proposed(scenario: Scenario) -> None:
    scenario.tick()
    scenario.merge()
    scenario.at("4.19.2", state="Partial")
    assert scenario.tick() == ("Held", "UpdateInProgress")
    assert len(scenario.tags()) == 2
    assert scenario.branches() == ["refs/heads/main"]
    scenario.at("4.19.2")
    assert scenario.tick() == ("AwaitingApproval", "ProposalOpen")


def test_unless_the_configuration_says_so(scenario: Scenario) -> None:
    scenario.configure(proposals=[scenario.proposal(hold="none")])
    scenario.at("4.19.2", state="Partial")
    assert scenario.tick() == ("AwaitingApproval", "ProposalOpen")


def test_a_cluster_that_went_back_is_held(scenario: Scenario) -> None:
    scenario.at("4.19.2")
    scenario.tick()
    scenario.merge()
    scenario.at("4.19.1")
    assert scenario.tick() == ("Held", "OlderThanRunning")
    assert len(scenario.tags()) == 1


def test_a_newer_base_updates_the_open_proposal_in_place(scenario: Scenario) -> None:
    scenario.tick()
    first = scenario.proposal_commits()
    scenario.at("4.19.2")
    assert scenario.tick() == ("AwaitingApproval", "ProposalOpen")
    assert len(scenario.proposal_commits()) == len(first) == 1
    assert scenario.proposal_commits() != first
    assert "on 4.19.2" in demo_git.show(scenario.forge, f"refs/heads/{BRANCH}")


def edit(scenario: Scenario) -> None:
    work = scenario.directory / "person"
    run_git(None, ["clone", "--quiet", "--branch", BRANCH, str(scenario.forge), str(work)])
    (work / "note").write_text("mine\n")
    run_git(work, ["add", "--all"])
    run_git(work, ["commit", "--quiet", "-m", "mine"], PERSON)
    run_git(work, ["push", "--quiet", "origin", f"HEAD:refs/heads/{BRANCH}"])


def delete(scenario: Scenario) -> None:
    run_git(scenario.forge, ["update-ref", "-d", f"refs/heads/{BRANCH}"])


def ignore(scenario: Scenario) -> None:
    note = ["notes", "--ref=layerwatch", "add", "-m", "/layerwatch ignore", f"refs/heads/{BRANCH}"]
    run_git(scenario.forge, note, PERSON)


def merge_and_revert(scenario: Scenario) -> None:
    scenario.merge()
    work = scenario.directory / "revert"
    run_git(None, ["clone", "--quiet", str(scenario.forge), str(work)])
    run_git(work, ["revert", "--no-edit", "-m", "1", "HEAD"], PERSON)
    run_git(work, ["push", "--quiet"])


@pytest.mark.parametrize(
    ("person", "decision", "exit_code", "next_key"),
    [
        pytest.param(edit, ("Held", "EditedByPerson"), 0, ("Held", "EditedByPerson"), id="edits the branch"),
        pytest.param(delete, ("Held", "ClosedByPerson"), 0, ("AwaitingApproval", "ProposalOpen"), id="deletes it"),
        pytest.param(ignore, ("Held", "IgnoredByCommand"), 0, ("AwaitingApproval", "ProposalOpen"), id="notes ignore"),
        pytest.param(
            merge_and_revert, ("Blocked", "Reverted"), 11, ("AwaitingApproval", "ProposalOpen"), id="merges and reverts"
        ),
    ],
)
def test_what_a_person_does_to_a_proposal_binds(
    scenario: Scenario,
    person: Callable[[Scenario], None],
    decision: tuple[str, str],
    exit_code: int,
    next_key: tuple[str, str],
) -> None:
    scenario.tick()
    person(scenario)
    refs = demo_git.refs(scenario.forge)
    assert scenario.tick() == decision
    assert scenario.layerwatch("run", "-c", str(scenario.config), "--once").returncode == exit_code
    assert demo_git.refs(scenario.forge) == refs
    scenario.at("4.19.2")
    assert scenario.tick() == next_key


def test_following_a_tag_works_the_same_way(scenario: Scenario) -> None:
    art = f"{scenario.registry}/openshift-release-dev/ocp-v4.0-art-dev:4.19.1-os"
    scenario.configure(base={"image": art})
    assert scenario.tick() == ("AwaitingApproval", "ProposalOpen")
    scenario.merge()
    assert scenario.decision() == ("UpToDate", "MatchesBase")
    assert scenario.tags()[0].startswith("9.6.1-0-")
    scenario.push("4.19.1", seed="moved")
    assert scenario.decision() == ("Rebuild", "BaseChanged")


def test_an_image_in_use_that_nobody_can_read_stops_nothing(scenario: Scenario) -> None:
    """The usual first day: the MachineConfig pins an image of somebody else's, in a registry we have no way to."""
    foreign = f"127.0.0.1:1/somebody/derived@sha256:{'d' * 64}"
    work = scenario.directory / "first-day"
    run_git(None, ["clone", "--quiet", str(scenario.forge), str(work)])
    (work / FILE).write_text((work / FILE).read_text().replace("osImageURL: ''", f"osImageURL: {foreign}"))
    for command in (["commit", "--quiet", "--all", "-m", "by hand"], ["push", "--quiet"]):
        run_git(work, command, PERSON)
    assert scenario.decision() == ("Rebuild", "NeverBuilt")
    assert scenario.tick() == ("AwaitingApproval", "ProposalOpen")
    assert "Not compared with the image in use" in demo_git.show(scenario.forge, f"refs/heads/{BRANCH}")


def test_a_tag_that_holds_somebody_elses_image_is_never_proposed(scenario: Scenario) -> None:
    scenario.configure(proposals=[])
    scenario.tick()
    scenario.configure()
    (tag,) = scenario.tags()
    with RegistryClient(scenario.settings) as client:
        art = Repository(scenario.registry, "openshift-release-dev/ocp-v4.0-art-dev")
        foreign = client.image(art.tagged("4.19.1-os"))
        for blob in (foreign.config, *foreign.layers):
            client.copy_blob(art, scenario.target, blob)
        client.push_manifest(scenario.target.tagged(tag), foreign.raw, foreign.media_type)
    assert scenario.decision() == ("Blocked", "TagTaken")
    assert scenario.tick() == ("Blocked", "TagTaken")
    assert scenario.branches() == ["refs/heads/main"]


def test_an_image_without_proposals_is_built_and_kept(scenario: Scenario) -> None:
    scenario.configure(proposals=[])
    assert scenario.tick() == ("UpToDate", "MatchesBase")
    assert len(scenario.tags()) == 1


def test_two_pools_of_one_image_are_built_once(scenario: Scenario, server: RegistryServer) -> None:
    other = scenario.proposal(pool="infra", file="clusters/prod/99-infra.yaml", create=True)
    scenario.configure(proposals=[scenario.proposal(), other])
    assert scenario.tick() == ("AwaitingApproval", "ProposalOpen")
    manifests = [r for r in server.requests if r.method == "PUT" and "acme/worker-os/manifests/4.19.1" in r.path]
    assert len(manifests) == 1
    assert scenario.branches() == [f"refs/heads/{BRANCH}"[:-6] + "infra", f"refs/heads/{BRANCH}", "refs/heads/main"]


def test_two_watchers_at_once_end_like_one(scenario: Scenario, server: RegistryServer) -> None:
    processes = [scenario.start("run", "-c", str(scenario.config), "--once") for _ in range(2)]
    outputs = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert len(scenario.tags()) == 1
    assert len(scenario.proposal_commits()) == 1
    assert scenario.tick() == ("AwaitingApproval", "ProposalOpen")
    manifests = [r for r in server.requests if r.method == "PUT" and "acme/worker-os/manifests/4.19.1" in r.path]
    assert len(manifests) == 1
    run_git(scenario.forge, ["fsck", "--strict"])
