"""What a GitLab holds, and what people do in it. Knows nothing of HTTP (api.py) and of JSON (documents.py).

The repositories are real bare ones; what GitLab does after a push (a merge request of a branch that is gone is closed,
one whose commits are in the target is merged) it does here when it is looked at the next time.
"""

import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tests.forges.origin import Origin
from tests.git_http import Between

GUEST, REPORTER, DEVELOPER, MAINTAINER = 10, 20, 30, 40


@dataclass(kw_only=True)
class User:
    id: int
    username: str
    blocked: bool = False


@dataclass(kw_only=True)
class Milestone:
    id: int
    title: str
    active: bool = True


@dataclass(kw_only=True)
class Note:
    id: int
    author: User
    body: str
    created: datetime
    updated: datetime
    system: bool = False
    type: str | None = None
    awards: list[tuple[str, User]] = field(default_factory=list)


@dataclass(kw_only=True)
class MergeRequest:
    """`source_project` is another project's number when it comes from a fork."""

    id: int
    iid: int
    source_project: int | None
    source_branch: str
    target_branch: str
    title: str
    description: str
    author: User
    created: datetime
    updated: datetime
    sha: str
    remove_source_branch: bool
    state: str = "opened"
    labels: list[str] = field(default_factory=list)
    assignees: list[User] = field(default_factory=list)
    reviewers: list[User] = field(default_factory=list)
    milestone: Milestone | None = None
    notes: list[Note] = field(default_factory=list)


@dataclass(kw_only=True)
class Project:
    """`members`: access levels by user's number. `several`: its edition knows several reviewers and assignees."""

    id: int
    path: str
    origin: Origin
    members: dict[int, int] = field(default_factory=dict)
    labels: list[str] = field(default_factory=list)
    milestones: list[Milestone] = field(default_factory=list)
    merge_requests: list[MergeRequest] = field(default_factory=list)
    archived: bool = False
    public: bool = False
    several: bool = True
    removes_source_branches: bool = False
    seen: tuple[str, ...] = ()


class GitLab:
    """The whole of it. `ahead`: how much its clock is ahead of ours. Take `guard` to look and change.

    `between` may be set by a test (tests/git_http.py).
    """

    def __init__(self) -> None:
        self.users: list[User] = []
        self.projects: list[Project] = []
        self.tokens: dict[str, User] = {}
        self.ahead, self._began = timedelta(), datetime.now(UTC)
        self.between: Between = lambda _, serve: serve()
        self.guard = threading.RLock()
        self._numbers = itertools.count(1000)

    def number(self) -> int:
        return next(self._numbers)

    def now(self) -> datetime:
        """In milliseconds. It stands still but for `ahead`: what we write takes no time."""
        moment = self._began + self.ahead
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)

    def user(self, name: str) -> User:
        """Made when there is none."""
        found = next((user for user in self.users if user.username == name), None)
        if found is None:
            found = User(id=self.number(), username=name)
            self.users.append(found)
        return found

    def project(self, named: str) -> Project | None:
        """By number or by path."""
        return next((each for each in self.projects if named in (str(each.id), each.path)), None)

    def opened(self, project: Project, iid: int) -> MergeRequest | None:
        return next((each for each in project.merge_requests if each.iid == iid), None)

    def create(
        self, project: Project, author: User, source: str, target: str, title: str, description: str = ""
    ) -> MergeRequest:
        """Opened by somebody."""
        now, iid = self.now(), len(project.merge_requests) + 1
        made = MergeRequest(
            id=self.number(),
            iid=iid,
            source_project=project.id,
            author=author,
            created=now,
            updated=now,
            source_branch=source,
            target_branch=target,
            title=title,
            description=description,
            sha=project.origin.head(source) or "",
            remove_source_branch=project.removes_source_branches,
        )
        project.merge_requests.append(made)
        return made

    def note(self, request: MergeRequest, author: User, body: str, *, system: bool = False) -> Note:
        now = self.now()
        made = Note(id=self.number(), author=author, body=body, created=now, updated=now, system=system)
        request.notes.append(made)
        request.updated = now
        return made

    def change(self, request: MergeRequest, author: User, what: str, **fields: object) -> None:
        """Fields set by somebody, with GitLab's own note of it; nothing when it is so already."""
        changed = {name: value for name, value in fields.items() if getattr(request, name) != value}
        for name, value in changed.items():
            setattr(request, name, value)
        if changed:
            self.note(request, author, what, system=True)

    def merge(self, project: Project, request: MergeRequest, author: User) -> None:
        """By its button: a merge commit on the target branch."""
        source = request.source_branch
        project.origin.merge(source, request.target_branch, f"Merge branch '{source}'")
        self.change(request, author, "merged", state="merged")
        if request.remove_source_branch:
            project.origin.git("update-ref", "-d", f"refs/heads/{source}")

    def after_pushes(self, project: Project) -> None:
        """What it does when branches were moved; nothing while all is as it was."""
        now = (*project.origin.as_files(), *(f"{request.state} {request.sha}" for request in project.merge_requests))
        if now == project.seen:
            return
        project.seen = now
        listed = project.origin.git("for-each-ref", "--format=%(refname) %(objectname)")
        heads = dict(line.removeprefix("refs/heads/").split() for line in listed.splitlines())
        merged: dict[str, list[str]] = {}
        for request in self._open_of(project):
            head, target = heads.get(request.source_branch), request.target_branch
            if target not in merged:
                merged[target] = project.origin.heads_merged_into(target) if target in heads else []
            if head is None:
                self.change(request, request.author, "closed", state="closed")
            elif head != request.sha:
                self.change(request, request.author, "added 1 commit", sha=head)
            elif head in merged[target]:
                self.change(request, request.author, "merged", state="merged")

    def _open_of(self, project: Project) -> Iterator[MergeRequest]:
        for request in project.merge_requests:
            if request.state == "opened" and request.source_project == project.id:
                yield request
