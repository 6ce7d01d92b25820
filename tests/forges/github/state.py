"""What a GitHub holds, and what people do in it. Knows nothing of HTTP (api.py) and of JSON (documents.py).

The repositories are real bare ones; what GitHub does after a push (the head of a pull request follows its branch; one
whose branch is gone is closed, one whose commits are in its base is merged) it does here when it is looked at next.
"""

import itertools
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tests.forges.origin import Origin
from tests.git_http import Between

PUSHERS = ("admin", "maintain", "write")


@dataclass(kw_only=True)
class User:
    id: int
    login: str


@dataclass(kw_only=True)
class Milestone:
    number: int
    title: str
    is_open: bool = True


@dataclass(kw_only=True)
class Comment:
    id: int
    author: User
    body: str
    created: datetime
    reactions: list[tuple[str, User]] = field(default_factory=list)


@dataclass(kw_only=True)
class Pull:
    """`head_repository` is the number of the one its branch is in; another one's is a fork's, None is a fork gone."""

    id: int
    number: int
    head_repository: int | None
    head: str
    base: str
    title: str
    body: str
    author: User
    created: datetime
    updated: datetime
    sha: str
    draft: bool = False
    is_open: bool = True
    merged: datetime | None = None
    labels: list[str] = field(default_factory=list)
    assignees: list[User] = field(default_factory=list)
    reviewers: list[User] = field(default_factory=list)
    teams: list[str] = field(default_factory=list)
    milestone: Milestone | None = None
    comments: list[Comment] = field(default_factory=list)


@dataclass(kw_only=True)
class Repository:
    """`permissions`: admin, maintain, write, triage or read, by the user's number. `teams` may be asked to review."""

    id: int
    name: str
    origin: Origin
    permissions: dict[int, str] = field(default_factory=dict)
    teams: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    milestones: list[Milestone] = field(default_factory=list)
    pulls: list[Pull] = field(default_factory=list)
    archived: bool = False
    public: bool = False
    has_drafts: bool = True
    shows_collaborators: bool = True  # not to who is none of the organization
    unseen: set[int] = field(default_factory=set)  # by the token: who is one by a team
    heads: dict[str, str] = field(default_factory=dict)  # of branches, when it was last looked at
    seen: tuple[str, ...] = ()


class GitHub:
    """The whole of it. `ahead`: how much its clock is ahead of ours. Take `guard` to look and change.

    `between` may be set by a test (tests/git_http.py).
    """

    def __init__(self) -> None:
        self.users: list[User] = []
        self.repositories: list[Repository] = []
        self.tokens: dict[str, User] = {}
        self.ahead, self._began = timedelta(), datetime.now(UTC)
        self.between: Between = lambda _, serve: serve()
        self.guard = threading.RLock()
        self._numbers = itertools.count(1000)

    def number(self) -> int:
        return next(self._numbers)

    def now(self) -> datetime:
        """In whole seconds, as GitHub tells it. It stands still but for `ahead`: what we write takes no time."""
        return (self._began + self.ahead).replace(microsecond=0)

    def user(self, name: str) -> User:
        """Made when there is none."""
        found = self.known(name)
        if found is None:
            found = User(id=self.number(), login=name)
            self.users.append(found)
        return found

    def known(self, name: str) -> User | None:
        return next((user for user in self.users if user.login.lower() == name.lower()), None)

    def repository(self, name: str) -> Repository | None:
        return next((each for each in self.repositories if each.name.lower() == name.lower()), None)

    def create(self, repository: Repository, author: User, head: str, base: str, title: str, body: str = "") -> Pull:
        """Opened by somebody."""
        now = self.now()
        made = Pull(
            id=self.number(),
            number=len(repository.pulls) + 1,
            head_repository=repository.id,
            head=head,
            base=base,
            title=title,
            body=body,
            author=author,
            created=now,
            updated=now,
            sha=repository.origin.head(head) or "",
        )
        repository.pulls.append(made)
        return made

    def say(self, pull: Pull, author: User, body: str) -> Comment:
        made = Comment(id=self.number(), author=author, body=body, created=self.now())
        pull.comments.append(made)
        pull.updated = made.created
        return made

    def change(self, pull: Pull, **fields: object) -> None:
        """Nothing when it is so already."""
        changed = {name: value for name, value in fields.items() if getattr(pull, name) != value}
        for name, value in changed.items():
            setattr(pull, name, value)
        if changed:
            pull.updated = self.now()

    def merge(self, repository: Repository, pull: Pull) -> None:
        """By its button: a merge commit on the base branch. The branch stays."""
        repository.origin.merge(pull.head, pull.base, f"Merge #{pull.number}")
        self.change(pull, is_open=False, merged=self.now())

    def after_pushes(self, repository: Repository) -> None:
        """What it does when branches were moved; nothing while all is as it was."""
        now = (*repository.origin.as_files(), *(f"{pull.is_open} {pull.sha}" for pull in repository.pulls))
        if now == repository.seen:
            return
        repository.seen = now
        listed = repository.origin.git("for-each-ref", "--format=%(refname) %(objectname)")
        heads = dict(line.removeprefix("refs/heads/").split() for line in listed.splitlines())
        repository.heads = heads
        merged: dict[str, list[str]] = {}
        for pull in repository.pulls:
            if not pull.is_open or pull.head_repository != repository.id:
                continue
            if pull.base not in merged:
                merged[pull.base] = repository.origin.heads_merged_into(pull.base) if pull.base in heads else []
            if pull.head not in heads:
                self.change(pull, is_open=False)
                continue
            self.change(pull, sha=heads[pull.head])
            if pull.sha in merged[pull.base]:
                self.change(pull, is_open=False, merged=self.now())
