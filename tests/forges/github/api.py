"""GitHub's REST API over the state: which request does what, who may, and how it says no (docs.github.com/rest).

As there: labels are made as they are named, one wrong reviewer refuses all, who cannot be assigned is passed over, and
lists come in pages with a Link header. More routes (of Actions, for one) are plugged in with `Api.add`: see Route.
"""

import json
import re
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

from tests.forges.github.documents import Documents
from tests.forges.github.gitobjects import GitObjects
from tests.forges.github.pages import as_json, paged
from tests.forges.github.state import PUSHERS, GitHub, Pull, Repository, User
from tests.git_http import Asked, Served

PREFIX = "/api/v3/"
_BODY_MAX = 65_536
_REPOSITORY = "repos/:s/:s"

Route = Callable[..., Any]
"""Called with the Call, then with what the pattern names: of `repos/:s/:s` the Repository, of `pulls/:n` and
`issues/:n` the Pull, else each `:s` as unquoted text and each `:n` as int. Gives a document, or a status and a
document. Raises RefusalError."""


class RefusalError(Exception):
    """An answer of 400 or more."""

    def __init__(self, status: int, message: str, *errors: Mapping[str, str] | str) -> None:
        super().__init__(message)
        self.status = status
        told = {"message": message, "documentation_url": "https://docs.github.com/rest", "status": str(status)}
        self.document = {**told, **({"errors": list(errors)} if errors else {})}


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request: who asks, and with what."""

    user: User
    params: Mapping[str, str]
    body: Mapping[str, Any]
    site: str

    @property
    def documents(self) -> Documents:
        return Documents(site=self.site)


class Api:
    """Answers requests below `/api/v3/`, as GitHub Enterprise Server does."""

    def __init__(self, github: GitHub) -> None:
        self._github = github
        self._routes: list[tuple[str, str, Route]] = []
        self._signed: list[tuple[str, str, Route]] = []
        self.is_signature: Callable[[str], bool] = lambda token: False
        pull, issue = f"{_REPOSITORY}/pulls/:n", f"{_REPOSITORY}/issues/:n"
        for method, pattern, route in (
            ("GET", _REPOSITORY, self._repository),
            ("GET", f"{_REPOSITORY}/milestones", self._milestones),
            ("GET", f"{_REPOSITORY}/compare/:s", self._compare),
            ("GET", f"{_REPOSITORY}/collaborators", self._collaborators),
            ("GET", f"{_REPOSITORY}/collaborators/:s/permission", self._permission),
            ("GET", f"{_REPOSITORY}/pulls", self._listed),
            ("POST", f"{_REPOSITORY}/pulls", self._create),
            ("GET", pull, self._one),
            ("PATCH", pull, self._update),
            ("POST", f"{pull}/requested_reviewers", self._request_reviewers),
            ("PATCH", issue, self._update_issue),
            ("POST", f"{issue}/labels", self._add_labels),
            ("POST", f"{issue}/assignees", self._add_assignees),
            ("GET", f"{issue}/comments", self._comments),
            ("POST", f"{issue}/comments", self._say),
            ("POST", f"{_REPOSITORY}/issues/comments/:n/reactions", self._react),
        ):
            self.add(method, pattern, route)

    def add(self, method: str, pattern: str, route: Route) -> None:
        """One more request that is answered: `:s` is one segment, `:n` a number."""
        self._routes.append((method, _expression(pattern), route))

    def add_signed(self, method: str, pattern: str, route: Route) -> None:
        """One that an App alone may ask, with `is_signature`. Called with body, our address, and the path's names."""
        self._signed.append((method, _expression(pattern), route))

    def answer(self, asked: Asked, body: bytes, site: str) -> Served:
        with self._github.guard:
            try:
                status, found = self._done(asked, body, site)
            except RefusalError as refusal:
                return as_json(refusal.status, refusal.document)
        return paged(asked, found, site) if asked.method == "GET" else as_json(status, found)

    def _done(self, asked: Asked, body: bytes, site: str) -> tuple[int, Any]:
        path, _, query = asked.target.removeprefix(PREFIX).partition("?")
        token = asked.headers.get("authorization", "").partition(" ")[2]
        if self.is_signature(token):
            return self._signed_done(asked.method, path, json.loads(body) if body else {}, site)
        user = self._github.tokens.get(token)
        if user is None:
            raise RefusalError(401, "Bad credentials")
        call = Call(user=user, params=dict(parse_qsl(query)), body=json.loads(body) if body else {}, site=site)
        for method, pattern, route in self._routes:
            found = re.fullmatch(pattern, path)
            if found and method == asked.method:
                given = route(call, *self._objects(call, path, asked.method, found.groups()))
                return given if isinstance(given, tuple) else (201 if method == "POST" else 200, given)
        raise RefusalError(404, "Not Found")

    def _signed_done(self, method: str, path: str, *given: Any) -> tuple[int, Any]:
        for wanted, pattern, route in self._signed:
            if (found := re.fullmatch(pattern, path)) and method == wanted:
                return 201 if method == "POST" else 200, route(*given, *found.groups())
        raise RefusalError(404, "Not Found")

    def _objects(self, call: Call, path: str, method: str, named: Sequence[str]) -> Iterable[Any]:
        """What the path names, looked up as far as it is a repository and its pull request."""
        words = [int(each) if each.isdigit() else unquote(each) for each in named]
        if not path.startswith("repos/"):
            yield from words
            return
        repository = self._github.repository(f"{words[0]}/{words[1]}")
        if repository is None or (call.user.id not in repository.permissions and not repository.public):
            raise RefusalError(404, "Not Found")
        if method != "GET" and repository.archived:
            raise RefusalError(403, "Repository was archived so is read-only.")
        self._github.after_pushes(repository)
        yield repository
        if re.match(r"repos/[^/]+/[^/]+/(?:pulls|issues)/[0-9]+", path):
            pull = next((each for each in repository.pulls if each.number == words[2]), None)
            if pull is None:
                raise RefusalError(404, "Not Found")
            yield pull
            words = words[1:]
        yield from words[2:]

    def _repository(self, call: Call, of: Repository) -> Any:
        return call.documents.repository(of)

    def _milestones(self, call: Call, of: Repository) -> Any:
        is_open = call.params.get("state", "open") == "open"
        return [call.documents.milestone(of, each) for each in of.milestones if each.is_open == is_open]

    def _compare(self, call: Call, of: Repository, between: str) -> Any:
        base, _, head = between.partition("...")
        try:
            return GitObjects(site=call.site, of=of).comparison(base, head, int(call.params.get("per_page", 30)))
        except subprocess.CalledProcessError:
            raise RefusalError(404, "Not Found") from None

    def _collaborators(self, call: Call, of: Repository) -> Any:
        _check_push(call.user, of)
        if not of.shows_collaborators:
            raise RefusalError(403, "Resource not accessible by personal access token")
        return [
            call.documents.collaborator(each, of.permissions[each.id])
            for each in self._github.users
            if each.id in of.permissions and each.id not in of.unseen
        ]

    def _permission(self, call: Call, of: Repository, name: str) -> Any:
        user = self._github.known(name)
        if user is None:
            raise RefusalError(404, "Not Found")
        role = of.permissions.get(user.id, "none")
        told = {"maintain": "write", "triage": "read"}.get(role, role)
        return {"permission": told, "role_name": role, "user": {**call.documents.user(user), "role_name": role}}

    def _listed(self, call: Call, of: Repository) -> Any:
        params, owner = call.params, of.name.partition("/")[0]
        state = params.get("state", "open")
        found = [
            each
            for each in of.pulls
            if state in ("all", "open" if each.is_open else "closed")
            and (":" not in params.get("head", "") or params["head"] == f"{owner}:{each.head}")
            and params.get("base", each.base) == each.base
        ]
        by: Callable[[Pull], datetime] = (
            (lambda each: each.updated) if params.get("sort") == "updated" else lambda each: each.created
        )
        descends = params.get("direction", "desc" if params.get("sort", "created") == "created" else "asc") == "desc"
        found.sort(key=lambda each: (by(each), each.number), reverse=descends)
        return [call.documents.listed_pull(each, of) for each in found]

    def _one(self, call: Call, of: Repository, pull: Pull) -> Any:
        return call.documents.pull(pull, of)

    def _create(self, call: Call, of: Repository) -> Any:
        _check_push(call.user, of)
        owner, head, base = of.name.partition("/")[0], str(call.body["head"]), str(call.body["base"])
        head = head.removeprefix(f"{owner}:")
        for name, branch in (("head", head), ("base", base)):
            if of.origin.head(branch) is None:
                raise _invalid({"resource": "PullRequest", "field": name, "code": "invalid"})
        if any(
            each.is_open and (each.head, each.base, each.head_repository) == (head, base, of.id) for each in of.pulls
        ):
            raise _invalid(_custom(f"A pull request already exists for {owner}:{head}."))
        if not of.origin.commits_above(base, head):
            raise _invalid(_custom(f"No commits between {base} and {head}"))
        if call.body.get("draft") and not of.has_drafts:
            raise RefusalError(422, "Draft pull requests are not supported in this repository.")
        _check_body(call.body)
        made = self._github.create(of, call.user, head, base, str(call.body["title"]), str(call.body.get("body") or ""))
        made.draft = bool(call.body.get("draft"))
        return call.documents.pull(made, of)

    def _update(self, call: Call, of: Repository, pull: Pull) -> Any:
        _check_push(call.user, of)
        _check_body(call.body)
        fields = {name: str(call.body[name] or "") for name in ("title", "body", "base") if name in call.body}
        self._github.change(pull, **fields)
        if "state" in call.body and pull.merged is None:
            if call.body["state"] == "open" and of.origin.head(pull.head) is None:
                raise _invalid(_custom("state cannot be changed. The branch has been deleted."))
            self._github.change(pull, is_open=call.body["state"] == "open")
        return call.documents.pull(pull, of)

    def _update_issue(self, call: Call, of: Repository, pull: Pull) -> Any:
        """Assignees are replaced; who may not be one is refused here, and passed over where they are added."""
        if "assignees" in call.body:
            people = [self._github.known(str(name)) for name in call.body["assignees"]]
            assigned = [each for each in people if each and of.permissions.get(each.id) in PUSHERS]
            if len(assigned) < len(people):
                raise _invalid({"resource": "Issue", "field": "assignees", "code": "invalid"})
            self._github.change(pull, assignees=assigned)
        if "milestone" in call.body:
            found = next((each for each in of.milestones if each.number == call.body["milestone"]), None)
            if found is None and call.body["milestone"] is not None:
                raise _invalid({"resource": "Issue", "field": "milestone", "code": "invalid"})
            self._github.change(pull, milestone=found)
        self._update(call, of, pull)
        return call.documents.issue(pull, of)

    def _request_reviewers(self, call: Call, of: Repository, pull: Pull) -> Any:
        _check_push(call.user, of)
        names, teams = call.body.get("reviewers", []), call.body.get("team_reviewers", [])
        people = [self._github.known(name) for name in names]
        if pull.author in people:
            raise RefusalError(422, "Review cannot be requested from pull request author.")
        found = [each for each in people if each is not None and each.id in of.permissions]
        if len(found) < len(names) or not set(teams) <= set(of.teams):
            wrong = (
                f"One or more of the users or teams you specified is not a collaborator of the {of.name} repository."
            )
            raise RefusalError(422, f"Reviews may only be requested from collaborators. {wrong}")
        reviewers = [*pull.reviewers, *(each for each in found if each not in pull.reviewers)]
        self._github.change(pull, reviewers=reviewers, teams=list(dict.fromkeys([*pull.teams, *teams])))
        return call.documents.listed_pull(pull, of)

    def _add_labels(self, call: Call, of: Repository, pull: Pull) -> Any:
        names = [str(each) for each in call.body["labels"]]
        if any(len(name) > 50 for name in names):
            raise _invalid({"resource": "Label", "field": "name", "code": "invalid"})
        of.labels += [each for each in names if each not in of.labels]
        self._github.change(pull, labels=list(dict.fromkeys([*pull.labels, *names])))
        return 200, call.documents.labels(of, pull.labels)

    def _add_assignees(self, call: Call, of: Repository, pull: Pull) -> Any:
        people = [self._github.known(str(name)) for name in call.body["assignees"]]
        found = [each for each in people if each and of.permissions.get(each.id) in PUSHERS]
        self._github.change(pull, assignees=[*pull.assignees, *(each for each in found if each not in pull.assignees)])
        return call.documents.issue(pull, of)

    def _comments(self, call: Call, of: Repository, pull: Pull) -> Any:
        since = datetime.fromisoformat(call.params["since"]) if "since" in call.params else None
        return [
            call.documents.comment(of, pull, each) for each in pull.comments if since is None or each.created >= since
        ]

    def _say(self, call: Call, of: Repository, pull: Pull) -> Any:
        return call.documents.comment(of, pull, self._github.say(pull, call.user, str(call.body["body"])))

    def _react(self, call: Call, of: Repository, number: int) -> Any:
        found = next((each for pull in of.pulls for each in pull.comments if each.id == number), None)
        if found is None:
            raise RefusalError(404, "Not Found")
        given = (str(call.body["content"]), call.user)
        is_new = given not in found.reactions
        found.reactions += [given] if is_new else []
        return 201 if is_new else 200, call.documents.reaction(
            *given, number=found.reactions.index(given) + 1, when=found.created
        )


def _expression(pattern: str) -> str:
    return pattern.replace(":s", "([^/]+)").replace(":n", "([0-9]+)")


def _check_push(user: User, of: Repository) -> None:
    if of.permissions.get(user.id) not in PUSHERS:
        raise RefusalError(403, "Resource not accessible by personal access token")


def _check_body(body: Mapping[str, Any]) -> None:
    if len(body.get("body") or "") > _BODY_MAX:
        raise _invalid(_custom(f"body is too long (maximum is {_BODY_MAX} characters)"))


def _invalid(*errors: Mapping[str, str]) -> RefusalError:
    return RefusalError(422, "Validation Failed", *errors)


def _custom(message: str) -> Mapping[str, str]:
    return {"resource": "PullRequest", "code": "custom", "message": message}
