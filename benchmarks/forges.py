"""Requests to a forge for many proposals in one repository: API and git, of fresh processes and of one that goes on.

The forges are those of the tests, behind a relay that counts. Counts are all there is: how long a forge takes is its
own. The budgets that they are held to are asserted in tests/forges/test_budget.py. Run: python -m benchmarks.forges
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from layering.forge.exchange import Sent
from layering.forge.forge import Forge, Proposal, ProposalTarget, State
from layering.forge.forges import open_forge
from layering.forge.manners import Manners
from layering.forge.settings import Kind
from layering.machineconfig import new_machineconfig
from layering.reasons import Reason
from layering.reference import Digest, Repository
from tests.forges.places import MILESTONE, OUR_OWN, PLACES
from tests.forges.standing import PERSON
from tests.forges.watched import Watched

OS = Repository("registry.example.com", "acme/os")
OLD, NEW = (OS.at(Digest("sha256", digit * 64)) for digit in "01")
REPOSITORY = "acme/clusters"
_NAMES = {Kind.GITHUB: "GitHub", Kind.GITLAB: "GitLab", Kind.GITEA: "Gitea"}
KEY = "a" * 64
WHEN = datetime(2026, 11, 26, 7, 0, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Row:
    """What one situation cost, for all proposals together: requests to the API, git's, and how many of them wrote."""

    situation: str
    proposals: int
    api: int
    git: int
    writes: int


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--proposals", type=int, nargs="+", default=[1, 10, 100])
    counts = parser.parse_args().proposals
    print("Requests for all proposals of the repository together: of the API + of git. A push is two.\n")
    for kind in OUR_OWN:
        print(f"{_table(kind, [rows(kind, count) for count in counts])}\n")


def rows(kind: Kind, count: int) -> Sequence[Row]:
    """All situations, in the order in which they come about."""
    with tempfile.TemporaryDirectory(prefix="layerwatch-bench-") as name, PLACES[kind](Path(name)) as place:
        origin = place.add(REPOSITORY, files(count))
        counter = Counter(place.forge, count)
        first = [counter.opened(), counter.proposed_again(), counter.looked_at()]
        later = counter.ticked(lambda: origin.commit({"README.md": "Clusters, and more.\n"}))
        return [*first, *later, counter.commented(lambda: place.comment(REPOSITORY, "When will that be?"))]


class Counter:
    """Looks at and proposes so many pools' images in one repository, and counts, at the forge and where we send.

    The pools are those from number `start` on.
    """

    def __init__(self, forge: Watched, count: int, start: int = 0) -> None:
        self._forge = forge
        self._count = count
        self._targets = [target(number) for number in range(start, start + count)]
        self._heard: list[Sent] = []

    def opened(self) -> Row:
        """Each is proposed for the first time, by a process of its own: `open-pull-request`."""
        return self._counted("opened, each by a process of its own", lambda: self._propose_each(State.CREATED))

    def proposed_again(self) -> Row:
        """Each is proposed once more, by a process of its own, and nothing is new."""
        return self._counted("unchanged, each by a process of its own", lambda: self._propose_each(State.UNCHANGED))

    def commented(self, comment: Callable[[], object]) -> Row:
        """A person said something in each, and each is proposed once more, by a process of its own."""
        comment()
        return self._counted("commented on, each by a process of its own", lambda: self._propose_each(State.UNCHANGED))

    def looked_at(self) -> Row:
        """All are looked at by one new process: `run --once`, the first tick of a daemon."""
        with self._fresh() as forge:
            return self._counted("unchanged, first tick of a process", lambda: self._look(forge))

    def ticked(self, move_base: Callable[[], object]) -> Sequence[Row]:
        """A process that goes on looks at all: nothing is new, then the base branch moved elsewhere."""
        with self._fresh() as forge:
            self._look(forge)
            rows = [self._counted("unchanged, later tick", lambda: self._look(forge))]
            move_base()
            rows.append(self._counted("base branch moved elsewhere, later tick", lambda: self._look(forge)))
            return [*rows, self._counted("unchanged, the tick after", lambda: self._look(forge))]

    def _propose_each(self, state: State) -> None:
        for target in self._targets:
            with self._fresh() as forge:
                proposed = forge.propose(_proposal(target))
            assert proposed.state is state, proposed

    def _look(self, forge: Forge) -> None:
        one = forge.for_one_look(self._targets)
        for target in self._targets:
            found = one.observe(target, KEY, NEW)
            assert (found.state, found.reason) == (State.UNCHANGED, Reason.PROPOSAL_OPEN), found

    @contextmanager
    def _fresh(self) -> Iterator[Forge]:
        """What a new process would have: nothing remembered."""
        forge = open_forge(self._forge.settings, on_request=self._heard.append)
        try:
            yield forge
        finally:
            forge.close()

    def _counted(self, situation: str, act: Callable[[], None]) -> Row:
        self._forge.forget()
        self._heard.clear()
        act()
        api, git, writes = (len(each) for each in (self._forge.api, self._forge.git, self._forge.writes))
        assert api == len(self._heard), (self._forge.api, self._heard)
        return Row(situation=situation, proposals=self._count, api=api, git=git, writes=writes)


def files(count: int) -> Mapping[str, str]:
    """Of so many pools, and one that no proposal is about."""
    made = {_file(number): new_machineconfig(OLD, None, _pool(number)) for number in range(count)}
    return {**made, "README.md": "Clusters.\n"}


def target(number: int) -> ProposalTarget:
    """One pool's."""
    return ProposalTarget(repository=REPOSITORY, branch="main", file=_file(number), cluster="prod", pool=_pool(number))


def _proposal(target: ProposalTarget) -> Proposal:
    manners = Manners(labels=("layerwatch", "os"), reviewers=(PERSON,), milestone=MILESTONE)
    return Proposal(
        target=target,
        image=NEW,
        key=KEY,
        title=f"Layer {target.pool}",
        body=lambda length_max, pinned: "What it is made of."[:length_max],
        when=WHEN,
        manners=manners,
    )


def _pool(number: int) -> str:
    return f"pool-{number}"


def _file(number: int) -> str:
    return f"clusters/prod/{_pool(number)}.yaml"


def _table(kind: Kind, columns: Sequence[Sequence[Row]]) -> str:
    counts = [rows[0].proposals for rows in columns]
    lines = [
        f"| {_NAMES[kind]}, proposals | {' | '.join(map(str, counts))} | of them to write |",
        f"|---|{'---:|' * len(counts)}---:|",
    ]
    for row in zip(*columns, strict=True):
        cells = " | ".join(f"{each.api} + {each.git}" for each in row)
        lines.append(f"| {row[0].situation} | {cells} | {' · '.join(str(each.writes) for each in row)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
