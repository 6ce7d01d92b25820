"""`explain`: each fact has its source, the most urgent pool speaks for the image, and a wrong name is helped with."""

import json
from typing import Any

from tests.scenario import Scenario


def explained(scenario: Scenario, name: str = "worker-os") -> dict[str, Any]:
    done = scenario.layerwatch("explain", "-c", str(scenario.config), name, "--output", "json")
    assert (done.returncode, done.stderr) == (0, "")
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def facts(document: dict[str, Any]) -> dict[str, tuple[str, str]]:
    assert all(set(fact) == {"fact", "value", "source"} and all(fact.values()) for fact in document["facts"])
    found = {fact["fact"]: (fact["value"], fact["source"]) for fact in document["facts"]}
    assert len(found) == len(document["facts"])
    return found


def test_each_fact_has_its_source(scenario: Scenario) -> None:
    scenario.tick()
    scenario.merge()
    scenario.at("4.19.2")
    document = explained(scenario)
    assert {key: document[key] for key in ("kind", "image", "decision", "reason")} == {
        "kind": "Explanation",
        "image": "worker-os",
        "decision": "Rebuild",
        "reason": "BaseChanged",
    }
    assert "pools" not in document
    found, payload = facts(document), str(scenario.payloads["4.19.2"])
    assert found["release payload"] == (payload, "prod: ClusterVersion/version status.history[0].image")
    assert found["matching base"][1] == f"registry {payload}: image-references tag rhel-coreos"
    assert found["source commit"][1] == f"git {scenario.source} HEAD"
    assert found["target tag"][0] == "not there"
    assert found["target tag"][1].startswith(f"registry {scenario.target}:4.19.2-")
    assert found["git pins"][1] == f"{scenario.forge} main:clusters/prod/99-worker.yaml"
    pinned = found["git pins"][0]
    assert found["pinned base"][1] == f"registry {pinned}: annotation org.opencontainers.image.base.digest"
    assert found["pinned base"][0] != found["matching base"][0]
    assert found["pinned base's version"][0] == "4.19.1"
    assert found["proposal"] == ("absent", f"forge local {scenario.forge} layerwatch/prod/worker")


def test_the_most_urgent_pool_speaks_for_the_image(scenario: Scenario) -> None:
    scenario.tick()
    other = scenario.proposal(pool="infra", file="clusters/prod/99-infra.yaml", create=True)
    scenario.configure(proposals=[scenario.proposal(), other])
    document = explained(scenario)
    told = [(pool["pool"], pool["decision"]) for pool in document["pools"]]
    assert told == [("infra", "Propose"), ("worker", "AwaitingApproval")]
    assert (document["decision"], document["reason"]) == ("Propose", "ImageReady")
    assert document["facts"] == document["pools"][0]["facts"]
    text = scenario.layerwatch("explain", "-c", str(scenario.config), "worker-os").stdout
    assert text.count("build key") == 1
    assert text.count("git pins") == 2


def test_what_could_not_be_told_is_a_fact(scenario: Scenario) -> None:
    (scenario.directory / "clusterversion.yaml").unlink()
    document = explained(scenario)
    assert (document["decision"], document["reason"]) == ("Unknown", "Unreachable")
    assert facts(document)["could not be told"][1] == "the look itself: Unreachable"


def test_another_name_is_helped_with(scenario: Scenario) -> None:
    done = scenario.layerwatch("explain", "-c", str(scenario.config), "worker-so")
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean worker-os?" in done.stderr
