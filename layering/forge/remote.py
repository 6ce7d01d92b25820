"""Proposals as pull requests: one branch, one commit, one open pull request per cluster and pool (or group).

The same on every forge: what an API can do is behind Host, what git does behind RemoteGit, how things stand is judged
in judgement.py. Here is only the order of things: look, judge, write what is due, look whether it holds. Killed
anywhere in between, the next call finds what was done and does the rest. See docs/pull-requests.md.
"""

import copy
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from typing import Self

from layering.errors import ConflictError, UnavailableError
from layering.forge.closing import Moved, close_doubles, ignore
from layering.forge.commands import Command, Verb
from layering.forge.exchange import LostAnswerError
from layering.forge.forge import (
    OUR_BRANCHES,
    Orphan,
    Proposal,
    ProposalState,
    ProposalTarget,
    Proposed,
    State,
    repository_identity,
)
from layering.forge.gitside import OpenGit
from layering.forge.host import Host
from layering.forge.judgement import Due, Judgement, Seen, at_a_glance, judge
from layering.forge.marker import Marker
from layering.forge.proposalwriter import ProposalWriter
from layering.forge.pullrequest import PullRequest, PullState
from layering.forge.refs import Refs
from layering.forge.remoterepository import RemoteRepository
from layering.forge.settings import ForgeSettings
from layering.once import Once
from layering.reasons import Reason
from layering.reference import ImageReference

_ATTEMPTS = 5  # each one lost means that somebody else's was written
_ALL_OURS = f"{OUR_BRANCHES}*"


@dataclass(kw_only=True)
class _OneLook:
    """What the targets of one look have in common: by repository their `branches`, that changed pull requests were
    read, and how many of ours are open; by repository and base branch the refs. `unavailable`: it failed, and is not
    asked again.
    """

    branches: Mapping[str, Collection[str]]
    refs: Once[Refs]
    refreshed: Once[None]
    counted: Once[int]
    unavailable: UnavailableError | None = None


class RemoteForge:
    """A forge behind an API. Safe to use from threads and processes."""

    def __init__(self, settings: ForgeSettings, host: Host, open_git: OpenGit) -> None:
        self._settings = settings
        self._host = host
        self._open_git = open_git
        self._repositories: dict[str, RemoteRepository] = {}
        self._guard = threading.Lock()
        self._fails = threading.Event()  # at the last look: it is not waited for again while others wait
        self._one: _OneLook | None = None

    def close(self) -> None:
        """Close connections, and take away what git fetched."""
        for repository in self._repositories.values():
            repository.close()
        self._host.close()

    def for_one_look(self, targets: Sequence[ProposalTarget]) -> Self:
        """See Forge. Of each repository refs and changed pull requests are read once."""
        one, branches = copy.copy(self), dict[str, set[str]]()
        for target in targets:
            branches.setdefault(target.repository, set()).add(target.proposal_branch)
        one._one = _OneLook(
            branches=branches,
            refs=Once(lambda name, base: self._repository(name).refs((base, _ALL_OURS))),
            refreshed=Once(lambda name: self._repository(name).pulls.refresh()),
            counted=Once(self._count_open),
        )
        return one

    def observe(self, target: ProposalTarget, key: str, image: ImageReference | None) -> ProposalState:
        """See Forge."""
        one = self._one
        if one is not None and one.unavailable is not None:
            raise one.unavailable  # it failed just now, and all others would wait for it as long
        self._host.begin(briefly=self._fails.is_set())
        try:
            seen = self._observed(target, key, image)
        except UnavailableError as error:
            self._fails.set()
            if one is not None:
                one.unavailable = error
            raise
        self._fails.clear()
        return seen

    def propose(self, proposal: Proposal) -> Proposed:
        """See Forge. Who loses a race looks again, and finds the winner's work."""
        self._host.begin()
        target = proposal.target
        repository = self._repository(target.repository)
        writer = ProposalWriter(self._settings, repository, proposal)
        attempts = 0
        while attempts < _ATTEMPTS:
            try:
                return self._proposed(repository, writer, proposal)
            except Moved:
                attempts += 1
            except LostAnswerError:
                pass  # it may have been done; how often is the exchange's patience
            repository.forget(target)
        raise UnavailableError(
            f"{target.proposal_branch} was moved each of the {_ATTEMPTS} times we were about to",
            where=f"{self._settings.name}: {target.repository}",
            next_step="run it again",
            reason=Reason.FORGE_UNREACHABLE,
        )

    def heed(self, target: ProposalTarget) -> None:
        """See Forge. What is lost or moved meanwhile is seen by the next look."""
        self._host.begin()
        repository = self._repository(target.repository)
        seen = repository.look(target, partial(repository.refs, _branches(target)))
        command = repository.command(seen.open) if seen.open is not None else None
        if seen.open is not None and command is not None and command.verb is Verb.IGNORE:
            with suppress(Moved, LostAnswerError):
                ignore(repository, seen.open, command)

    def orphans(self, targets: Sequence[ProposalTarget]) -> Sequence[Orphan]:
        """See Forge. One listing of each repository that `targets` name. Forges take a name in whatever case."""
        self._host.begin(briefly=self._fails.is_set())
        owned = {(repository_identity(target.repository), target.proposal_branch) for target in targets}
        return [
            Orphan(repository=name, branch=pull.head, pull_request=pull.url, number=pull.number)
            for name in {repository_identity(target.repository): target.repository for target in targets}.values()
            for pull in self._host.open_pulls(name)
            if (repository_identity(name), pull.head) not in owned and self._is_ours(name, pull)
        ]

    def _observed(self, target: ProposalTarget, key: str, image: ImageReference | None) -> ProposalState:
        one, repository = self._one, self._repository(target.repository)
        if one is not None:
            one.refreshed(repository.name)
        refs = partial(one.refs, repository.name, target.branch) if one else partial(repository.refs, _branches(target))
        seen, found, command = self._judged(repository, target, key, image, refs)
        repository.check_that_it_takes_changes(are_due=found.due is not Due.NOTHING or command is not None)
        too_many = found.state is State.ABSENT and self._is_full(target.repository)
        if command is not None:  # what was commanded is due
            found = Judgement(state=State.OUTDATED, reason=None, due=Due.COMMIT, pull=seen.open)
        file = repository.file(seen.tip, target)
        marker = Marker.parse(seen.open.body) if seen.open else None
        line = marker.line_of(target.member) if marker else None
        is_written_on = seen.open is not None and found.due is not Due.NOTHING and seen.by_a_pusher(seen.open)
        return ProposalState(
            state=found.state,
            reason=Reason.TOO_MANY_OPEN if too_many else found.reason,
            pinned=file.config.image if file.config else None,
            branch=target.proposal_branch,
            commit=seen.head,
            key=line.key if line else None,
            pull_request=found.pull.url if found.pull else None,
            config=file.config,
            number=found.pull.number if found.pull else None,
            members=marker.members if marker and is_written_on else {},
            is_to_be_ignored=command is not None and command.verb is Verb.IGNORE,
        )

    def _repository(self, name: str) -> RemoteRepository:
        with self._guard:
            if name not in self._repositories:
                self._repositories[name] = RemoteRepository(self._settings, self._host, name, self._open_git)
            return self._repositories[name]

    def _judged(
        self,
        repository: RemoteRepository,
        target: ProposalTarget,
        key: str,
        image: ImageReference | None,
        first: Callable[[], Refs],
    ) -> tuple[Seen, Judgement, Command | None]:
        """What is seen of a target, how that stands, and what people told us. `first` gives git's refs to begin with.

        A glance does where it finds an answer and no command: what is commanded is carried out on the whole.
        Pull requests may be younger than git's answer: one that was merged since looks reverted, or as if another one
        were due on the old tip. So git is asked again, unless the open one is read once more before it is written.
        """
        refs, is_whole = cache(first), False
        among = self._one.branches.get(repository.name, ()) if self._one else ()
        while True:
            seen = None if is_whole else repository.glimpse(target, refs, among)
            found = at_a_glance(seen, key, image) if seen is not None else None
            if seen is None or found is None:
                seen, is_whole = repository.look(target, refs, key), True
                found = judge(seen, key, image)
            is_sure = found.state in (State.UNCHANGED, State.OUTDATED) or (found.due is Due.COMMIT and not seen.head)
            if not is_sure and repository.pulls.asked_at(target.proposal_branch) >= refs().at:
                refs = cache(partial(repository.refs, _branches(target)))
            elif (command := _command(repository, seen, found)) is None or is_whole:
                break
            else:
                is_whole = True
        return seen, found, command

    def _proposed(self, repository: RemoteRepository, writer: ProposalWriter, proposal: Proposal) -> Proposed:
        refs = partial(repository.refs, _branches(proposal.target))
        seen, found, command = self._judged(repository, proposal.target, proposal.key, proposal.image, refs)
        repository.check_that_it_takes_changes(are_due=False)  # when they are, the push tells
        if command is not None and seen.open is not None:
            if command.verb is Verb.IGNORE:
                ignore(repository, seen.open, command)
                raise Moved
            return writer.write(seen, Due.COMMIT, seen.open, command)
        if found.due is Due.SINGLE:
            close_doubles(repository, seen)
            raise Moved
        if found.reason is Reason.CONFLICT_ON_BASE:
            raise _conflict(seen, found, self._settings.name)
        if found.reason is Reason.EDITED_BY_PERSON and found.pull is not None:
            writer.say_that_it_is_theirs(found.pull)
        if found.due is not Due.NOTHING:
            full = found.state is State.ABSENT and self._count_open(repository.name) >= self._settings.max_open > 0
            if not full:
                return writer.write(seen, found.due, found.pull)
            found = Judgement(state=State.ABSENT, reason=Reason.TOO_MANY_OPEN, due=Due.NOTHING)
        pull = found.pull if found.reason is not Reason.ALREADY_ON_BASE else found.pull or _merged(repository, proposal)
        return Proposed(
            state=found.state,
            reason=found.reason or Reason.PROPOSAL_OPEN,
            branch=proposal.target.proposal_branch,
            commit=seen.head,
            pull_request=pull.url if pull else None,
            key=proposal.key,
            number=pull.number if pull else None,
        )

    def _is_full(self, repository: str) -> bool:
        if not self._settings.max_open:
            return False
        count = self._one.counted if self._one else self._count_open
        return count(repository) >= self._settings.max_open

    def _count_open(self, repository: str) -> int:
        """How many pull requests of ours are open. Asks only when there is a limit."""
        opened = self._host.open_pulls(repository) if self._settings.max_open else ()
        return sum(self._is_ours(repository, pull) for pull in opened)

    def _is_ours(self, repository: str, pull: PullRequest) -> bool:
        is_like_it = pull.state is PullState.OPEN and pull.head.startswith(OUR_BRANCHES) and Marker.parse(pull.body)
        return bool(is_like_it) and self._repository(repository).opened_by_a_pusher(pull)


def _merged(repository: RemoteRepository, proposal: Proposal) -> PullRequest | None:
    """The newest of this key that was merged, as far as it is known without asking."""
    for pull in repository.pulls.known(proposal.target.proposal_branch):
        marker = Marker.parse(pull.body)
        line = marker.line_of(proposal.target.member) if marker is not None else None
        if pull.state is PullState.MERGED and line is not None and line.key == proposal.key:
            return pull
    return None


def _branches(target: ProposalTarget) -> tuple[str, str]:
    return target.branch, target.proposal_branch


def _command(repository: RemoteRepository, seen: Seen, found: Judgement) -> Command | None:
    """What people told us in the open one that was not acted on yet; not while it is one to be closed. Our commit is
    none for another branch than ours, so one that was retargeted is not rebased.
    """
    if seen.open is None or found.reason is Reason.ALREADY_ON_BASE or found.due is Due.SINGLE:
        return None
    command = repository.command(seen.open)
    is_elsewhere = seen.open.base != seen.target.branch
    return None if command is not None and command.verb is Verb.REBASE and is_elsewhere else command


def _conflict(seen: Seen, found: Judgement, forge: str) -> ConflictError:
    target, page = seen.target, found.pull.url if found.pull else seen.target.proposal_branch
    return ConflictError(
        f"the line that {page} changes was changed on {target.branch} by somebody else",
        where=f"{forge}: {target.repository}, {target.file}",
        next_step="close the pull request to refuse this image, undo the other change, or comment /layerwatch rebase",
    )
