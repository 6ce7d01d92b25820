"""The pull requests of one branch that git's answer names, where the forge selects none by its branch.

Up to a page all are listed, by one request. Where there are more, git has `refs/pull/N/head`: those that have the
branch's commit are asked for by their numbers, while that costs no more than to list what is open. In the second after
a push git names the wrong ones or none, so this is for finding that nothing is to be done (`at_a_glance`), and no pull
request is changed for it. A comment may be made, that the branch is a person's: git is asked again before.
"""

from collections.abc import Collection, Sequence

from layering.forge.knownpulls import KnownPulls
from layering.forge.marker import Marker
from layering.forge.pullrequest import PullRequest, PullState
from layering.forge.refs import Refs

_ASKED_MAX = 2  # by number, of one branch


class NamedPulls:
    """Raises what the Host raises."""

    def __init__(
        self, known: KnownPulls, refs: Refs, *, head: str, base: str, among: Collection[str], per_page: int
    ) -> None:
        """Of the branch `head`, which ours merges into `base`. `among`: all branches that are looked at now.
        `per_page`: how many one request lists.
        """
        self._known = known
        self._head = head
        self._base = base
        self._commit = refs.branches.get(head)
        self._numbers = refs.pulls_of(head)
        self._others = [branch for branch in among if branch in refs.branches and branch != head]
        self._per_page = per_page
        self._count = len(refs.pulls or ())
        self._is_one_page = refs.pulls is not None and self._count <= per_page

    def opened(self) -> Sequence[PullRequest]:
        """Those that are open, newest first; while they are not listed, into `base` only, and what was retargeted."""
        if self._is_one_page:
            self._known.of(self._head)  # all, and then the open ones are known
        elif not self._known.are_listed and (told := self._told()):
            return [pull for pull in _open(told) if pull.base == self._base or self._is_about_the_commit(pull)]
        else:
            self._known.list_open()  # of all, those that are open
        return self._known.opened(self._head, self._base)

    def believed(self) -> Sequence[PullRequest]:
        """What may be taken for all there is of the branch, newest first. Empty: the whole has to be asked for.

        Where none is open, the newest speaks, and only of the commit that the branch still has.
        """
        if self._commit is None and not self._is_one_page:
            return ()
        opened = self.opened()
        if self._known.are_complete:
            return self._of_the_branch
        if opened and not self._known.are_listed:
            return self._of_the_branch if self._ask_for_all() else ()
        known = self._of_the_branch
        is_sure = (
            known and self._known.was_asked(self._head) and not _open(known) and self._is_about_the_commit(known[0])
        )
        return known[:1] if is_sure else ()

    @property
    def _of_the_branch(self) -> Sequence[PullRequest]:
        return self._known.known(self._head)

    def _told(self) -> Sequence[PullRequest]:
        """Those that tell what is open. None where they do not tell all, or are listed at less cost."""
        if not self._of_the_branch and not self._are_few:
            return ()
        if not self._numbers and not self._known.was_asked(self._head):
            return ()
        if self._numbers:
            self._known.ask(self._head, self._numbers[0])
        is_told = self._is_told_by_the_newest or self._ask_for_all()
        return self._of_the_branch if is_told else ()

    @property
    def _are_few(self) -> bool:
        """Whether those that were not asked for are no more than the pages of what is open, as far as that is known."""
        count = self._known.open_count
        pages = -(-(self._count if count is None else count) // self._per_page)
        return 1 + sum(not self._known.known(branch) for branch in self._others) <= max(pages, 1)

    def _ask_for_all(self) -> bool:
        """Whether all that git names have been asked for now, or before."""
        if len(self._numbers) <= _ASKED_MAX:
            for number in self._numbers:
                self._known.ask(self._head, number)
        return len(self._numbers) <= _ASKED_MAX

    @property
    def _is_told_by_the_newest(self) -> bool:
        """Whether that is open into `base`, and its marker tells that none of the others is."""
        newest, others = self._numbers[:1], self._numbers[1:]
        found = [pull for pull in _open(self._of_the_branch) if pull.number in newest and pull.base == self._base]
        marker = Marker.parse(found[0].body) if found else None
        return marker is not None and all(other <= marker.after for other in others)

    def _is_about_the_commit(self, pull: PullRequest) -> bool:
        marker = Marker.parse(pull.body)
        return marker is not None and marker.commit == self._commit


def _open(pulls: Sequence[PullRequest]) -> Sequence[PullRequest]:
    return [pull for pull in pulls if pull.state is PullState.OPEN]
