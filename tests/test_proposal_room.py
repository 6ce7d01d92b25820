"""What a proposal leaves out when there is no room, and what it says of many pools."""

import re
from dataclasses import replace

import pytest

from layering.evidence import Evidence
from layering.findings import Finding, Severity
from layering.proposal import Facts, Rollout, body, group_body, group_title, title
from layering.proposal_room import Keep, Part, fitted
from tests.test_proposal import BASE, LEAST, OLD, comparison

FULL = replace(
    LEAST,
    why="the cluster runs `4.19.3` now",
    old_image=str(OLD),
    version="4.19.3",
    old_version="4.19.2",
    base=BASE,
    source="https://git.example.com/acme/os.git",
    commit="c" * 40,
    rollouts=(Rollout(pool="worker", machines=3),),
    evidence=Evidence(
        findings=(Finding(rule="a-rule", severity=Severity.INFO, message="m"),), comparison=comparison(version="9.6")
    ),
)
INFRA = replace(FULL, cluster="stage", pool="infra", version="4.20.0", name="infra-os")
# From what goes first to what goes last, by a word of each.
PARTS = {
    Keep.LABELS: "<summary>Labels that differ",
    Keep.LAYERS: "**Differences:**",
    Keep.LINKS: "**From** source",
    Keep.NAMES: "<summary>Full names",
    Keep.CHECKS: "**Checked:**",
    Keep.ANSWERS: "**Your answer**",
    Keep.ROLLOUT: "**Merging** reboots",
}
ALWAYS = ("should boot", "| Image")


def lengths(text: str) -> range:
    return range(len(text) + 1, 0, -7)


@pytest.mark.parametrize("text", [body(FULL, 60_000), group_body([FULL, INFRA], 60_000)], ids=["one", "several"])
def test_with_room_everything_is_told(text: str) -> None:
    assert all(word in text for word in (*PARTS.values(), *ALWAYS))
    assert "Left out" not in text


def test_with_less_room_the_least_important_goes_first() -> None:
    gone: set[Keep] = set()
    for length in lengths(body(FULL, 60_000)):
        text = body(FULL, length)
        missing = {keep for keep, word in PARTS.items() if word not in text}
        assert gone <= missing, "what was left out for want of room does not come back with less of it"
        assert missing == set(list(PARTS)[: len(missing)])
        assert all(word in text for word in ALWAYS)
        assert ("*Left out, for there is no room: " in text) is bool(missing)
        assert len(text) <= length or len(missing) == len(PARTS)
        gone = missing
    assert gone == set(PARTS)


def test_with_less_room_no_pool_is_left_out() -> None:
    for length in lengths(group_body([FULL, INFRA], 60_000)):
        text = group_body([FULL, INFRA], length)
        assert len(re.findall(r"^\| `(?:prod|stage)` ", text, re.MULTILINE)) == 2


def test_what_was_left_out_is_named() -> None:
    parts = [Part(text="a"), Part(text="b" * 99, keep=Keep.LABELS), Part(text="c" * 99, keep=Keep.NAMES)]
    assert fitted(parts, 60) == "a\n\n*Left out, for there is no room: the labels that differ, the full names.*\n"
    assert fitted(parts, 2) == fitted(parts, 60), "what is always kept has no limit"
    assert fitted(parts, 300) == f"a\n\n{'b' * 99}\n\n{'c' * 99}\n"


def test_several_pools_in_one() -> None:
    text = group_body([FULL, INFRA], 60_000)
    assert text.startswith("2 pools should boot new OS images.\n\n| Cluster ")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    assert ["`prod`", "`worker`", "`4.19.2` → `4.19.3`", "`111111111111` → `222222222222`"] in rows
    assert ["`stage`", "`infra`", "`4.19.2` → `4.20.0`", "`111111111111` → `222222222222`"] in rows
    assert text.count("**Your answer**") == 1


ROLLOUTS = {
    "one": ((Rollout(pool="worker", machines=1),), "- pool `worker`: 1 node, 1 at a time, the oldest first"),
    "several": (
        (Rollout(pool="worker", machines=9, at_once=2),),
        "- pool `worker`: 9 nodes, 2 at a time, the oldest first",
    ),
    "zones": (
        (Rollout(pool="worker", machines=3, zones=(("a", 1), ("b", 2))),),
        "- pool `worker`: 3 nodes, 1 at a time, zone by zone: `a` (1), then `b` (2); in each the oldest first",
    ),
    "some without a zone": (
        (Rollout(pool="worker", machines=3, zones=(("", 1), ("b", 2))),),
        "zone by zone: those without a zone (1), then `b` (2); in each the oldest first",
    ),
    "many zones": (
        (Rollout(pool="worker", machines=99, zones=tuple((f"z{number:02}", 1) for number in range(15))),),
        "then `z11` (1), then 3 more zones; in each the oldest first",
    ),
    "paused": (
        (Rollout(pool="worker", machines=3, paused=True),),
        "the oldest first; **paused** when this was written, so it waits",
    ),
}


@pytest.mark.parametrize(("rollouts", "line"), ROLLOUTS.values(), ids=ROLLOUTS)
def test_which_nodes_reboot_and_in_what_order(rollouts: tuple[Rollout, ...], line: str) -> None:
    text = body(replace(LEAST, rollouts=rollouts), 60_000)
    assert f"{line}\n" in text
    assert "Pools do not wait" not in text


def test_a_branch_without_a_pull_request_is_answered_to_alone() -> None:
    text = body(replace(LEAST, branch_only=True), 60_000)
    assert "- **No:** delete it unmerged." in text
    assert "comment" not in text


def test_other_pools_reboot_too() -> None:
    known = (Rollout(pool="worker", machines=3), Rollout(pool="infra", machines=2))
    text = body(replace(LEAST, also=("infra", "gpu"), rollouts=known), 60_000)
    assert "**Merging** reboots 5 nodes, each drained first. Pools do not wait for each other.\n" in text
    assert "- pool `infra`, which takes the same MachineConfig: 2 nodes, 1 at a time" in text
    assert "- pool `gpu`: how many is not known\n" in text


TITLES = {
    "all": ("{cluster} {pool} {image} {version} {digest12}", "prod worker OS image 4.19.3 222222222222"),
    "none": ("Update the nodes", "Update the nodes"),
    "one twice": ("{pool}{pool}", "workerworker"),
}


@pytest.mark.parametrize(("pattern", "line"), TITLES.values(), ids=TITLES)
def test_a_title_of_ones_own(pattern: str, line: str) -> None:
    assert title(FULL, pattern) == line


@pytest.mark.parametrize(
    ("members", "pattern", "line"),
    [
        ([FULL], None, "night: 1 pool on 4.19.3"),
        ([FULL, INFRA], None, "night: 2 pools on 4.19.3, 4.20.0"),
        ([FULL, replace(INFRA, version="fixes #1")], None, "night: 2 pools on 4.19.3, 222222222222"),
        ([FULL, INFRA], "{cluster}: {image}", "prod, stage: OS image, infra-os"),
    ],
)
def test_the_title_of_several(members: list[Facts], pattern: str | None, line: str) -> None:
    assert group_title("night", members, pattern) == line


def test_the_title_of_very_many_is_cut() -> None:
    members = [replace(FULL, cluster=f"cluster-{number}") for number in range(99)]
    assert len(group_title("night", members, "{cluster}")) == 200
