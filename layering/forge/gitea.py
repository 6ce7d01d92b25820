"""Gitea's and Forgejo's REST API, version 1: pull requests behind Host. Decides nothing.

docs.gitea.com/api: ListPullRequests, CreatePullRequest, EditPullRequest, IssueGetComments, RepoGetAssignees.
What differs there: pull requests cannot be selected by their head, so all are listed, newest change first; a draft is a
prefix of the title; labels and milestones go by number (giteamanners.py).
"""

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import quote

from layering.errors import ConflictError
from layering.forge.answers import Answer, refusal
from layering.forge.apihost import moment
from layering.forge.giteamanners import GiteaManners
from layering.forge.giteapeople import FAILED, has_people
from layering.forge.likegithub import REFUSED, LikeGitHub, is_of_the_repository, path_of, without_milestone
from layering.forge.manners import Manners
from layering.forge.pullrequest import Comment, NewPull, Opened, PullPage, PullRequest, PullState
from layering.forge.settings import Kind
from layering.forge.titles import DRAFTS

HEADERS: Mapping[str, str] = {"Accept": "application/json"}

_GHOST = "Ghost"  # whose account was deleted
_PER_PAGE = 50  # MAX_RESPONSE_ITEMS, unless an administrator says more
_PUSHERS = {"owner", "admin", "write"}
_DRAFT = "WIP: "


class GiteaHost(LikeGitHub):
    """See Host."""

    product = "Gitea"
    git_user = "layerwatch"  # any name does with a token
    newest_change_first: Mapping[str, str | int] = {"sort": "recentupdate"}
    page: Mapping[str, str | int] = {"limit": _PER_PAGE}
    pulls_per_page = _PER_PAGE
    body_length_max = 60_000
    selects_by_head = False
    may_open_two = True  # it looks for another one without a lock

    def newest_pulls(self, repository: str, head: str) -> Iterator[PullPage]:
        """See Host. All: `head` as a parameter would be passed over without a word."""
        return self._pages(repository, {"state": "all"})

    def open(self, repository: str, new: NewPull) -> Opened:
        """See Host. It refuses all for one name that it does not know, which is left out of the next try."""
        manners = GiteaManners(self._exchange, path_of(repository), new.manners)
        fields = manners.when_opening()
        while True:
            done = tuple(name for name in new.manners.todo if name in fields)
            body = new.body(tuple(name for name in new.manners.todo if name not in done))
            title = f"{_DRAFT if new.manners.draft else ''}{new.title}"
            sent = {"head": new.head, "base": new.base, "title": title, "body": body, **fields}
            answer = self._created(repository, sent)
            if answer.status < 400:
                if "reviewers" in done:
                    manners.tell_of_teams(answer.json)
                return Opened(pull=self._pull(answer.json), done=done, warnings=tuple(manners.warnings))
            if answer.status == FAILED and (pull := self._half_opened(repository, sent)) is not None:
                asked = tuple(name for name in done if name != "reviewers")
                return Opened(pull=pull, done=asked, warnings=tuple(manners.warnings))
            if not fields:
                raise refusal(answer, f"{self._settings.name}: {repository}")
            fields = manners.less(fields, answer)

    def edit(
        self,
        repository: str,
        pull: PullRequest,
        *,
        title: str | None = None,
        body: str | None = None,
        closed: bool | None = None,
    ) -> PullRequest:
        """See Host. What is merged cannot be closed: 412; what somebody writes at this moment, too: 409."""
        change: dict[str, Any] = {}
        if title is not None:
            change["title"] = f"{_DRAFT if pull.draft else ''}{title}"
        if body is not None:
            change["body"] = body
        if closed is not None:
            change["state"] = "closed" if closed else "open"
        return self._pull(self._changed(repository, pull.number, change, expect=(412,)).json)

    def dress(
        self, repository: str, pull: PullRequest, manners: Manners, todo: Sequence[str], body: str, *, is_new: bool
    ) -> tuple[PullRequest | None, tuple[str, ...]]:
        """See Host."""
        wanted = GiteaManners(self._exchange, path_of(repository), manners)
        fields = wanted.on(pull.number, pull.opener, without_milestone(todo, pull), is_new=is_new)
        while True:
            change = partial(self._changed, repository, pull.number, expect=_refused(fields) if fields else ())
            answer = change({**fields, "body": body})
            if answer.status < 400:
                break
            fields = wanted.less_on(fields, answer, change)
        if "reviewers" in todo:
            wanted.tell_of_teams(answer.json)
        return self._pull(answer.json), tuple(wanted.warnings)

    def comments(self, repository: str, number: int, since: datetime | None) -> tuple[Sequence[Comment], bool]:
        """See Host. Gitea gives them all at once."""
        found = self._exchange.get(f"{path_of(repository)}/issues/{number}/comments").json
        return self._read(lambda: sorted(map(_comment, found), key=lambda comment: comment.id), "comments"), True

    def first_by_a_pusher(self, repository: str, comments: Sequence[Comment]) -> Comment | None:
        """See Host. Who may be assigned is who may write; permissions are told to administrators only."""
        pushers = self._assignable(repository)
        return next((each for each in comments if each.author in pushers), None)

    def opener_may_push(self, repository: str, opener: str) -> bool:
        """See Host. Everybody is told the own permission, and most are opened by ourselves. What a team may, of whose
        units only some may be written, is not in it.
        """
        path = f"{path_of(repository)}/collaborators/{quote(opener, safe='')}/permission"
        answer = self._exchange.get(path, expect=(403, 404))
        told = self._read(lambda: answer.status < 400 and answer.json["permission"] in _PUSHERS, "a permission")
        return told or opener in self._assignable(repository)

    def commits_above(self, repository: str, base: str, commit: str) -> int:
        """See Host. Compared from where they parted (three dots)."""
        found = self._exchange.get(f"{path_of(repository)}/compare/{quote(base, safe='')}...{commit}").json
        return self._read(lambda: int(found["total_commits"]), "a comparison")

    def _assignable(self, repository: str) -> Set[str]:
        """All of them: this list has no pages."""
        found = self._exchange.get(f"{path_of(repository)}/assignees").json
        return self._read(lambda: {str(each["login"]) for each in found}, "assignees")

    def _created(self, repository: str, fields: Mapping[str, Any]) -> Answer:
        """What came of it. Raises ConflictError when there is one already, or nothing to merge."""
        answer = self._exchange.send("POST", f"{path_of(repository)}/pulls", fields, expect=_refused(fields))
        if answer.status == 409 or (answer.status == 422 and _NO_DIFFERENCE.search(answer.message)):
            raise ConflictError(
                answer.message or "there is a pull request for the branch already",
                where=f"{self._settings.name}: {repository}",
                next_step="look at it again",
            )
        return answer

    def _half_opened(self, repository: str, sent: Mapping[str, Any]) -> PullRequest | None:
        """What it opened before it failed: it asks for reviews last, and fails for who may not read or opened it
        (services/pull/pull.go, NewPullRequest). None: it opened nothing.
        """
        params = {"state": "open", **self.newest_change_first, **self.page}
        listed = self._pulls_in(self._exchange.get(f"{path_of(repository)}/pulls", params))
        wanted = (sent["head"], sent["base"], sent["body"])
        return next((pull for pull in listed if (pull.head, pull.base, pull.body) == wanted), None)

    def _changed(
        self, repository: str, number: int, change: Mapping[str, Any], *, expect: Sequence[int] = ()
    ) -> Answer:
        """What came of it. Raises ConflictError when it is not as it was: 409, and 400 before Gitea 1.26."""
        path, where = f"{path_of(repository)}/pulls/{number}", f"{self._settings.name}: {repository}"
        answer = self._exchange.send("PATCH", path, change, expect=(*expect, 400, 409))
        if answer.status in (409, 412) or (answer.status == 400 and "already changed" in answer.message):
            raise ConflictError(answer.message or "it is not as it was", where=where, next_step="look at it again")
        if answer.status == 400 and 400 not in expect:
            raise refusal(answer, where)
        return answer

    def _of(self, found: Any) -> PullRequest:
        """`ref` is the branch, or `refs/pull/N/head` when that is gone: `label` still has its name then."""
        title, head, base = str(found["title"]), found["head"], found["base"]
        branch = head["label"] if str(head["ref"]).startswith("refs/pull/") else head["ref"]
        state = PullState.OPEN if found["state"] == "open" else PullState.CLOSED
        prefix = DRAFTS[Kind.GITEA].match(title)
        return PullRequest(
            number=found["number"],
            url=found["html_url"],
            title=title[prefix.end() :] if prefix else title,
            body=found["body"] or "",
            state=PullState.MERGED if found.get("merged") is True else state,
            draft=found.get("draft") is True or prefix is not None,
            head=branch if is_of_the_repository(found) else f"fork:{branch}",  # no branch's name has a colon
            head_commit=head.get("sha") or "",
            base=base["ref"],
            updated=moment(found["updated_at"]),
            labels=tuple(label["name"] for label in found.get("labels") or ()),
            clone_url=base["repo"].get("clone_url"),
            archived=base["repo"].get("archived") is True,
            opener=(found.get("user") or {}).get("login") or _GHOST,
            comments=found.get("comments"),
            open_count=base["repo"].get("open_pr_counter"),
            has_milestone=found.get("milestone") is not None,
        )


_NO_DIFFERENCE = re.compile(r"no (?:changes|difference)|nothing to|same branch|merge base", re.IGNORECASE)


def _refused(fields: Mapping[str, Any]) -> Sequence[int]:
    """The statuses that say no to these. With people it may fail instead, each time; without, that is temporary."""
    return (*REFUSED, FAILED) if has_people(fields) else REFUSED


def _comment(found: Mapping[str, Any]) -> Comment:
    return Comment(
        id=found["id"], author=found["user"]["login"], text=found["body"] or "", changed=moment(found["updated_at"])
    )
