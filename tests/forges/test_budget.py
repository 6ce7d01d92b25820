"""How many requests a proposal may cost, API and git: counted at the forge, for one, ten and a hundred of them.

The situations and the counting are those of the benchmark whose table is in docs/benchmarks.md.
"""

import pytest

from benchmarks.forges import rows
from layering.forge.settings import Kind
from tests.forges.places import PLACES

NEW_API_MAX = 8
TOUCHED_API_MAX = 3
LATER_GIT_MAX = 2
FETCH_GIT = 2  # a commit and its trees
FILE_GIT = 2  # a file of which nothing is here
PER_PAGE = 100


@pytest.mark.parametrize("count", [1, 10, 100])
@pytest.mark.parametrize("kind", PLACES)
def test_the_budget(kind: Kind, count: int) -> None:
    opened, again, first, later, moved, after, commented = rows(kind, count)
    assert opened.api <= NEW_API_MAX * count
    assert (again.api, again.git) == (count, 2 * count)
    assert commented.api <= TOUCHED_API_MAX * count
    assert first.api <= count + 1
    assert first.git <= LATER_GIT_MAX + FETCH_GIT + FILE_GIT * count
    pages = 1 + count // PER_PAGE  # what was just opened is listed as changed, too
    for tick in (later, moved, after):
        assert tick.api <= pages
    assert (later.git, moved.git, after.git) == (LATER_GIT_MAX, LATER_GIT_MAX + FETCH_GIT, LATER_GIT_MAX)
    assert [row.writes for row in (again, first, later, moved, after, commented)] == [0] * 6
