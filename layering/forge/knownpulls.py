"""The pull requests of one repository, as far as our branches go: each branch is asked for once, then only changes.

A process that looks once asks one question per branch, and for a further page of its answer when that is read; where
the forge can tell of all branches only, it asks for those that git names, for all that are open, or for all, as far as
they are read. One that stays asks, at each look, a single question for the whole repository: what was updated since.
Nothing is judged here.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from layering.errors import NotFoundError
from layering.forge.forge import OUR_BRANCHES
from layering.forge.host import Host
from layering.forge.pullrequest import PullPage, PullRequest, PullState

_SLACK = timedelta(seconds=5)  # forges write their clock in whole seconds, and list a change a moment later
_OLDER_MAX = 2  # asked for by number


_EVERY = ""  # branch, where none selects its own


@dataclass(kw_only=True)
class _Reading:
    """How far the pages of a branch were read, or of all. Those of the number `read_to` and later ones are known."""

    is_begun: bool = False
    is_whole: bool = False
    read_to: int = sys.maxsize
    rest: Iterator[PullPage] | None = None


class KnownPulls:
    """Safe to use from threads. Raises what the Host raises."""

    def __init__(self, host: Host, repository: str) -> None:
        self._host = host
        self._repository = repository
        self._by_branch: dict[str, dict[int, PullRequest]] = {}
        self._readings: dict[str, _Reading] = {}
        self._is_open_listed = False  # of all branches
        self._clone_url: str | None = None
        self._is_archived = False
        self._open_count: int | None = None
        self._asked: dict[str, float] = {}
        self._numbers = set[int]()  # of whatever branch, that were asked for or listed
        self._listed_at = 0.0
        self._since: datetime | None = None
        self._is_told = False  # by the answer to our own write, since the last time
        self._guard = threading.RLock()

    @property
    def are_listed(self) -> bool:
        """Whether what is open is known of all branches, where none selects one."""
        with self._guard:
            return self._is_open_listed or self.are_complete

    @property
    def are_complete(self) -> bool:
        """Whether all branches are known, with what has ended, where none selects one."""
        with self._guard:
            return self._reading(_EVERY).is_whole

    @property
    def are_unknown(self) -> bool:
        """Whether nothing is known of any branch."""
        with self._guard:
            return not self.are_listed and not self._by_branch

    def asked_at(self, head: str) -> float:
        """When the last answer came that tells of a branch, as time.monotonic() counts; 0: never."""
        with self._guard:
            return max(self._asked.get(head, 0.0), self._listed_at)

    def known(self, head: str) -> Sequence[PullRequest]:
        """Those of a branch that are known, newest first. There may be others. Asks nothing."""
        with self._guard:
            return self._newest_first(head)

    def was_asked(self, head: str) -> bool:
        """Whether the branch was asked for, by itself or by a number; else what changed may be all that is known."""
        with self._guard:
            return head in self._asked

    def ask(self, head: str, number: int) -> None:
        """Have the one of that number known, which is believed to be of the branch. It is asked for once: git may have
        one that is gone.
        """
        with self._guard:
            if number in self._numbers:
                return
            with suppress(NotFoundError):
                with self._asking(head):
                    pull = self._host.pull(self._repository, number)
                self._take([pull])
            self._numbers.add(number)

    def opened(self, head: str, base: str) -> Sequence[PullRequest]:
        """Those of a branch that are open, newest first. All of them: one that was not seen would let another, which
        anybody may have opened, stand in its place. Where those that git names were asked for, and all have ended, none
        is. Where a branch selects its own, one into `base` is enough: the forge opens no second one.
        """
        with self._guard:
            if self._host.selects_by_head:
                while not self._is_whole(head) and all(pull.base != base for pull in self._open_ones(head)):
                    self._read_on(head)
            elif self._open_ones(head) or not (self.known(head) and self.was_asked(head)):
                self.list_open()
            return self._open_ones(head)

    def list_open(self) -> None:
        """Have all that are open known, where no branch selects its own."""
        with self._guard:
            if not self.are_listed:
                with self._asking():
                    pulls = self._host.open_pulls(self._repository)
                self._take(pulls)
                self._is_open_listed = True

    def begin(self, head: str) -> None:
        """Have the newest of a branch known, a page of them, where it selects its own; else nothing is asked."""
        with self._guard:
            if self._host.selects_by_head and not self._is_begun(head):
                self._read_on(head)

    def of(self, head: str) -> Sequence[PullRequest]:
        """Those of a branch, newest first, as they were when they were last asked for. Into whatever branch."""
        with self._guard:
            while not self._is_whole(head):
                self._read_on(head)
            return self._newest_first(head)

    def newest(self, head: str, older: Callable[[], Sequence[int] | None] = lambda: None) -> Iterator[PullRequest]:
        """As `of`, asked for only as far as these are read: a page of the newest, then, where no branch selects its
        own, by number those that `older` tells of. Else, or where it cannot tell (None), or of many: page by page.
        """
        given = set[int]()
        for known in self._further(head, older):
            fresh = [pull for pull in known if pull.number not in given]
            given.update(pull.number for pull in fresh)
            yield from fresh

    def _further(self, head: str, older: Callable[[], Sequence[int] | None]) -> Iterator[Sequence[PullRequest]]:
        """What is known of a branch after each step."""
        yield self._read(head)
        if not self._is_begun(head):
            self._read_on(head)
            yield self._read(head)
        numbers = None if self._host.selects_by_head or self._is_whole(head) else older()
        if numbers is not None and len(unknown := self._unknown(head, numbers)) <= _OLDER_MAX:
            for number in unknown:
                self.ask(head, number)
            yield self.known(head)
            return
        while not self._is_whole(head):
            self._read_on(head)
            yield self._read(head)
        yield self._read(head)  # others may have read the rest meanwhile

    def _unknown(self, head: str, numbers: Sequence[int]) -> Sequence[int]:
        with self._guard:
            read_to = self._reading(head).read_to
            return [number for number in numbers if number < read_to and number not in self._numbers]

    def _read(self, head: str) -> Sequence[PullRequest]:
        """Those of a branch on the pages that were read: no newer one is missing."""
        with self._guard:
            reading = self._reading(head)
            return [pull for pull in self._newest_first(head) if reading.is_whole or pull.number >= reading.read_to]

    def _read_on(self, head: str) -> None:
        """One more page of a branch's, or of all: from the first on where it is another look than the one that read so
        far.
        """
        with self._guard:
            reading = self._reading(head)
            rest, reading.rest = reading.rest or self._host.newest_pulls(self._repository, head), None
            with self._asking(head if self._host.selects_by_head else None):
                page = next(rest)
            if self._host.selects_by_head:
                self._by_branch.setdefault(head, {})
            self._take(page.pulls)
            reading.is_begun, reading.is_whole = True, page.is_last
            reading.read_to = min([reading.read_to, *(pull.number for pull in page.pulls)])
            reading.rest = None if page.is_last else rest

    def _reading(self, head: str) -> _Reading:
        return self._readings.setdefault(head if self._host.selects_by_head else _EVERY, _Reading())

    def _is_begun(self, head: str) -> bool:
        with self._guard:
            return self._reading(head).is_begun

    def _is_whole(self, head: str) -> bool:
        with self._guard:
            return self._reading(head).is_whole

    @contextmanager
    def _asking(self, head: str | None = None) -> Iterator[None]:
        """What is asked for meanwhile, of one branch or of all, is true as of the beginning."""
        began = time.monotonic()
        yield
        as_of = self._as_of(began)
        self._since = min(self._since or as_of, as_of)
        if head is None:
            self._listed_at = time.monotonic()
        else:
            self._asked[head] = time.monotonic()

    def _take(self, pulls: Sequence[PullRequest]) -> None:
        for pull in pulls:
            self._clone_url = self._clone_url or pull.clone_url
            self._is_archived = pull.archived
            self._open_count = pull.open_count
            self._numbers.add(pull.number)
            self._put(pull)

    def _newest_first(self, head: str) -> Sequence[PullRequest]:
        known = self._by_branch.get(head, {})
        return sorted(known.values(), key=lambda pull: pull.number, reverse=True)

    def _open_ones(self, head: str) -> Sequence[PullRequest]:
        return [pull for pull in self._newest_first(head) if pull.state is PullState.OPEN]

    @property
    def clone_url(self) -> str | None:
        """Of the repository, when anything that was listed tells it."""
        with self._guard:
            return self._clone_url

    @property
    def is_archived(self) -> bool:
        """Whether the repository takes no changes, as far as the last that was listed tells."""
        with self._guard:
            return self._is_archived

    @property
    def open_count(self) -> int | None:
        """How many are open, of whatever branch, as far as the last that was asked for tells."""
        with self._guard:
            return self._open_count

    def refresh(self) -> None:
        """Take in what was updated since the last time. Nothing is asked as long as no branch is known, nor once after
        a write of ours: its answer has just told, and the time after this one asks for what was updated since.
        """
        with self._guard:
            for reading in self._readings.values():
                reading.rest = None
            is_told, self._is_told = self._is_told, False
            if self._is_archived:  # no pull request changes when it is archived no more
                self._is_archived = self._host.repository(self._repository).archived
            if self._is_archived or self._since is None or is_told:
                return
            began = time.monotonic()
            self._take(self._host.changed_pulls(self._repository, self._since - _SLACK, below=OUR_BRANCHES))
            self._listed_at = time.monotonic()
            self._since = self._as_of(began)

    def take(self, pull: PullRequest) -> None:
        """What an answer to our own request says of one."""
        with self._guard:
            self._is_told = True
            self._put(pull)

    def _as_of(self, began: float) -> datetime:
        """When what was asked at `began` was true, by the forge's clock: many pages take a while."""
        return self._host.now() - timedelta(seconds=time.monotonic() - began)

    def _put(self, pull: PullRequest) -> None:
        is_meant = pull.head in self._by_branch or not self._host.selects_by_head
        if is_meant and pull.head.startswith(OUR_BRANCHES):
            self._by_branch.setdefault(pull.head, {})[pull.number] = pull

    def forget(self, head: str) -> None:
        """Ask for this branch again the next time."""
        with self._guard:
            self._by_branch.pop(head, None)
            self._asked.pop(head, None)
            self._numbers.clear()
            self._readings.pop(head if self._host.selects_by_head else _EVERY, None)
            self._is_open_listed = False
            self._is_archived = False
