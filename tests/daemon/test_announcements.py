"""Which Events a change has people told: about what, under which name, and whether as something new."""

from datetime import UTC, datetime

import pytest

from layering.cluster.events import Regarding
from layering.reasons import Reason
from tests.daemon.verdicts import build, observation, verdict
from watcher.changes import Change, Changes
from watcher.decision import Kind
from watcher.engines.engine import BuildState
from watcher.events import announcements
from watcher.home import RunPlace
from watcher.report import Verdict
from watcher.world import Subject

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PLACE = RunPlace(cluster="home", namespace="builds")


def noted(*verdicts: Verdict) -> list[Change]:
    changes = Changes()
    return [changes.note(one) for one in verdicts]


def test_a_pool_is_told_of_its_decision() -> None:
    said = verdict(Kind.BLOCKED, Reason.POOL_DEGRADED, message="two\nnodes", next_step="look at them")
    (told,) = announcements(noted(said)[0], None, NOW)
    event = told.event
    assert told.cluster == "prod"
    assert not told.is_new
    assert event.regarding == Regarding(
        api_version="machineconfiguration.openshift.io/v1", kind="MachineConfigPool", name="worker"
    )
    assert (event.reason, event.action, event.is_warning) == ("PoolDegraded", "Blocked", True)
    assert event.note == "worker-os: Blocked: two nodes; next: look at them"
    assert event.regarding.events_namespace == "default"


@pytest.mark.parametrize(
    ("second", "is_told"),
    [
        (verdict(message="otherwise said"), False),
        (verdict(Kind.HELD, Reason.POOL_PAUSED), True),
        (verdict(seen=observation(key="b")), True),
    ],
    ids=["the same decision", "another decision", "another build"],
)
def test_only_another_decision_is_told_again(second: Verdict, is_told: bool) -> None:
    first, later = (announcements(change, None, NOW) for change in noted(verdict(), second))
    assert bool(later) is is_told
    assert all(told.is_new and told.event.name != first[0].event.name for told in later)


def test_the_same_decision_has_the_same_name_in_every_process() -> None:
    one, two = (announcements(noted(verdict(message=text))[0], None, NOW)[0].event.name for text in ("a", "b"))
    assert one == two


def test_an_image_without_a_pool_tells_no_pool() -> None:
    assert announcements(noted(verdict(subject=Subject(image="worker-os")))[0], PLACE, NOW) == []


def test_a_run_that_failed_is_told_where_it_is() -> None:
    before = verdict(Kind.BUILDING, Reason.BUILD_RUNNING, seen=observation(build=build(BuildState.RUNNING)))
    after = verdict(Kind.HELD, Reason.BACK_OFF, seen=observation(build=build(BuildState.FAILED)))
    pool, run = announcements(noted(before, after)[1], PLACE, NOW)
    assert pool.event.regarding.kind == "MachineConfigPool"
    assert run.cluster == "home"
    assert run.event.regarding == Regarding(
        api_version="tekton.dev/v1", kind="PipelineRun", name="worker-os-aaaaaaaaaaaa-1", namespace="builds"
    )
    assert (run.event.reason, run.event.note, run.event.is_warning) == ("BuildFailed", "a step failed", True)
    assert run.event.regarding.events_namespace == "builds"
