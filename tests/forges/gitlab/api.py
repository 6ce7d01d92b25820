"""GitLab's REST API over the state: which request does what, who may, and how it says no (docs.gitlab.com/api).

As there: what the token may not set is left out without a word, labels are made as they are named, and lists come in
pages with a Link header.
"""

import hashlib
import json
import re
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlencode

from tests.forges.gitlab import documents
from tests.forges.gitlab.state import DEVELOPER, REPORTER, GitLab, MergeRequest, Note, Project, User
from tests.git_http import Asked, Served

PREFIX = "/api/v4/"
_TITLE_MAX, _DESCRIPTION_MAX = 255, 1_048_576
_TAKEN = "Award Emoji Name has already been taken"


class RefusalError(Exception):
    """An answer of 400 or more."""

    def __init__(self, status: int, message: object, key: str = "message") -> None:
        super().__init__(message)
        self.status = status
        self.document = {key: message}


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request: who asks, and with what. `lists` has the parameters that come several times, `name[]`."""

    user: User
    params: Mapping[str, str]
    lists: Mapping[str, Sequence[str]]
    body: Mapping[str, Any]
    site: str

    def ids(self, name: str) -> Sequence[int] | None:
        return [int(each) for each in self.body[name]] if name in self.body else None


class Api:
    """Answers requests below `/api/v4/`. `site`: the address that GitLab knows itself by."""

    def __init__(self, gitlab: GitLab) -> None:
        self._gitlab = gitlab
        self._routes: Sequence[tuple[str, str, Callable[..., Any]]] = [
            ("GET", "user", self._me),
            ("GET", "users", self._users),
            ("GET", "projects/:p", self._project),
            ("GET", "projects/:p/users", self._project_users),
            ("GET", "projects/:p/members/all", self._members),
            ("GET", "projects/:p/milestones", self._milestones),
            ("GET", "projects/:p/repository/compare", self._compare),
            ("GET", "projects/:p/merge_requests", self._listed),
            ("POST", "projects/:p/merge_requests", self._create),
            ("GET", "projects/:p/merge_requests/:n", self._one),
            ("PUT", "projects/:p/merge_requests/:n", self._update),
            ("GET", "projects/:p/merge_requests/:n/notes", self._notes),
            ("POST", "projects/:p/merge_requests/:n/notes", self._say),
            ("GET", "projects/:p/merge_requests/:n/notes/:n/award_emoji", self._awards),
            ("POST", "projects/:p/merge_requests/:n/notes/:n/award_emoji", self._award),
        ]

    def answer(self, asked: Asked, body: bytes, site: str) -> Served:
        with self._gitlab.guard:
            try:
                status, found = self._done(asked, body, site)
            except RefusalError as refusal:
                return _json(refusal.status, refusal.document)
        if not isinstance(found, list):
            return _json(status, found)
        return _paged(asked, found, site)

    def _done(self, asked: Asked, body: bytes, site: str) -> tuple[int, Any]:
        path, _, query = asked.target.removeprefix(PREFIX).partition("?")
        user = self._gitlab.tokens.get(asked.headers.get("private-token", ""))
        if user is None:
            raise RefusalError(401, "401 Unauthorized")
        for method, pattern, handler in self._routes:
            found = re.fullmatch(pattern.replace(":p", "([^/]+)").replace(":n", "([0-9]+)"), path)
            if found and method == asked.method:
                given = json.loads(body) if body else {}
                call = Call(user=user, params=dict(parse_qsl(query)), lists=parse_qs(query), body=given, site=site)
                return (201 if method == "POST" else 200), handler(call, *self._objects(user, found.groups()))
        raise RefusalError(404, "404 Not Found", "error")

    def _objects(self, user: User, named: Sequence[str]) -> Iterable[Any]:
        """The project, its merge request and that one's note, as far as they are named."""
        if not named:
            return
        project = self._gitlab.project(unquote(named[0]))
        if project is None or (user.id not in project.members and not project.public):
            raise RefusalError(404, "404 Project Not Found")
        self._gitlab.after_pushes(project)
        yield project
        if len(named) > 1:
            request = self._gitlab.opened(project, int(named[1]))
            if request is None:
                raise RefusalError(404, "404 Not found")
            yield request
            for number in named[2:]:
                yield next(note for note in request.notes if note.id == int(number))

    def _me(self, call: Call) -> Any:
        return {**documents.user(call.user), "web_url": f"{call.site}/{call.user.username}"}

    def _users(self, call: Call) -> Any:
        name = call.params.get("username", "").lower()
        return [documents.user(each) for each in self._gitlab.users if each.username.lower() == name]

    def _project(self, call: Call, project: Project) -> Any:
        return documents.project(project, call.site)

    def _project_users(self, call: Call, project: Project) -> Any:
        return [documents.user(each) for each in self._gitlab.users if each.id in project.members]

    def _members(self, call: Call, project: Project) -> Any:
        wanted = call.lists.get("user_ids[]", [str(each) for each in project.members])
        return [
            documents.member(each, project.members[each.id])
            for each in self._gitlab.users
            if each.id in project.members and str(each.id) in wanted
        ]

    def _milestones(self, call: Call, project: Project) -> Any:
        return [
            documents.milestone(each, project)
            for each in project.milestones
            if call.params.get("title", each.title) == each.title
            and call.params.get("state", "active") == ("active" if each.active else "closed")
        ]

    def _compare(self, call: Call, project: Project) -> Any:
        try:
            found = project.origin.commits_above(call.params["from"], call.params["to"])
        except subprocess.CalledProcessError:
            raise RefusalError(404, "404 Commit Not Found") from None
        return documents.comparison(list(found))

    def _listed(self, call: Call, project: Project) -> Any:
        params, key = call.params, call.params.get("order_by", "created_at").removesuffix("_at")
        after = datetime.fromisoformat(params["updated_after"]) if "updated_after" in params else None
        found = [
            each
            for each in project.merge_requests
            if params.get("state", "all") in ("all", each.state)
            and params.get("source_branch", each.source_branch) == each.source_branch
            and (after is None or each.updated >= after)
        ]
        found.sort(key=lambda each: (getattr(each, key), each.iid), reverse=params.get("sort", "desc") == "desc")
        return [documents.merge_request(each, project, call.site) for each in found]

    def _one(self, call: Call, project: Project, request: MergeRequest) -> Any:
        return documents.merge_request(request, project, call.site)

    def _create(self, call: Call, project: Project) -> Any:
        self._check_level(call.user, project, DEVELOPER)
        body = call.body
        if missing := [name for name in ("title", "source_branch", "target_branch") if not body.get(name)]:
            raise RefusalError(400, ", ".join(f"{name} is missing" for name in missing), "error")
        self._check_texts(body)
        source, target = str(body["source_branch"]), str(body["target_branch"])
        if source == target:
            raise RefusalError(422, ["You can't use same project/branch for source and target"])
        if project.origin.head(source) is None:
            raise RefusalError(400, [f'Source branch "{source}" does not exist'])
        for other in project.merge_requests:
            same = (other.source_project, other.source_branch, other.target_branch) == (project.id, source, target)
            if same and other.state == "opened":
                raise RefusalError(
                    409, [f"Another open merge request already exists for this source branch: !{other.iid}"]
                )
        made = self._gitlab.create(
            project, call.user, source, target, str(body["title"]), str(body.get("description", ""))
        )
        made.remove_source_branch = bool(body.get("remove_source_branch"))  # the project's setting is for its pages
        self._dress(call, project, made)
        return documents.merge_request(made, project, call.site)

    def _update(self, call: Call, project: Project, request: MergeRequest) -> Any:
        self._check_level(call.user, project, DEVELOPER)
        if not call.body:
            raise RefusalError(400, "title, description, state_event, labels are missing, at least one", "error")
        self._check_texts(call.body)
        states = {"close": "closed", "reopen": "opened"}
        texts = {name: str(call.body[name]) for name in ("title", "description") if name in call.body}
        for name, value in texts.items():
            self._gitlab.change(request, call.user, f"changed the {name}", **{name: value})
        if "state_event" in call.body and request.state != "merged":
            state = states[call.body["state_event"]]
            self._gitlab.change(request, call.user, state, state=state)
        self._dress(call, project, request)
        return documents.merge_request(request, project, call.site)

    def _dress(self, call: Call, project: Project, request: MergeRequest) -> None:
        """What somebody below Reporter wants is left out."""
        if project.members.get(call.user.id, 0) < REPORTER:
            return
        body, change = call.body, self._gitlab.change
        named = [*request.labels] if "labels" not in body else _words(body["labels"])
        named += [each for each in _words(body.get("add_labels", "")) if each not in named]
        project.labels += [each for each in named if each not in project.labels]
        change(request, call.user, "changed labels", labels=named)
        for name in ("assignees", "reviewers"):
            numbers = call.ids(f"{name[:-1]}_ids")
            if numbers is not None:
                people = [each for each in self._gitlab.users if each.id in numbers and self._may_see(each, project)]
                people.sort(key=lambda each: numbers.index(each.id))
                change(request, call.user, f"changed {name}", **{name: people if project.several else people[:1]})
        if "milestone_id" in body:
            found = next((each for each in project.milestones if each.id == body["milestone_id"]), None)
            change(request, call.user, "changed milestone", milestone=found)

    def _notes(self, call: Call, project: Project, request: MergeRequest) -> Any:
        key = call.params.get("order_by", "created_at").removesuffix("_at")
        descends = call.params.get("sort", "desc") == "desc"
        found = sorted(request.notes, key=lambda each: (getattr(each, key), each.id), reverse=descends)
        return [documents.note(each, request) for each in found]

    def _say(self, call: Call, project: Project, request: MergeRequest) -> Any:
        if not str(call.body.get("body", "")).strip():
            raise RefusalError(400, {"note": ["can't be blank"]})
        return documents.note(self._gitlab.note(request, call.user, str(call.body["body"])), request)

    def _awards(self, call: Call, project: Project, request: MergeRequest, note: Note) -> Any:
        return [documents.award(name, giver, index) for index, (name, giver) in enumerate(note.awards, 1)]

    def _award(self, call: Call, project: Project, request: MergeRequest, note: Note) -> Any:
        given = (str(call.body["name"]), call.user)
        if given in note.awards:
            raise RefusalError(404, f"404 {_TAKEN} Not Found")
        note.awards.append(given)
        return documents.award(*given, len(note.awards))

    def _may_see(self, user: User, project: Project) -> bool:
        return not user.blocked and (project.public or user.id in project.members)

    def _check_level(self, user: User, project: Project, least: int) -> None:
        if project.archived or project.members.get(user.id, 0) < least:
            raise RefusalError(403, "403 Forbidden")

    def _check_texts(self, body: Mapping[str, Any]) -> None:
        for name, most in (("title", _TITLE_MAX), ("description", _DESCRIPTION_MAX)):
            if len(body.get(name, "")) > most:
                raise RefusalError(400, {name: [f"is too long (maximum is {most} characters)"]})


def _words(value: str | list[str]) -> list[str]:
    words = value.split(",") if isinstance(value, str) else value
    return [each.strip() for each in words if each.strip()]


def _paged(asked: Asked, found: list[Any], site: str) -> Served:
    path, _, query = asked.target.partition("?")
    params = dict(parse_qsl(query))
    others = [(name, value) for name, value in parse_qsl(query) if name not in ("page", "per_page")]
    page, size = int(params.get("page", 1)), min(100, int(params.get("per_page", 20)))
    pages = max(1, -(-len(found) // size))
    headers = {"X-Page": str(page), "X-Per-Page": str(size), "X-Total": str(len(found)), "X-Total-Pages": str(pages)}
    links = {"next": page + 1 if page < pages else 0, "prev": page - 1, "first": 1, "last": pages}
    headers["Link"] = ", ".join(
        f'<{site}{path}?{urlencode([*others, ("page", number), ("per_page", size)])}>; rel="{rel}"'
        for rel, number in links.items()
        if number
    )
    if page < pages:
        headers["X-Next-Page"] = str(page + 1)
    served = _json(200, found[(page - 1) * size : page * size])
    tag = f'W/"{hashlib.sha256(served.body).hexdigest()[:32]}"'
    if asked.headers.get("if-none-match") == tag:
        return Served(status=HTTPStatus.NOT_MODIFIED, headers={"ETag": tag})
    return Served(status=200, headers={**served.headers, **headers, "ETag": tag}, body=served.body)


def _json(status: int, document: Any) -> Served:
    return Served(status=status, headers={"Content-Type": "application/json"}, body=json.dumps(document).encode())
