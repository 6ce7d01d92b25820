"""The JSON of what a GitHub holds (docs.github.com/rest), as full as GitHub's own description has it.

Lists have a pull request without what GitHub counts for a single one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tests.forges.github import accounts
from tests.forges.github.accounts import BEGINNING, Document, links
from tests.forges.github.state import Comment, Milestone, Pull, Repository, User

_OF_PULL = {  # where what belongs to it is
    "self": "pulls/{}",
    "html": "",
    "issue": "issues/{}",
    "comments": "issues/{}/comments",
    "commits": "pulls/{}/commits",
    "review_comment": "pulls/comments{{/number}}",
    "review_comments": "pulls/{}/comments",
    "statuses": "statuses/{}",
}


@dataclass(frozen=True, kw_only=True)
class Documents:
    """`site`: the address that they link to."""

    site: str

    def user(self, found: User) -> Document:
        return accounts.user(self.site, found.id, found.login, "Bot" if found.login.endswith("[bot]") else "User")

    def collaborator(self, found: User, role: str) -> Document:
        """`role`: admin, maintain, write, triage or read; each may what those after it may."""
        may = {"admin": "admin", "maintain": "maintain", "push": "write", "triage": "triage", "pull": "read"}
        roles = list(may.values())
        permissions = {name: roles.index(role) <= roles.index(least) for name, least in may.items()}
        return {**self.user(found), "permissions": permissions, "role_name": role}

    def repository(self, found: Repository) -> Document:
        return accounts.repository(self.site, found.id, found.name, private=not found.public, archived=found.archived)

    def pull(self, found: Pull, of: Repository) -> Document:
        """Nothing is reviewed and no line is counted."""
        counts = ("commits", "additions", "deletions", "changed_files", "review_comments")
        return {
            **self.listed_pull(found, of),
            "merged": found.merged is not None,
            "mergeable": None,
            "mergeable_state": "unknown",
            "merged_by": None,
            "maintainer_can_modify": False,
            "comments": len(found.comments),
            **dict.fromkeys(counts, 0),
        }

    def listed_pull(self, found: Pull, of: Repository) -> Document:
        own, page = self.repository(of), f"{self.site}/{of.name}/pull/{found.number}"
        elsewhere = None if found.head_repository is None else {**own, "id": found.head_repository}
        to = {name: f"{own['url']}/{path.format(found.number)}" for name, path in _OF_PULL.items()} | {"html": page}
        return {
            "id": found.id,
            "node_id": f"PR_{found.id}",
            "number": found.number,
            "url": to["self"],
            "html_url": page,
            "diff_url": f"{page}.diff",
            "patch_url": f"{page}.patch",
            **{f"{name}_url": each for name, each in to.items() if name != "self"},
            "_links": {name: {"href": each} for name, each in to.items()},
            "title": found.title,
            "body": found.body or None,
            "state": "open" if found.is_open else "closed",
            "locked": False,
            "draft": found.draft,
            "user": self.user(found.author),
            "author_association": "COLLABORATOR" if found.author.id in of.permissions else "NONE",
            "auto_merge": None,
            "head": self._end(of, found.head, found.sha, own if found.head_repository == of.id else elsewhere),
            "base": self._end(of, found.base, of.heads.get(found.base), own),
            "labels": self.labels(of, found.labels),
            "assignee": self.user(found.assignees[0]) if found.assignees else None,
            "assignees": [self.user(each) for each in found.assignees],
            "requested_reviewers": [self.user(each) for each in found.reviewers],
            "requested_teams": [self._team(each) for each in found.teams],
            "milestone": self.milestone(of, found.milestone) if found.milestone else None,
            "created_at": moment(found.created),
            "updated_at": moment(found.updated),
            "closed_at": None if found.is_open else moment(found.updated),
            "merged_at": moment(found.merged) if found.merged else None,
            "merge_commit_sha": None,
        }

    def _end(self, of: Repository, branch: str, sha: str | None, repository: Document | None) -> Document:
        owner = of.name.partition("/")[0]
        account = accounts.user(self.site, 1, owner, "Organization")
        return {"label": f"{owner}:{branch}", "ref": branch, "sha": sha, "user": account, "repo": repository}

    def _team(self, slug: str) -> Document:
        url = f"{self.site}/api/v3/organizations/1/team/{slug}"
        named = {"id": 1, "node_id": f"T_{slug}", "name": slug, "slug": slug, "description": None, "parent": None}
        shown = {
            "type": "organization",
            "organization_id": 1,
            "privacy": "closed",
            "permission": "push",
            "html_url": f"{self.site}/orgs/teams/{slug}",
            "url": url,
        }
        return {**named, **shown, **links(url, "members repositories")}

    def issue(self, found: Pull, of: Repository) -> Document:
        """A pull request as the issue that it is, too."""
        document = self.pull(found, of)
        kept = (
            "id",
            "number",
            "html_url",
            "title",
            "body",
            "state",
            "draft",
            "user",
            "labels",
            "assignee",
            "assignees",
        )
        more = ("milestone", "locked", "comments", "author_association", "created_at", "updated_at", "closed_at")
        url = document["issue_url"]
        return {
            **{name: document[name] for name in (*kept, *more)},
            "node_id": f"I_{found.id}",
            "url": url,
            "repository_url": document["base"]["repo"]["url"],
            **links(url, "labels comments events"),
            "pull_request": {name: document[name] for name in ("url", "html_url", "diff_url", "patch_url")},
        }

    def labels(self, of: Repository, names: Sequence[str]) -> Sequence[Document]:
        return [
            {
                "id": number,
                "node_id": f"LA_{number}",
                "url": f"{self.site}/api/v3/repos/{of.name}/labels/{name}",
                "name": name,
                "description": "",
                "color": "ededed",
                "default": False,
            }
            for number, name in enumerate(names, 1)
        ]

    def milestone(self, of: Repository, found: Milestone) -> Document:
        url = f"{self.site}/api/v3/repos/{of.name}/milestones/{found.number}"
        return {
            "id": found.number,
            "node_id": f"MI_{found.number}",
            "number": found.number,
            "title": found.title,
            "state": "open" if found.is_open else "closed",
            "description": None,
            "creator": None,
            "open_issues": 0,
            "closed_issues": 0,
            "url": url,
            "html_url": f"{self.site}/{of.name}/milestone/{found.number}",
            **links(url, "labels"),
            "created_at": BEGINNING,
            "updated_at": BEGINNING,
            "closed_at": None if found.is_open else BEGINNING,
            "due_on": None,
        }

    def comment(self, of: Repository, pull: Pull, found: Comment) -> Document:
        issue = f"{self.site}/api/v3/repos/{of.name}/issues"
        return {
            "id": found.id,
            "node_id": f"IC_{found.id}",
            "url": f"{issue}/comments/{found.id}",
            "issue_url": f"{issue}/{pull.number}",
            "html_url": f"{self.site}/{of.name}/pull/{pull.number}#issuecomment-{found.id}",
            "user": self.user(found.author),
            "author_association": "COLLABORATOR" if found.author.id in of.permissions else "NONE",
            "body": found.body,
            "created_at": moment(found.created),
            "updated_at": moment(found.created),
        }

    def reaction(self, content: str, giver: User, number: int, when: datetime) -> Document:
        known = {"id": number, "node_id": f"REA_{number}", "content": content}
        return {**known, "user": self.user(giver), "created_at": moment(when)}


def moment(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")
