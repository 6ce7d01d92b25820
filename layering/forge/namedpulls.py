"""The pull request of one branch that git's answer names, where the forge selects none by its branch.

Up to a page all are listed, by one request. Where there are more, git has `refs/pull/N/head`: the only one that has the
branch's commit is asked for by its number. In the second after a push git names the wrong one or none, so this is for
finding that nothing is to be done (`at_a_glance`), and no pull request is changed for it. A comment may be made, that
the branch is a person's: git is asked again before, and of what was opened into another branch it is never said.
"""

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
        self._head = head
        self._base = base
        self._commit = refs.branches.get(head)
        self._number = refs.only_pull_of(head)
        self._is_one_page = refs.pulls is not None and len(refs.pulls) <= per_page

    def opened(self) -> Sequence[PullRequest]:
        """Those that are open, newest first; into `base` only, while they are not listed."""
        if self._is_one_page:
            self._known.of(self._head, self._base)  # all, and then the open ones are known
        elif not self._known.are_listed:
            if self._number is not None and not self._of_the_branch:
                self._known.ask(self._head, self._number)
            if known := self._of_the_branch:
                return [pull for pull in _open(known) if pull.base == self._base]
        return self._known.opened(self._head, self._base)

    def believed(self) -> Sequence[PullRequest]:
        """What may be taken for all there is of the branch, newest first. Empty: the whole has to be asked for.

        Where none is open, the newest speaks, and only of the commit that the branch still has.
        """
        if self._commit is None and not self._is_one_page:
            return ()
        opened, known = self.opened(), self._of_the_branch
        if self._known.are_complete or (opened and not self._known.are_listed):
            return known
        is_sure = known and not _open(known) and self._is_about_the_commit(known[0])
        return known[:1] if is_sure else ()

    @property
    def _of_the_branch(self) -> Sequence[PullRequest]:
        return self._known.known(self._head)

    def _is_about_the_commit(self, pull: PullRequest) -> bool:
        marker = Marker.parse(pull.body)
        return marker is not None and marker.commit == self._commit


def _open(pulls: Sequence[PullRequest]) -> Sequence[PullRequest]:
    return [pull for pull in pulls if pull.state is PullState.OPEN]
