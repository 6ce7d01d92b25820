"""GitLab's REST API, version 4: merge requests behind Host. Decides nothing.

docs.gitlab.com/api: merge_requests, notes, emoji_reactions, members, users, milestones, repositories, projects.
What differs there: a draft is a prefix of the title; people and milestones go by number; several fields are set with
one request, and what the token may not set is left out without a word, so that the answer has to be compared.
"""

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import quote

from layering.errors import ConflictError
from layering.forge.answers import Answer, refusal
from layering.forge.apihost import ApiHost, moment
from layering.forge.gitlabmanners import wanted
from layering.forge.manners import Manners
from layering.forge.pullrequest import Comment, NewPull, Opened, PullPage, PullRequest, PullState, Repository
from layering.forge.settings import Kind
from layering.forge.titles import DRAFTS

HEADERS: Mapping[str, str] = {"Accept": "application/json"}

_DEVELOPER = 30  # the least access level that may push (docs.gitlab.com/api/access_requests, "Valid access levels")
_PER_PAGE = 100
_DRAFT = "Draft: "
_STATES = {"closed": PullState.CLOSED, "merged": PullState.MERGED}  # the rest: opened; locked while it is being merged
_NO_SUCH_BRANCH = re.compile(r"source branch .*does not exist", re.IGNORECASE)
_PAGE = re.compile(r"(?:/-)?/merge_requests/\d+$")
_REFUSED = (400, 403, 404, 409, 422)


class GitLabHost(ApiHost):
    """See Host."""

    product = "GitLab"
    git_user = "oauth2"  # any name does with an access token; this one with OAuth tokens, too
    body_length_max = 1_000_000  # of 1,048,576
    selects_by_head = True
    may_open_two = False
    page: Mapping[str, str | int] = {"per_page": _PER_PAGE}
    pulls_per_page = _PER_PAGE

    def repository(self, name: str) -> Repository:
        """See Host."""
        found = self._described(name)
        return self._read(
            lambda: Repository(
                clone_url=found["http_url_to_repo"], url=found["web_url"], archived=found.get("archived") is True
            ),
            "a project",
        )

    def newest_pulls(self, repository: str, head: str) -> Iterator[PullPage]:
        """See Host."""
        return self._pages(repository, source_branch=head, state="all", order_by="created_at", sort="desc")

    def changed_pulls(self, repository: str, since: datetime, *, below: str) -> Sequence[PullRequest]:
        """See Host."""
        after = since.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        listed = self._listed(repository, updated_after=after, state="all", order_by="updated_at", sort="asc")
        return [pull for pull in listed if pull.head.startswith(below)]

    def pull(self, repository: str, number: int) -> PullRequest:
        """See Host."""
        return self._pull(self._exchange.get(_merge_request(repository, number)).json)

    def open_pulls(self, repository: str) -> Sequence[PullRequest]:
        """See Host."""
        return self._listed(repository, state="opened", order_by="created_at", sort="desc")

    def open(self, repository: str, new: NewPull) -> Opened:
        """See Host. The project's setting for the source branch is one for its pages: the API has to be told."""
        removes = self._described(repository).get("remove_source_branch_after_merge") is True
        bare = {
            "source_branch": new.head,
            "target_branch": new.base,
            "title": f"{_DRAFT if new.manners.draft else ''}{new.title}",
            "description": new.body(new.manners.todo),
            "remove_source_branch": removes,
        }
        manners = wanted(self._exchange, _project(repository), new.manners, new.manners.todo)
        fields = manners.fields("labels")
        is_dressed = bool(fields)
        answer = self._created(repository, {**bare, **fields, "description": new.body(())} if is_dressed else bare)
        if answer.status >= 400 and is_dressed:  # what is refused may be what it is dressed with: `dress` tells
            is_dressed, answer = False, self._created(repository, bare)
        if answer.status >= 400:
            raise refusal(answer, f"{self._settings.name}: {repository}")
        return Opened(
            pull=self._pull(answer.json),
            done=manners.names if is_dressed else (),
            warnings=manners.warnings(answer.json) if is_dressed else (),
        )

    def edit(
        self,
        repository: str,
        pull: PullRequest,
        *,
        title: str | None = None,
        body: str | None = None,
        closed: bool | None = None,
    ) -> PullRequest:
        """See Host."""
        change: dict[str, Any] = {}
        if title is not None:
            change["title"] = f"{_DRAFT if pull.draft else ''}{title}"
        if body is not None:
            change["description"] = body
        if closed is not None:
            change["state_event"] = "close" if closed else "reopen"
        return self._pull(self._exchange.send("PUT", _merge_request(repository, pull.number), change).json)

    def dress(
        self, repository: str, pull: PullRequest, manners: Manners, todo: Sequence[str], body: str, *, is_new: bool
    ) -> tuple[PullRequest | None, tuple[str, ...]]:
        """See Host. One request sets it all; people who are there stay."""
        path = _merge_request(repository, pull.number)
        asked = wanted(self._exchange, _project(repository), manners, todo)
        is_dressed = not is_new and {"reviewers", "assignees", "milestone"} & set(todo)
        now = self._exchange.get(path).json if is_dressed else {}
        fields = asked.fields("add_labels", now)
        answer = self._exchange.send("PUT", path, {**fields, "description": body}, expect=_REFUSED if fields else ())
        if answer.status < 400:
            return self._pull(answer.json), asked.warnings(answer.json)
        said = f"GitLab takes no {', '.join(asked.names)}: {answer.message or f'status {answer.status}'}"
        answer = self._exchange.send("PUT", path, {"description": body})
        return self._pull(answer.json), (said, *asked.unknown)

    def comments(self, repository: str, number: int, since: datetime | None) -> tuple[Sequence[Comment], bool]:
        """See Host. The latest change first, as far as they are that new."""
        order = ("created_at", "asc") if since is None else ("updated_at", "desc")
        params = {"order_by": order[0], "sort": order[1], **self.page}
        found: dict[int, Comment] = {}
        for answer in self._exchange.pages(f"{_merge_request(repository, number)}/notes", params):
            told, oldest = self._read(partial(_conversation, answer.json), "notes")
            found |= told
            if answer.next_page is None or (since is not None and oldest is not None and oldest < since):
                break
        return [found[number] for number in sorted(found)], answer.next_page is None

    def first_by_a_pusher(self, repository: str, comments: Sequence[Comment]) -> Comment | None:
        """See Host. So many at a time as one page lists, and an address may name."""
        for start in range(0, len(comments), _PER_PAGE):
            asked = comments[start : start + _PER_PAGE]
            pushers = self._pushers(repository, [each.author_id for each in asked if each.author_id is not None])
            if (found := next((each for each in asked if each.author_id in pushers), None)) is not None:
                return found
        return None

    def _pushers(self, repository: str, users: Sequence[int]) -> Set[int]:
        """Those of them who may push. Members of the groups above and of invited groups are members, too."""
        path = f"{_project(repository)}/members/all"
        pages = self._exchange.pages(path, {"user_ids[]": users, "per_page": _PER_PAGE})
        return self._read(
            lambda: {each["id"] for page in pages for each in page.json if each["access_level"] >= _DEVELOPER},
            "members",
        )

    def comment(self, repository: str, number: int, text: str) -> None:
        """See Host."""
        self._exchange.send("POST", f"{_merge_request(repository, number)}/notes", {"body": text})

    def acknowledge(self, repository: str, number: int, comment: Comment) -> None:
        """See Host. 404 is said of a reaction that is there already, too."""
        path = f"{_merge_request(repository, number)}/notes/{comment.id}/award_emoji"
        answer = self._exchange.send("POST", path, {"name": "thumbsup"}, expect=_REFUSED)
        if answer.status >= 400 and "already been taken" not in answer.message:
            self.comment(repository, number, f"Done, as {comment.author} asked.")

    def commits_above(self, repository: str, base: str, commit: str) -> int:
        """See Host. Compared from where they parted (three dots), which is the default."""
        path = f"{_project(repository)}/repository/compare"
        found = self._exchange.get(path, {"from": base, "to": commit}).json
        return self._read(lambda: len(found["commits"]), "a comparison")

    def _described(self, repository: str) -> Mapping[str, Any]:
        found = self._exchange.get(_project(repository)).json
        if not isinstance(found, Mapping):
            raise self._unreadable("a project")
        return found

    def _created(self, repository: str, fields: Mapping[str, Any]) -> Answer:
        """What came of it. Raises ConflictError when there is one already, or the branch is gone."""
        path = f"{_project(repository)}/merge_requests"
        answer = self._exchange.send("POST", path, fields, expect=(400, 409, 422))
        if answer.status == 409 or (answer.status >= 400 and _NO_SUCH_BRANCH.search(answer.message)):
            raise ConflictError(
                answer.message or "there is a merge request for the branch already",
                where=f"{self._settings.name}: {repository}",
                next_step="look at it again",
            )
        return answer

    def _listed(self, repository: str, **params: str) -> Sequence[PullRequest]:
        return [pull for page in self._pages(repository, **params) for pull in page.pulls]

    def _pages(self, repository: str, **params: str) -> Iterator[PullPage]:
        """As they are read."""
        path = f"{_project(repository)}/merge_requests"
        for answer in self._exchange.pages(path, {**params, "scope": "all", **self.page}, limit=None):
            pulls = self._read(partial(_pulls, answer.json), "merge requests")
            yield PullPage(pulls=pulls, is_last=answer.next_page is None)

    def _pull(self, found: Any) -> PullRequest:
        return self._read(lambda: _pull(found), "a merge request")


def _project(repository: str) -> str:
    """A project by its path, as one segment (docs.gitlab.com/api/rest, "Namespaced paths")."""
    return f"projects/{quote(repository, safe='')}"


def _merge_request(repository: str, number: int) -> str:
    return f"{_project(repository)}/merge_requests/{number}"


def _pulls(found: Any) -> list[PullRequest]:
    if not isinstance(found, list):
        raise TypeError("not a list")
    return [_pull(each) for each in found if _is_of_the_project(each)]


def _is_of_the_project(found: Mapping[str, Any]) -> bool:
    """Whether its branch is not a fork's; the source of a fork that was deleted is null."""
    return bool(found["source_project_id"] == found["target_project_id"])


def _pull(found: Mapping[str, Any]) -> PullRequest:
    """Of one merge request. Its clone_url is what the project's page is called (its own answer says the same)."""
    title, page = str(found["title"]), str(found["web_url"])
    prefix = DRAFTS[Kind.GITLAB].match(title)
    return PullRequest(
        number=found["iid"],
        url=page,
        title=title[prefix.end() :] if prefix else title,
        body=found["description"] or "",
        state=_STATES.get(found["state"], PullState.OPEN),
        draft=found.get("draft", found.get("work_in_progress")) is True,
        head=found["source_branch"],
        head_commit=found.get("sha") or "",
        base=found["target_branch"],
        updated=moment(found["updated_at"]),
        labels=tuple(found.get("labels", ())),
        clone_url=f"{_PAGE.sub('', page)}.git" if _PAGE.search(page) else None,
        comments=found.get("user_notes_count"),
    )


def _conversation(notes: Any) -> tuple[dict[int, Comment], datetime | None]:
    """What people say in these, by number, and when the first of all of them was changed last."""
    told = {note["id"]: _comment(note) for note in notes if _is_conversation(note)}
    return told, min((moment(note["updated_at"]) for note in notes), default=None)


def _is_conversation(note: Mapping[str, Any]) -> bool:
    """Not GitLab's own notes of what happened, and not a review's about lines."""
    return note.get("system") is not True and note.get("type") != "DiffNote"


def _comment(note: Mapping[str, Any]) -> Comment:
    return Comment(
        id=note["id"],
        author=note["author"]["username"],
        author_id=note["author"]["id"],
        text=note["body"] or "",
        changed=moment(note["updated_at"]),
    )
