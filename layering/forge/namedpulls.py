"""The pull requests of one branch that git's answer names, where the forge selects none by its branch.

Up to a page all are listed, by one request. Where there are more, git has `refs/pull/N/head`, and those that have the
branch's commit are asked for by their numbers. In the second after a push git names the wrong ones or none, so this is
for finding that nothing is to be done (`at_a_glance`), and for nothing that is written.
"""

import math
from collections.abc import Sequence

from layering.forge.knownpulls import KnownPulls
from layering.forge.marker import Marker
from layering.forge.pullrequest import PullRequest, PullState
from layering.forge.refs import Refs


class NamedPulls:
    """Raises what the Host raises."""

    def __init__(self, known: KnownPulls, refs: Refs, *, head: str, base: str, per_page: int) -> None:
        """Of the branch `head`, which ours merges into `base`. `per_page`: how many one request lists."""
        self._known = known
        self._commit = refs.branches.get(head)
        self._numbers = refs.pulls_of(head)
        self._is_one_page = refs.pulls is not None and len(refs.pulls) <= per_page
        self._is_each_cheaper = refs.ours <= math.ceil(len(refs.pulls or ()) / per_page)
        self._head = head
        self._base = base

    def opened(self) -> Sequence[PullRequest]:
        """Those that are open, newest first; into `base` only where git names a single one."""
        if self._is_one_page:
            self._known.of(self._head, self._base)  # all, and then the open ones are known
        elif not self._known.are_listed:
            if not self._of_the_branch and len(self._numbers) == 1 and self._is_each_cheaper:
                self._known.ask(self._head, self._numbers[0])
            if known := self._of_the_branch:
                return [pull for pull in _open(known) if pull.base == self._base]
        return self._known.opened(self._head, self._base)

    def all(self) -> Sequence[PullRequest]:
        """All that have the branch's commit; empty where git does not tell. Where none is open, the newest does."""
        if not self._is_one_page and self._commit is None:
            return ()
        is_open = bool(self.opened())
        if self._known.are_complete:
            return self._of_the_branch
        if is_open:
            return () if self._known.are_listed else self._of_the_branch
        if self._numbers and not self._of_the_branch:
            self._known.ask(self._head, self._numbers[0])
        if _open(self._of_the_branch):
            return ()
        return [pull for pull in self._of_the_branch if self._is_about_the_commit(pull)]

    @property
    def _of_the_branch(self) -> Sequence[PullRequest]:
        return self._known.known(self._head)

    def _is_about_the_commit(self, pull: PullRequest) -> bool:
        marker = Marker.parse(pull.body)
        return marker is not None and marker.commit == self._commit


def _open(pulls: Sequence[PullRequest]) -> Sequence[PullRequest]:
    return [pull for pull in pulls if pull.state is PullState.OPEN]
