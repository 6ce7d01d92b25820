"""How a proposal stands, from what was seen: the table of docs/pull-requests.md, row by row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from layering.forge.basefile import BaseFile
from layering.forge.forge import ProposalTarget, State
from layering.forge.judgement import Due, Judgement, OurCommit, Seen, judge
from layering.forge.marker import Line, Marker, with_marker
from layering.forge.pullrequest import PullRequest, PullState
from layering.reasons import Reason
from layering.reference import ImageReference

OLD, NEW, OTHER = (f"registry.example.com/os@sha256:{letter * 64}" for letter in "abc")
KEY, NEXT_KEY = "1" * 64, "2" * 64
TIP, MOVED_TIP, OURS, THEIRS = (digit * 40 for digit in "3456")
READER = "eve"
WRITTEN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TARGET = ProposalTarget(repository="acme/config", branch="main", file="99-worker.yaml", cluster="prod", pool="worker")


def _marker(**changes: Any) -> Marker:
    facts: dict[str, Any] = {
        "key": KEY,
        "commit": OURS,
        "image": NEW,
        "old": OLD,
        "base": TIP,
        "title": "prod/worker: OS image",
        "written": WRITTEN,
    }
    return Marker(**{**facts, **changes})


def _pull(marker: Marker | None, **changes: Any) -> PullRequest:
    facts: dict[str, Any] = {
        "number": 7,
        "url": "https://forge.example.com/acme/config/pulls/7",
        "title": "prod/worker: OS image",
        "body": with_marker("Text.", marker) if marker else "Text.",
        "state": PullState.OPEN,
        "draft": False,
        "head": TARGET.proposal_branch,
        "head_commit": OURS,
        "base": "main",
        "updated": WRITTEN,
    }
    return PullRequest(**{**facts, **changes})


def _file(image: str | None) -> bytes | None:
    if image is None:
        return None
    return (
        "apiVersion: machineconfiguration.openshift.io/v1\nkind: MachineConfig\n"
        "metadata: {name: 99-worker, labels: {machineconfiguration.openshift.io/role: worker}}\n"
        f"spec: {{osImageURL: {image}}}\n"
    ).encode()


@dataclass(frozen=True, kw_only=True)
class Case:
    """What was seen, and the judgement. `made` are commits that only we can have made."""

    seen: str
    pulls: tuple[PullRequest, ...] = ()
    head: str | None = OURS
    tip: str = TIP
    pinned: str | None = OLD
    made: Mapping[str, OurCommit] = field(default_factory=dict)
    key: str = KEY
    state: State
    reason: Reason | None = None
    due: Due = Due.NOTHING


_OUR_COMMIT = OurCommit(key=KEY, image=NEW, old=OLD)
_CLOSED, _MERGED = {"state": PullState.CLOSED}, {"state": PullState.MERGED}

CASES = (
    Case(seen="nothing yet", head=None, state=State.ABSENT, due=Due.COMMIT),
    Case(seen="the base pins it", head=None, pinned=NEW, state=State.UNCHANGED, reason=Reason.ALREADY_ON_BASE),
    Case(
        seen="the base pins it in another repository's spelling",
        head=None,
        pinned=NEW.replace("registry.example.com", "mirror.example.com"),
        state=State.UNCHANGED,
        reason=Reason.ALREADY_ON_BASE,
    ),
    Case(seen="open", pulls=(_pull(_marker()),), state=State.UNCHANGED, reason=Reason.PROPOSAL_OPEN),
    Case(
        seen="open, and the base moved elsewhere",
        pulls=(_pull(_marker()),),
        tip=MOVED_TIP,
        state=State.UNCHANGED,
        reason=Reason.PROPOSAL_OPEN,
    ),
    Case(
        seen="open, and somebody changed the line on the base",
        pulls=(_pull(_marker()),),
        tip=MOVED_TIP,
        pinned=OTHER,
        state=State.IGNORED,
        reason=Reason.CONFLICT_ON_BASE,
    ),
    Case(
        seen="open, and the base pins it by now",
        pulls=(_pull(_marker()),),
        tip=MOVED_TIP,
        pinned=NEW,
        state=State.UNCHANGED,
        reason=Reason.ALREADY_ON_BASE,
    ),
    Case(seen="open with an older key", pulls=(_pull(_marker()),), key=NEXT_KEY, state=State.OUTDATED, due=Due.COMMIT),
    Case(
        seen="open with an older key, and somebody changed the line on the base",
        pulls=(_pull(_marker()),),
        tip=MOVED_TIP,
        pinned=f"{OTHER[:-1]}f",
        key=NEXT_KEY,
        state=State.OUTDATED,
        due=Due.COMMIT,
    ),
    Case(
        seen="open with an older key, and this key was refused before",
        pulls=(_pull(_marker()), _pull(_marker(key=NEXT_KEY, image=OTHER), number=3, **_CLOSED)),
        key=NEXT_KEY,
        state=State.IGNORED,
        reason=Reason.CLOSED_BY_PERSON,
    ),
    Case(
        seen="open with an older key, reopened when its branch had this one, which was refused",
        pulls=(_pull(_marker(key=NEXT_KEY, image=OTHER), number=8, head_commit=THEIRS, **_CLOSED), _pull(_marker())),
        head=THEIRS,
        made={THEIRS: OurCommit(key=NEXT_KEY, image=OTHER, old=OLD)},
        key=NEXT_KEY,
        state=State.IGNORED,
        reason=Reason.CLOSED_BY_PERSON,
    ),
    Case(
        seen="open, and its image was built anew: another digest",
        pulls=(_pull(_marker(image=OTHER)),),
        state=State.OUTDATED,
        due=Due.COMMIT,
    ),
    Case(
        seen="open twice: asked at once, a forge opened two",
        pulls=(_pull(_marker(), number=8), _pull(_marker())),
        state=State.OUTDATED,
        due=Due.SINGLE,
    ),
    Case(
        seen="open twice, one without our marker",
        pulls=(_pull(_marker(), number=8), _pull(None)),
        state=State.UNCHANGED,
        reason=Reason.PROPOSAL_OPEN,
    ),
    Case(
        seen="open, left over when its double was merged, and another key is due",
        pulls=(_pull(_marker(commit=OURS), number=8, state=PullState.MERGED), _pull(_marker(commit=THEIRS))),
        key=NEXT_KEY,
        state=State.OUTDATED,
        due=Due.COMMIT,
    ),
    Case(
        seen="a person's commit on it",
        pulls=(_pull(_marker()),),
        head=THEIRS,
        state=State.HUMAN_EDITED,
        reason=Reason.EDITED_BY_PERSON,
    ),
    Case(
        seen="a person's commit on it, and another key is due",
        pulls=(_pull(_marker()),),
        head=THEIRS,
        key=NEXT_KEY,
        state=State.HUMAN_EDITED,
        reason=Reason.EDITED_BY_PERSON,
    ),
    Case(
        seen="open into another branch as well, by somebody who may push",
        pulls=(_pull(None, number=8, base="dev"), _pull(_marker())),
        state=State.UNCHANGED,
        reason=Reason.PROPOSAL_OPEN,
    ),
    Case(
        seen="open into another branch, by somebody who may push, and ours was closed before",
        pulls=(_pull(None, number=8, base="dev"), _pull(_marker(), **_CLOSED)),
        made={OURS: _OUR_COMMIT},
        state=State.IGNORED,
        reason=Reason.CLOSED_BY_PERSON,
    ),
    Case(
        seen="open into another branch, by somebody who may push, ours was merged before, and another key is due",
        pulls=(_pull(None, number=8, base="dev"), _pull(_marker(), **_MERGED)),
        tip=MOVED_TIP,
        pinned=NEW,
        key=NEXT_KEY,
        state=State.ABSENT,
        due=Due.COMMIT,
    ),
    Case(
        seen="open into another branch, by somebody who may only read",
        pulls=(_pull(_marker(old=NEW), base="dev", opener=READER),),
        made={OURS: _OUR_COMMIT},
        state=State.ABSENT,
        due=Due.FINISH,
    ),
    Case(
        seen="open in the place of ours, by somebody who may only read, and another key is due",
        pulls=(_pull(_marker(), opener=READER),),
        made={OURS: _OUR_COMMIT},
        key=NEXT_KEY,
        state=State.OUTDATED,
        due=Due.SINGLE,
    ),
    Case(
        seen="retargeted by a person",
        pulls=(_pull(_marker(), base="release"),),
        state=State.HUMAN_EDITED,
        reason=Reason.EDITED_BY_PERSON,
    ),
    Case(
        seen="retitled, labelled, made a draft by a person",
        pulls=(
            _pull(_marker(), title="Not before Monday", draft=True, labels=("os",), updated=WRITTEN + timedelta(1)),
        ),
        state=State.UNCHANGED,
        reason=Reason.PROPOSAL_OPEN,
    ),
    Case(
        seen="the marker taken away, and the commit is ours",
        pulls=(_pull(None),),
        made={OURS: _OUR_COMMIT},
        state=State.OUTDATED,
        due=Due.FINISH,
    ),
    Case(
        seen="a person's, of the commit whose own one was closed",
        pulls=(_pull(None, number=8), _pull(_marker(), **_CLOSED)),
        made={OURS: _OUR_COMMIT},
        state=State.IGNORED,
        reason=Reason.CLOSED_BY_PERSON,
    ),
    Case(
        seen="the marker taken away, and the commit is a person's",
        pulls=(_pull(None),),
        state=State.HUMAN_EDITED,
        reason=Reason.EDITED_BY_PERSON,
    ),
    Case(
        seen="killed between push and text",
        pulls=(_pull(_marker(key=NEXT_KEY, commit=THEIRS, image=OTHER)),),
        made={OURS: _OUR_COMMIT},
        state=State.OUTDATED,
        due=Due.FINISH,
    ),
    Case(
        seen="killed between text and labels",
        pulls=(_pull(_marker(todo=("labels",))),),
        state=State.OUTDATED,
        due=Due.FINISH,
    ),
    Case(
        seen="killed between push and pull request",
        made={OURS: _OUR_COMMIT},
        state=State.ABSENT,
        due=Due.FINISH,
    ),
    Case(
        seen="killed between push and pull request, and another key is due",
        made={OURS: _OUR_COMMIT},
        key=NEXT_KEY,
        state=State.ABSENT,
        due=Due.COMMIT,
    ),
    Case(
        seen="a branch of that name that is nobody's proposal",
        head=THEIRS,
        state=State.HUMAN_EDITED,
        reason=Reason.EDITED_BY_PERSON,
    ),
    Case(
        seen="closed",
        pulls=(_pull(_marker(), **_CLOSED),),
        state=State.IGNORED,
        reason=Reason.CLOSED_BY_PERSON,
    ),
    Case(
        seen="closed, its text a person's own",
        pulls=(_pull(None, **_CLOSED),),
        made={OURS: _OUR_COMMIT},
        state=State.IGNORED,
        reason=Reason.CLOSED_BY_PERSON,
    ),
    Case(
        seen="closed by somebody who may only read, who had opened it",
        pulls=(_pull(_marker(), opener=READER, **_CLOSED),),
        made={OURS: _OUR_COMMIT},
        state=State.ABSENT,
        due=Due.FINISH,
    ),
    Case(
        seen="closed, branch deleted",
        pulls=(_pull(_marker(), **_CLOSED),),
        head=None,
        state=State.IGNORED,
        reason=Reason.CLOSED_BY_PERSON,
    ),
    Case(
        seen="branch deleted, and the forge still calls it open",
        pulls=(_pull(_marker()),),
        head=None,
        state=State.IGNORED,
        reason=Reason.CLOSED_BY_PERSON,
    ),
    Case(
        seen="closed by command",
        pulls=(_pull(_marker(ignored=True), **_CLOSED),),
        state=State.IGNORED,
        reason=Reason.IGNORED_BY_COMMAND,
    ),
    Case(
        seen="closed, and another key is due",
        pulls=(_pull(_marker(), **_CLOSED),),
        key=NEXT_KEY,
        state=State.ABSENT,
        due=Due.COMMIT,
    ),
    Case(
        seen="closed, a person's commit left on the branch, and another key is due",
        pulls=(_pull(_marker(), **_CLOSED),),
        head=THEIRS,
        key=NEXT_KEY,
        state=State.HUMAN_EDITED,
        reason=Reason.EDITED_BY_PERSON,
    ),
    Case(
        seen="merged, and pinned",
        pulls=(_pull(_marker(), **_MERGED),),
        head=None,
        tip=MOVED_TIP,
        pinned=NEW,
        state=State.UNCHANGED,
        reason=Reason.ALREADY_ON_BASE,
    ),
    Case(
        seen="merged, and reverted",
        pulls=(_pull(_marker(), **_MERGED),),
        head=None,
        tip=MOVED_TIP,
        state=State.IGNORED,
        reason=Reason.REVERTED,
    ),
    Case(
        seen="merged, branch left behind, and another key is due",
        pulls=(_pull(_marker(), **_MERGED),),
        tip=MOVED_TIP,
        pinned=NEW,
        key=NEXT_KEY,
        state=State.ABSENT,
        due=Due.COMMIT,
    ),
    Case(
        seen="closed, and later merged: the newest decides",
        pulls=(_pull(_marker(), number=9, **_MERGED), _pull(_marker(), **_CLOSED)),
        tip=MOVED_TIP,
        state=State.IGNORED,
        reason=Reason.REVERTED,
    ),
)


def _seen(case: Case, target: ProposalTarget = TARGET) -> Seen:
    return Seen(
        target=target,
        tip=case.tip,
        head=case.head,
        opened=lambda: [pull for pull in case.pulls if pull.state is PullState.OPEN],
        pulls=lambda: [replace(pull) for pull in case.pulls],  # they were asked for at another moment
        file=lambda: BaseFile(commit=case.tip, target=target, raw=_file(case.pinned)),
        made_by_us=case.made.get,
        keys_in=lambda commit: {target.member: case.made[commit].key} if commit in case.made else {},
    )


def _judged(case: Case) -> Judgement:
    image = ImageReference.parse_pinned(NEW if case.key == KEY else OTHER)
    return judge(_seen(case), case.key, image)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.seen.replace(" ", "-"))
def test_judged(case: Case) -> None:
    found = _judged(case)
    assert (found.state, found.reason, found.due) == (case.state, case.reason, case.due)


def test_a_marker_about_this_very_tip_spares_reading_the_file() -> None:
    def never() -> BaseFile:
        raise AssertionError("the file was read")

    def all_of_them() -> Sequence[PullRequest]:
        raise AssertionError("those that are closed were asked for")

    opened = (_pull(_marker()),)
    seen = Seen(
        target=TARGET,
        tip=TIP,
        head=OURS,
        opened=lambda: opened,
        pulls=all_of_them,
        file=never,
        made_by_us=lambda commit: None,
    )
    assert judge(seen, KEY, ImageReference.parse_pinned(NEW)).reason is Reason.PROPOSAL_OPEN


SHARED = ProposalTarget(
    repository="acme/config", branch="main", file="99-worker.yaml", cluster="prod", pool="worker", group="all"
)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        pytest.param({"prod/worker": KEY}, (State.UNCHANGED, Reason.PROPOSAL_OPEN), id="its line is in it"),
        pytest.param({"prod/worker": NEXT_KEY}, (State.OUTDATED, None), id="its line is in it for another key"),
        pytest.param({"prod/infra": KEY}, (State.OUTDATED, None), id="its line is not in it"),
    ],
)
def test_a_shared_proposal_is_judged_by_the_line_of_each(
    members: Mapping[str, str], expected: tuple[State, Reason | None]
) -> None:
    marker = _marker(key="9" * 64, members={name: Line(key=key, image=NEW, old=OLD) for name, key in members.items()})
    case = Case(seen="shared", pulls=(_pull(marker),), state=State.UNCHANGED)
    found = judge(_seen(case, SHARED), KEY, ImageReference.parse_pinned(NEW))
    assert (found.state, found.reason) == expected
