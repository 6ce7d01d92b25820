"""A pull request (GitLab: merge request) in our words, whichever forge it is on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from layering.forge.manners import NO_MANNERS, Manners


class PullState(StrEnum):
    """How it stands."""

    OPEN = "open"
    CLOSED = "closed"  # and not merged
    MERGED = "merged"


@dataclass(frozen=True, kw_only=True, slots=True)
class PullRequest:
    """One pull request whose head is a branch of the repository itself (a fork's is nobody's, and never one of these).

    `head` is the branch, `head_commit` what the forge last saw there (git may know better); `base` the branch it goes
    into. `title` is without a draft's prefix, where a forge has one. `url` is the page a person opens. `updated` is the
    forge's own clock. `clone_url` is for git over HTTP, when the forge's answer has it; `archived` says that the
    repository takes no changes, as far as the answer tells. `opener` is the account that opened it, where that may be
    one that may only read; None where the forge lets nobody do so, or its answer tells that it was one that may push.
    `comments` is how many there are, `open_count` how many pull requests are open in the repository; None where the
    answer does not tell. `has_milestone`: as far as it tells.
    """

    number: int
    url: str
    title: str
    body: str
    state: PullState
    draft: bool
    head: str
    head_commit: str
    base: str
    updated: datetime
    labels: tuple[str, ...] = ()
    clone_url: str | None = None
    archived: bool = False
    opener: str | None = None
    comments: int | None = None
    open_count: int | None = field(default=None, compare=False)
    has_milestone: bool = False

    def __post_init__(self) -> None:
        """Raises TypeError: an answer may have anything in these places."""
        known = tuple(each for each in (self.clone_url, self.opener) if each is not None)
        texts = (self.url, self.title, self.body, self.head, self.head_commit, self.base, *self.labels, *known)
        _check_types(self.number, *texts)


@dataclass(frozen=True, kw_only=True, slots=True)
class PullPage:
    """What one request lists: of the repository itself, newest first. `is_last`: there are no more."""

    pulls: Sequence[PullRequest]
    is_last: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class NewPull:
    """What is opened. A forge that can set `manners` with the same request does, and Opened says so.

    `body` gives the text that tells which fields of the manners are still to be set (names as in `Manners.todo`).
    """

    head: str
    base: str
    title: str
    body: Callable[[tuple[str, ...]], str]
    manners: Manners = NO_MANNERS


@dataclass(frozen=True, kw_only=True, slots=True)
class Opened:
    """What came of a NewPull. `done` are the fields of its manners that need nothing more (names as in
    `Manners.todo`); `warnings` what the forge did not take of them, one line each, for people.
    """

    pull: PullRequest
    done: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Comment:
    """One comment of the conversation, not of a review. `changed`: when it was made or last edited. `author_id` is the
    account's number where the forge is asked by that.
    """

    id: int
    author: str
    text: str
    changed: datetime
    author_id: int | None = None

    def __post_init__(self) -> None:
        """Raises TypeError, as PullRequest."""
        _check_types(self.id, self.author, self.text)
        _check_types(0 if self.author_id is None else self.author_id)


@dataclass(frozen=True, kw_only=True, slots=True)
class Repository:
    """What a forge says about a repository. `clone_url` is for git over HTTP; `url` the page a person opens."""

    clone_url: str
    url: str

    def __post_init__(self) -> None:
        """Raises TypeError, as PullRequest."""
        _check_types(0, self.clone_url, self.url)

    archived: bool


def _check_types(number: object, *texts: object) -> None:
    if type(number) is not int or not all(isinstance(text, str) for text in texts):
        raise TypeError("not a number and texts")
