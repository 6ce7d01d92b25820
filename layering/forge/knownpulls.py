"""The pull requests of one repository, as far as our branches go: each branch is asked for once, then only changes.

A process that looks once asks one question per branch; where the forge can tell of all branches only, one for all of
them. One that stays asks, at each look, a single question for the whole repository: what was updated since. Nothing is
judged here.
"""

import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from layering.forge.forge import OUR_BRANCHES
from layering.forge.host import Host
from layering.forge.pullrequest import PullRequest

_EVER = datetime(1970, 1, 1, tzinfo=UTC)
_SLACK = timedelta(seconds=5)  # forges write their clock in whole seconds, and list a change a moment later


class KnownPulls:
    """Safe to use from threads. Raises what the Host raises."""

    def __init__(self, host: Host, repository: str) -> None:
        self._host = host
        self._repository = repository
        self._by_branch: dict[str, dict[int, PullRequest]] = {}
        self._is_listed = False  # all of our branches are known
        self._since: datetime | None = None
        self._is_told = False  # by the answer to our own write, since the last time
        self._guard = threading.RLock()

    def of(self, head: str, base: str) -> Sequence[PullRequest]:
        """Those of a branch, newest first, as they were when they were last asked for."""
        with self._guard:
            if head not in self._by_branch and not self._is_listed:
                self._ask(head, base)
            known = self._by_branch.get(head, {})
            return sorted(known.values(), key=lambda pull: pull.number, reverse=True)

    def _ask(self, head: str, base: str) -> None:
        began = time.monotonic()
        if self._host.selects_by_head:
            listed = self._host.pulls_of(self._repository, head, base)
        else:
            listed = self._changed(_EVER)
            self._is_listed = True
        self._by_branch[head] = {}
        for pull in listed:
            self._put(pull)
        as_of = self._as_of(began)
        self._since = min(self._since or as_of, as_of)

    @property
    def clone_url(self) -> str | None:
        """Of the repository, when one of those that are known tells it."""
        with self._guard:
            known = (pull for pulls in self._by_branch.values() for pull in pulls.values())
            return next((pull.clone_url for pull in known if pull.clone_url), None)

    def refresh(self) -> None:
        """Take in what was updated since the last time. Nothing is asked as long as no branch is known, nor once after
        a write of ours: its answer has just told, and the time after this one asks for what was updated since.
        """
        with self._guard:
            is_told, self._is_told = self._is_told, False
            if self._since is None or is_told:
                return
            began = time.monotonic()
            for pull in self._changed(self._since - _SLACK):
                self._put(pull)
            self._since = self._as_of(began)

    def take(self, pull: PullRequest) -> None:
        """What an answer to our own request says of one."""
        with self._guard:
            self._is_told = True
            self._put(pull)

    def _changed(self, since: datetime) -> Sequence[PullRequest]:
        return self._host.changed_pulls(self._repository, since, below=OUR_BRANCHES)

    def _as_of(self, began: float) -> datetime:
        """When what was asked at `began` was true, by the forge's clock: many pages take a while."""
        return self._host.now() - timedelta(seconds=time.monotonic() - began)

    def _put(self, pull: PullRequest) -> None:
        if pull.head in self._by_branch or self._is_listed:
            self._by_branch.setdefault(pull.head, {})[pull.number] = pull

    def forget(self, head: str) -> None:
        """Ask for this branch again the next time."""
        with self._guard:
            self._by_branch.pop(head, None)
            self._is_listed = False
