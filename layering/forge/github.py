"""GitHub's REST API, version 2022-11-28: pull requests behind Host. Decides nothing.

docs.github.com/rest: "Pulls", "Issues" (comments), "Collaborators", "Commits" (compare). GitHub Enterprise Server has
the same below `/api/v3`. Labels and people are in githubmanners.py, commits by an App in githubcommits.py.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from layering.errors import ConflictError, LayerwatchError, NotFoundError
from layering.forge.answers import Answer, refusal
from layering.forge.apihost import moment
from layering.forge.credentials import Credentials
from layering.forge.exchange import Exchange
from layering.forge.githubapp import InstallationTokens
from layering.forge.githubcommits import GitHubCommits
from layering.forge.githubmanners import GitHubManners
from layering.forge.likegithub import LikeGitHub, path_of, without_milestone
from layering.forge.manners import Manners
from layering.forge.pullrequest import Comment, NewPull, Opened, PullPage, PullRequest, PullState, Repository
from layering.forge.settings import ForgeSettings
from layering.forge.treechange import TreeChange

HEADERS: Mapping[str, str] = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}

_PER_PAGE = 100
_SECOND = "%Y-%m-%dT%H:%M:%SZ"
_PUSHERS = {"admin", "maintain", "write"}
_CLOUD = re.compile(r"https://api\.(github\.com|[\w-]+\.ghe\.com)")


class GitHubHost(LikeGitHub):
    """See Host."""

    product = "GitHub"
    git_user = "x-access-token"  # with the tokens of Apps and of persons
    newest_change_first: Mapping[str, str | int] = {"sort": "updated", "direction": "desc"}
    page: Mapping[str, str | int] = {"per_page": _PER_PAGE}
    pulls_per_page = _PER_PAGE
    body_length_max = 60_000
    selects_by_head = True
    may_open_two = False

    def __init__(self, settings: ForgeSettings, exchange: Exchange, credentials: Credentials) -> None:
        super().__init__(settings, exchange, credentials)
        self._commits = GitHubCommits(settings, exchange, credentials)

    def _pages_url(self) -> str | None:
        """The API of github.com, and of a company's own there, is on another host."""
        cloud = _CLOUD.fullmatch(self._settings.url)
        return f"https://{cloud[1]}" if cloud else super()._pages_url()

    def repository(self, name: str) -> Repository:
        """See Host. An App may have been told with its token; what was archived then may be archived no more."""
        told = self._credentials.repository(name) if isinstance(self._credentials, InstallationTokens) else None
        if isinstance(told, Mapping) and told.get("archived") is False and {"clone_url", "html_url"} <= told.keys():
            return self._repository(told)
        return super().repository(name)

    def newest_pulls(self, repository: str, head: str) -> Iterator[PullPage]:
        """See Host."""
        selected = f"{repository.partition('/')[0]}:{head}"
        return self._pages(repository, {"state": "all", "head": selected, "sort": "created", "direction": "desc"})

    def open(self, repository: str, new: NewPull) -> Opened:
        """See Host. Private repositories have drafts with some plans only."""
        path, body, draft = f"{path_of(repository)}/pulls", new.body(new.manners.todo), new.manners.draft
        fields = {"head": new.head, "base": new.base, "title": new.title, "body": body, "draft": draft}
        warnings = tuple[str, ...]()
        answer = self._exchange.send("POST", path, fields, expect=(403, 422))
        if draft and new.manners.draft_optional and _NO_DRAFTS in answer.message:
            warnings = (f"GitHub takes no draft, so it is ready to be merged: {answer.message}",)
            answer = self._exchange.send("POST", path, {**fields, "draft": False}, expect=(403, 422))
        if answer.status == 422 and _LOOK_AGAIN.search(answer.message):
            raise ConflictError(
                answer.message, where=f"{self._settings.name}: {repository}", next_step="look at it again"
            )
        if answer.status >= 400:
            raise _not_opened(answer, f"{self._settings.name}: {repository}")
        return Opened(pull=self._pull(answer.json), warnings=warnings)

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
        state = None if closed is None else "closed" if closed else "open"
        given = {"title": title, "body": body, "state": state}
        change = {name: value for name, value in given.items() if value is not None}
        return self._pull(self._exchange.send("PATCH", f"{path_of(repository)}/pulls/{pull.number}", change).json)

    def dress(
        self, repository: str, pull: PullRequest, manners: Manners, todo: Sequence[str], body: str, *, is_new: bool
    ) -> tuple[PullRequest | None, tuple[str, ...]]:
        """See Host. Some of it goes with the body, by way of the issue that a pull request is, too."""
        wanted = GitHubManners(self._exchange, path_of(repository), manners)
        if wanted.on(pull.number, without_milestone(todo, pull), body, is_new=is_new):
            return None, tuple(wanted.warnings)
        return self.edit(repository, pull, body=body), tuple(wanted.warnings)

    def comments(self, repository: str, number: int, since: datetime | None) -> tuple[Sequence[Comment], bool]:
        """See Host. Oldest first is the only order: the first page may have all, or end before `since`."""
        path = f"{path_of(repository)}/issues/{number}/comments"
        pages = self._exchange.pages(path, self.page)
        answers = [next(pages)]
        is_whole = answers[0].next_page is None or since is None or self._ends_after(since, answers[0])
        if since is not None and not is_whole:
            pages = self._exchange.pages(path, {"since": since.astimezone(UTC).strftime(_SECOND), **self.page})
        answers += pages
        found = self._read(lambda: {each["id"]: _comment(each) for page in answers for each in page.json}, "comments")
        return [found[number] for number in sorted(found)], is_whole

    def _ends_after(self, since: datetime, page: Answer) -> bool:
        return self._read(lambda: any(moment(each["created_at"]) >= since for each in page.json[-1:]), "comments")

    def first_by_a_pusher(self, repository: str, comments: Sequence[Comment]) -> Comment | None:
        """See Host. The list of collaborators is no proof that somebody is none: it has those that the token can see,
        and a workflow's own, or an App's that may not read members, sees nobody who may push by a team.
        """
        return next((each for each in comments if self._may_push(repository, each.author)), None)

    def _may_push(self, repository: str, user: str) -> bool:
        """Of all that gives it: teams and the organization, too ("Get repository permissions for a user")."""
        try:
            path = f"{path_of(repository)}/collaborators/{quote(user, safe='')}/permission"
            found = self._exchange.get(path).json
        except NotFoundError:
            return False
        return self._read(lambda: found["permission"] in _PUSHERS, "a permission")

    def opener_may_push(self, repository: str, opener: str) -> bool:
        """See Host. It is told of every account that there is."""
        path = f"{path_of(repository)}/collaborators/{quote(opener, safe='')}/permission"
        answer = self._exchange.get(path, expect=(403, 404))
        return answer.status >= 400 or self._read(lambda: answer.json["permission"] in _PUSHERS, "a permission")

    def commits_above(self, repository: str, base: str, commit: str) -> int:
        """See Host. Compared from where they parted (three dots)."""
        path = f"{path_of(repository)}/compare/{quote(base, safe='')}...{commit}"
        found = self._exchange.get(path, {"per_page": 1}).json
        return self._read(lambda: int(found["ahead_by"]), "a comparison")

    def signs_commits(self) -> bool:
        """See Host. GitHub signs what an App commits by the API without naming an author."""
        return self._commits.are_signed

    def commit(self, repository: str, change: TreeChange, message: str) -> tuple[str, tuple[str, ...]]:
        """See Host."""
        return self._commits.commit(repository, change, message)

    def commit_authors(self) -> tuple[str, ...]:
        """See Host."""
        return self._commits.authors()

    def _of(self, found: Any) -> PullRequest:
        state = PullState.OPEN if found["state"] == "open" else PullState.CLOSED
        return PullRequest(
            number=found["number"],
            url=found["html_url"],
            title=found["title"],
            body=found["body"] or "",
            state=PullState.MERGED if found.get("merged_at") else state,
            draft=found.get("draft") is True,
            head=found["head"]["ref"],
            head_commit=found["head"]["sha"],
            base=found["base"]["ref"],
            updated=moment(found["updated_at"]),
            labels=tuple(label["name"] for label in found.get("labels") or ()),
            clone_url=found["base"]["repo"].get("clone_url"),
            archived=found["base"]["repo"].get("archived") is True,
            opener=_doubtful_opener(found),
            has_milestone=found.get("milestone") is not None,
        )


_NO_DRAFTS = "Draft pull requests are not supported"
_LOOK_AGAIN = re.compile(r"already exists|No commits between|PullRequest (?:head|base) invalid", re.IGNORECASE)


def _not_opened(answer: Answer, where: str) -> LayerwatchError:
    """A workflow's own token opens pull requests only where a setting of the repository allows that; a draft that is
    to keep one from being merged is not left out.
    """
    error = refusal(answer, where)
    if "GitHub Actions is not permitted" in answer.message:
        error.next_step = "allow GitHub Actions to create pull requests (Settings, Actions, General), or use an App"
    if _NO_DRAFTS in answer.message:
        error.next_step = (
            "have it opened when the cluster's update is completed, and no draft (hold: completed, draft: false); "
            "or have a plan of GitHub's with drafts, or a public repository"
        )
    return error


def _doubtful_opener(found: Mapping[str, Any]) -> str | None:
    """An App opens one only where it was installed for that; a member or a collaborator may be one who only reads."""
    user = found.get("user") or {}
    vouched_for = user.get("type") == "Bot" or found.get("author_association", "OWNER") == "OWNER"
    return None if vouched_for else user.get("login")


def _comment(found: Mapping[str, Any]) -> Comment:
    """`user` is null when the account is gone."""
    author = (found["user"] or {}).get("login", "ghost")
    return Comment(id=found["id"], author=author, text=found["body"] or "", changed=moment(found["updated_at"]))
