"""The JSON of what a GitHub holds (docs.github.com/rest): the fields that clients of pull requests read."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from tests.forges.github.state import Comment, Milestone, Pull, Repository, User

Document = Mapping[str, Any]


def user(found: User) -> Document:
    return {"login": found.login, "id": found.id, "type": "Bot" if found.login.endswith("[bot]") else "User"}


def repository(found: Repository, site: str) -> Document:
    owner, _, name = found.name.partition("/")
    return {
        "id": found.id,
        "name": name,
        "full_name": found.name,
        "owner": {"login": owner, "id": 1, "type": "Organization"},
        "private": not found.public,
        "url": f"{site}/api/v3/repos/{found.name}",
        "html_url": f"{site}/{found.name}",
        "clone_url": f"{site}/{found.name}.git",
        "default_branch": "main",
        "archived": found.archived,
    }


def pull(found: Pull, of: Repository, site: str) -> Document:
    owner, own = of.name.partition("/")[0], repository(of, site)
    elsewhere = None if found.head_repository is None else {**own, "id": found.head_repository}
    return {
        "id": found.id,
        "number": found.number,
        "url": f"{site}/api/v3/repos/{of.name}/pulls/{found.number}",
        "html_url": f"{site}/{of.name}/pull/{found.number}",
        "title": found.title,
        "body": found.body or None,
        "state": "open" if found.is_open else "closed",
        "draft": found.draft,
        "user": user(found.author),
        "head": {
            "label": f"{owner}:{found.head}",
            "ref": found.head,
            "sha": found.sha,
            "repo": own if found.head_repository == of.id else elsewhere,
        },
        "base": {"label": f"{owner}:{found.base}", "ref": found.base, "sha": of.heads.get(found.base), "repo": own},
        "labels": labels(found.labels),
        "assignees": [user(each) for each in found.assignees],
        "requested_reviewers": [user(each) for each in found.reviewers],
        "requested_teams": [{"slug": each} for each in found.teams],
        "milestone": milestone(found.milestone) if found.milestone else None,
        "created_at": moment(found.created),
        "updated_at": moment(found.updated),
        "closed_at": None if found.is_open else moment(found.updated),
        "merged_at": moment(found.merged) if found.merged else None,
    }


def issue(found: Pull, of: Repository, site: str) -> Document:
    """A pull request as the issue that it is, too."""
    document = pull(found, of, site)
    kept = ("id", "number", "html_url", "title", "body", "state", "draft", "user", "labels", "assignees", "milestone")
    times = {name: document[name] for name in ("created_at", "updated_at", "closed_at")}
    return {**{name: document[name] for name in kept}, **times, "pull_request": {"url": document["url"]}}


def labels(names: Sequence[str]) -> Sequence[Document]:
    return [{"id": index, "name": name, "color": "ededed"} for index, name in enumerate(names, 1)]


def milestone(found: Milestone) -> Document:
    return {"number": found.number, "title": found.title, "state": "open" if found.is_open else "closed"}


def comment(found: Comment) -> Document:
    return {
        "id": found.id,
        "user": user(found.author),
        "body": found.body,
        "created_at": moment(found.created),
        "updated_at": moment(found.created),
    }


def reaction(content: str, giver: User, number: int) -> Document:
    return {"id": number, "content": content, "user": user(giver)}


def moment(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")
