"""The JSON of users, and of the repositories they have (docs.github.com/rest: "users", "repos"), in full.

What the tests' GitHub holds is told as it is; of all else there is none: no stars, no forks, no license.
"""

from collections.abc import Mapping
from typing import Any

Document = Mapping[str, Any]

BEGINNING = "2024-01-01T00:00:00Z"
_OF_USER = "followers following gists starred subscriptions organizations repos events received_events"
_OF_REPOSITORY = (
    "archive assignees blobs branches collaborators comments commits compare contents contributors deployments"
    " downloads events forks git_commits git_refs git_tags hooks issue_comment issue_events issues keys labels"
    " languages merges milestones notifications pulls releases stargazers statuses subscribers subscription tags"
    " teams trees"
)


def links(url: str, names: str) -> Document:
    """To the lists of what is there."""
    return {f"{name}_url": f"{url}/{name}" for name in names.split()}


def user(site: str, number: int, login: str, kind: str = "User") -> Document:
    """`kind`: User, Bot or Organization."""
    url = f"{site}/api/v3/users/{login}"
    return {
        "login": login,
        "id": number,
        "node_id": f"U_{number}",
        "type": kind,
        "site_admin": False,
        "url": url,
        "html_url": f"{site}/{login}",
        "avatar_url": f"{site}/avatars/u/{number}",
        "gravatar_id": "",
        **links(url, _OF_USER),
    }


def profile(of: Document) -> Document:
    """What anybody may see of a user who tells nothing."""
    told = dict.fromkeys(("name", "company", "blog", "location", "email", "hireable", "bio"))
    counts = dict.fromkeys(("public_repos", "public_gists", "followers", "following"), 0)
    return {**of, **told, **counts, "user_view_type": "public", "created_at": BEGINNING, "updated_at": BEGINNING}


def brief_repository(site: str, number: int, path: str, *, private: bool) -> Document:
    """As it stands in what is about something else. `path`: OWNER/NAME."""
    owner, _, name = path.partition("/")
    url = f"{site}/api/v3/repos/{path}"
    return {
        "id": number,
        "node_id": f"R_{number}",
        "name": name,
        "full_name": path,
        "owner": user(site, 1, owner, "Organization"),
        "private": private,
        "description": None,
        "fork": False,
        "url": url,
        "html_url": f"{site}/{path}",
        **links(url, _OF_REPOSITORY),
    }


def repository(site: str, number: int, path: str, *, private: bool, archived: bool) -> Document:
    counts = "forks forks_count stargazers_count watchers watchers_count open_issues open_issues_count size"
    more = "network_count subscribers_count"
    has = dict.fromkeys(("has_issues", "has_projects"), True)
    has_not = dict.fromkeys(("has_wiki", "has_pages", "has_downloads", "has_discussions", "disabled"), False)
    return {
        **brief_repository(site, number, path, private=private),
        "clone_url": f"{site}/{path}.git",
        "git_url": f"git://{site.partition('://')[2]}/{path}.git",
        "ssh_url": f"git@{site.partition('://')[2]}:{path}.git",
        "svn_url": f"{site}/{path}",
        "mirror_url": None,
        "homepage": None,
        "language": None,
        "license": None,
        "default_branch": "main",
        "archived": archived,
        **has,
        **has_not,
        **dict.fromkeys(f"{counts} {more}".split(), 0),
        **dict.fromkeys(("created_at", "updated_at", "pushed_at"), BEGINNING),
    }
