"""A release that is not verified never leads to a build; one that is, is verified once."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from layering.registry.server import RegistryServer
from layering.registry.server_http import Answer
from layering.registry.transport import Request
from tests.kubernetes.openshift import OpenShiftPlay
from tests.kubernetes.server import TestApiServer
from tests.scenario import Scenario
from tests.signatures.gpg import Gpg, claim
from tests.signatures.releases import name, store
from watcher.configuration import load
from watcher.watch import watching

BLOCKED = ("Blocked", "ReleaseUnverified")
PROPOSED = ("AwaitingApproval", "ProposalOpen")


@pytest.fixture
def signed(scenario: Scenario, gpg: Gpg) -> Scenario:
    """Releases must be signed by Alice, in a directory where nothing is yet."""
    (scenario.directory / "alice.key").write_bytes(gpg.public("Alice"))
    (scenario.directory / "signatures").mkdir()
    return rules(scenario, keys=["alice.key"], stores=["signatures"])


def rules(scenario: Scenario, **keys: Any) -> Scenario:
    scenario.extra_registries = {"releaseSignatures": keys}
    scenario.configure()
    return scenario


def sign(scenario: Scenario, gpg: Gpg, version: str, *, user: str = "Alice", named: str = "") -> bytes:
    return gpg.sign(claim(scenario.payloads[version].pinned, named or name(version)), user)


def put(scenario: Scenario, version: str, signature: bytes) -> None:
    store(scenario.directory / "signatures", [signature], digest=scenario.payloads[version].pinned)


def test_a_release_that_is_not_signed(signed: Scenario) -> None:
    assert signed.tick() == BLOCKED
    assert signed.layerwatch("check", "-c", str(signed.config)).returncode == 11
    assert signed.branches() == ["refs/heads/main"]
    with pytest.raises(Exception, match="no such thing"):
        signed.tags()


def test_a_release_that_is_signed_by_somebody_else(signed: Scenario, gpg: Gpg) -> None:
    put(signed, "4.19.1", sign(signed, gpg, "4.19.1", user="Bob"))
    assert signed.tick() == BLOCKED


def test_a_release_that_is_signed_as_another_version(signed: Scenario, gpg: Gpg) -> None:
    put(signed, "4.19.1", sign(signed, gpg, "4.19.1", named=name("4.19.2")))
    assert signed.tick() == BLOCKED


def test_a_signature_of_the_release_before(signed: Scenario, gpg: Gpg) -> None:
    put(signed, "4.19.1", sign(signed, gpg, "4.19.1"))
    assert signed.tick() == PROPOSED
    signed.at("4.19.2")
    put(signed, "4.19.2", sign(signed, gpg, "4.19.1"))
    assert signed.tick() == BLOCKED
    put(signed, "4.19.2", sign(signed, gpg, "4.19.2"))
    assert signed.tick() == PROPOSED


def test_warn_says_it_and_goes_on(signed: Scenario) -> None:
    rules(signed, keys=["alice.key"], stores=["signatures"], policy="warn")
    done = signed.layerwatch("run", "--once", "-c", str(signed.config), "--output", "json")
    assert json.loads(done.stdout)["images"][0]["decision"] == "AwaitingApproval"
    assert "the release is not verified" in done.stderr


def test_ignore_looks_nowhere(signed: Scenario) -> None:
    rules(signed, keys=["alice.key"], stores=["http://127.0.0.1:1/x"], policy="ignore")
    assert signed.tick() == PROPOSED


def test_require_without_a_key(signed: Scenario) -> None:
    assert rules(signed, policy="require").tick() == ("Blocked", "InputInvalid")


def test_another_identity(signed: Scenario, gpg: Gpg) -> None:
    rules(signed, keys=["alice.key"], stores=["signatures"], identity="quay.io/acme/os-release")
    put(signed, "4.19.1", sign(signed, gpg, "4.19.1", named="quay.io/acme/os-release:4.19.1-x86_64"))
    assert signed.tick() == PROPOSED


def test_a_file_that_is_no_key(signed: Scenario) -> None:
    (signed.directory / "alice.key").write_text("no key")
    done = signed.layerwatch("check", "-c", str(signed.config))
    assert (done.returncode, "alice.key" in done.stderr) == (2, True)


@pytest.fixture
def web() -> Iterator[RegistryServer]:
    """A store on the web."""
    with RegistryServer(intercept=lambda asked: Answer(status=404)) as server:
        yield server


def serve(web: RegistryServer, scenario: Scenario, version: str, signature: bytes) -> None:
    path = f"/s/sha256={scenario.payloads[version].pinned.hex}/signature-1"
    web.intercept = lambda asked: Answer(status=200, body=signature) if asked.target == path else Answer(status=404)


def test_a_store_that_does_not_answer(signed: Scenario) -> None:
    assert rules(signed, keys=["alice.key"], stores=["http://127.0.0.1:1/s"]).tick()[0] == "Unknown"


def test_a_steady_tick_asks_no_store(signed: Scenario, gpg: Gpg, web: RegistryServer) -> None:
    rules(signed, keys=["alice.key"], stores=[f"{web.url}/s"])
    image = json.loads(signed.config.read_text())["images"][0]
    others = [{**image, "name": f"os-{number}", "proposals": []} for number in range(2)]
    signed.configure(images=[image, *others])
    asked: list[Request] = []  # a store that is not asked any more must not look like a registry that fell silent
    with watching(load(signed.config), on_registry_request=asked.append) as watch:
        first = watch.look_and_tick(lambda verdict: None, dry_run=True)
        assert {verdict.decision.reason.value for verdict in first} == {"ReleaseUnverified"}
        serve(web, signed, "4.19.1", sign(signed, gpg, "4.19.1"))
        web.requests.clear()
        second = watch.look_and_tick(lambda verdict: None, dry_run=True)
        assert {verdict.decision.kind.value for verdict in second} == {"Rebuild"}
        assert len(web.requests) == 1
        assert {request.registry for request in asked} == {signed.registry}
        for _ in range(3):
            assert [verdict.decision for verdict in watch.look_and_tick(lambda _: None, dry_run=True)] == [
                verdict.decision for verdict in second
            ]
        assert len(web.requests) == 1


def test_clusters_on_one_release_share_what_was_verified(signed: Scenario, gpg: Gpg, web: RegistryServer) -> None:
    serve(web, signed, "4.19.1", sign(signed, gpg, "4.19.1"))
    rules(signed, keys=["alice.key"], stores=[f"{web.url}/s"])
    document = json.loads(signed.config.read_text())
    names = ["prod", "test", "edge"]
    document["clusters"] = [{"name": each, "access": {"file": "clusterversion.yaml"}} for each in names]
    image = {**document["images"][0], "proposals": []}
    document["images"] = [
        {**image, "name": f"os-{each}", "base": {"cluster": each, "tag": "rhel-coreos"}} for each in names
    ]
    signed.config.write_text(json.dumps(document))
    with watching(load(signed.config)) as watch:
        decided = watch.look_and_tick(lambda verdict: None, dry_run=True)
    assert [verdict.decision.kind.value for verdict in decided] == ["Rebuild"] * 3
    assert len(web.requests) == 1


def test_the_clusters_own_signatures(
    signed: Scenario, gpg: Gpg, openshift: OpenShiftPlay, api_server: TestApiServer
) -> None:
    openshift.pool("worker", machines=1)
    payload = signed.payloads["4.19.1"]
    openshift.cluster_version("4.19.1", str(payload))
    rules(signed, keys=["alice.key"], stores=["cluster"])
    document = json.loads(signed.config.read_text())
    document["clusters"] = [{"name": "prod", "access": {"kubeconfig": str(api_server.kubeconfig)}}]
    signed.config.write_text(json.dumps(document))
    assert signed.decision() == BLOCKED
    openshift.release_signatures("signatures", {f"sha256-{payload.pinned.hex}-1": sign(signed, gpg, "4.19.1")})
    assert signed.decision() == ("Rebuild", "NeverBuilt")


def test_a_cluster_that_is_a_file_holds_none(signed: Scenario, tmp_path: Path) -> None:
    rules(signed, keys=["alice.key"], stores=["cluster"])
    done = signed.layerwatch("validate", "-c", str(signed.config))
    assert (done.returncode, "registries.releaseSignatures.stores[0]" in done.stderr) == (2, True)
