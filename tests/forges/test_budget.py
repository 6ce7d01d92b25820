"""How many requests a proposal may cost, API and git: counted at the forge, for one, ten and a hundred of them.

The situations and the counting are those of the benchmark whose table is in docs/benchmarks.md. Of the hundred all but
two were made before, and not by proposing them: what is proposed one by one costs the same each time.
"""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmarks.forges import NEW, REPOSITORY, Counter, Row, files, rows, target
from layering.forge.marker import Marker
from layering.forge.settings import Kind
from layering.machineconfig import new_machineconfig
from tests.forges.origin import Origin
from tests.forges.places import OUR_OWN, PLACES, Place

NEW_API_MAX = 8
TOUCHED_API_MAX = 3
LATER_GIT_MAX = 2
FETCH_GIT = 2  # a commit and its trees
FILE_GIT = 2  # a file of which nothing is here
PER_PAGE = 100
HUNDRED = 100


@pytest.mark.parametrize("count", [1, 10])
@pytest.mark.parametrize("kind", PLACES)
def test_the_budget(kind: Kind, count: int) -> None:
    opened, again, first, later, moved, after, commented = rows(kind, count)
    assert_each_by_a_process_of_its_own(opened, again, commented, has_clock_of_its_own=kind is Kind.GITEA)
    assert_all_by_one_process(first, later, moved, after)


@pytest.mark.parametrize("kind", OUR_OWN)
def test_the_budget_among_a_hundred(kind: Kind, tmp_path: Path) -> None:
    with PLACES[kind](tmp_path) as place:
        origin = place.add(REPOSITORY, files(HUNDRED))
        Counter(place.forge, 1).opened()
        made_before(place, origin, range(1, HUNDRED - 1))
        last, whole = Counter(place.forge, 1, HUNDRED - 1), Counter(place.forge, HUNDRED)
        opened, again = last.opened(), last.proposed_again()
        assert_all_by_one_process(
            whole.looked_at(), *whole.ticked(lambda: origin.commit({"README.md": "Clusters, and more.\n"}))
        )
        commented = last.commented(lambda: place.comment(REPOSITORY, "When will that be?"))
        assert_each_by_a_process_of_its_own(opened, again, commented)


def assert_each_by_a_process_of_its_own(
    opened: Row, again: Row, commented: Row, *, has_clock_of_its_own: bool = False
) -> None:
    """A real forge may take seconds to follow a push, and then dates a pull request later than we wrote it: touched."""
    count = opened.proposals
    assert opened.api <= NEW_API_MAX * count
    assert again.git == 2 * count
    assert count <= again.api <= count * (TOUCHED_API_MAX if has_clock_of_its_own else 1)
    assert commented.api <= TOUCHED_API_MAX * count
    assert (again.writes, commented.writes) == (0, 0)


def assert_all_by_one_process(first: Row, later: Row, moved: Row, after: Row) -> None:
    count = first.proposals
    assert first.api <= count + 1
    assert first.git <= LATER_GIT_MAX + FETCH_GIT + FILE_GIT * count
    pages = 1 + count // PER_PAGE  # what was just opened is listed as changed, too
    for tick in (later, moved, after):
        assert tick.api <= pages
    assert (later.git, moved.git, after.git) == (LATER_GIT_MAX, LATER_GIT_MAX + FETCH_GIT, LATER_GIT_MAX)
    assert [row.writes for row in (first, later, moved, after)] == [0] * 4


def made_before(place: Place, origin: Origin, numbers: range) -> None:
    """The branches and pull requests of these pools, as the only one that there is."""
    (only,) = place.pulls(REPOSITORY)
    marker = Marker.parse(only.body)
    assert marker is not None
    for number in numbers:
        of, title = target(number), f"Layer {target(number).pool}"
        pinned = {of.file: new_machineconfig(NEW, None, of.pool)}
        commit = origin.commit(pinned, branch=of.proposal_branch, on="main")
        own = replace(marker, commit=commit, title=title, written=datetime.now(UTC))
        place.open(REPOSITORY, of.proposal_branch, title, only.body.replace(marker.text(), own.text()))
