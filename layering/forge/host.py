"""What each forge's API can do for us: one small call per thing, the same for all of them.

github.py, gitlab.py and gitea.py implement it; remote.py is the only caller and decides everything. A Host keeps no
state but its connection, and answers with facts. Repositories are named as in the configuration: `OWNER/NAME`, on
GitLab the full path.

Every call raises RefusedError (ForgeRefused: wrong token, missing permission), NotFoundError (ForgeRefused),
UnavailableError (ForgeUnreachable), InputError (the forge cannot take it as it stands), ConflictError where it says so.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Protocol

from layering.forge.manners import Manners
from layering.forge.pullrequest import Comment, NewPull, Opened, PullPage, PullRequest, Repository
from layering.forge.settings import Login
from layering.forge.treechange import TreeChange


class Host(Protocol):
    """One forge's API. Safe to use from threads."""

    body_length_max: int
    """Characters a body may have, with room to spare."""

    selects_by_head: bool
    """Whether `newest_pulls` asks for one branch alone; else all are listed, and git, asked first, tells how many they
    are and which has a branch's commit (refs/pull/N/head).
    """

    pulls_per_page: int
    """How many pull requests one request lists at most."""

    may_open_two: bool
    """Whether two `open` of one branch at the same moment may both succeed; refs/pull/N/head tell of it then."""

    def begin(self, *, briefly: bool = False) -> None:
        """An operation of this thread begins (see Exchange.begin)."""

    def close(self) -> None:
        """Close all connections."""

    def now(self) -> datetime:
        """The forge's clock, as its last answer told it (`Date`); ours before the first. UTC. Sends nothing."""

    def login(self, repository: str) -> Login | None:
        """For git over HTTP to this repository; None without a token."""

    def login_refused(self, repository: str) -> bool:
        """git was refused with that login: get the token again. Whether it is another one now."""

    def git_url(self, repository: str, clone_url: str | None) -> str | None:
        """Where git reaches it: what the configuration's gitUrl makes of it, or `clone_url`, which the forge told."""

    def git_url_beside_the_api(self, repository: str) -> str | None:
        """Where the forge serves git, unless something was put before it; None when the API's address does not tell."""

    def repository(self, name: str) -> Repository:
        """One request."""

    def pulls_of(self, repository: str, head: str) -> Sequence[PullRequest]:
        """All pull requests whose head is this branch of the repository itself, whatever they go into, newest first,
        closed ones included. All the pages of `newest_pulls`.
        """

    def changed_pulls(self, repository: str, since: datetime, *, below: str) -> Sequence[PullRequest]:
        """Those of the repository itself whose branch begins with `below`, updated at `since` or later, oldest change
        first.

        One request and more pages when there are; with an ETag where the forge offers them.
        """

    def newest_pulls(self, repository: str, head: str) -> Iterator[PullPage]:
        """Those whose head is this branch, or all where no branch selects its own: of the repository itself, whatever
        they go into, closed ones included, newest first. Each page is asked for when it is read.
        """

    def pull(self, repository: str, number: int) -> PullRequest:
        """How one stands now. One request. The `head` of one that is a fork's is no branch's name."""

    def open_pulls(self, repository: str) -> Sequence[PullRequest]:
        """All that are open, in the repository itself, whatever their branch."""

    def open(self, repository: str, new: NewPull) -> Opened:
        """Open it, with what of its manners the forge takes at once; what it refuses is left to `dress`, which tells
        why.

        Raises ConflictError when there is an open one for the branch already, or nothing to merge.
        """

    def edit(
        self,
        repository: str,
        pull: PullRequest,
        *,
        title: str | None = None,
        body: str | None = None,
        closed: bool | None = None,
    ) -> PullRequest:
        """Change what is given, with one request, and say how it stands then. A draft stays a draft.

        Raises ConflictError when it is to be closed, and was merged meanwhile, and when somebody else changes it at the
        same moment, where the forge tells.
        """

    def dress(
        self, repository: str, pull: PullRequest, manners: Manners, todo: Sequence[str], body: str, *, is_new: bool
    ) -> tuple[PullRequest | None, tuple[str, ...]]:
        """Set those fields of `manners` that `todo` names, then `body` with the last write (together with a field where
        the forge can). Labels are only added, and made when the token may. What the forge refuses or does not know is
        no error: one line each, for people. The pull request as the last answer has it, when it has it.

        `is_new`: it was opened with the request before, and nobody else can have dressed it. Raises ConflictError as
        `edit` does.
        """

    def comments(self, repository: str, number: int, since: datetime | None) -> tuple[Sequence[Comment], bool]:
        """Its conversation, oldest first, and whether that is all of it. Where it has more than a page: at least what
        was said or changed at `since` or later; None: all.
        """

    def first_by_a_pusher(self, repository: str, comments: Sequence[Comment]) -> Comment | None:
        """The first of these, each by another account, whose author may push to the repository (contract: GitHub
        permission write, maintain or admin; Gitea listed under /assignees; GitLab access level 30 or more).

        However many strangers there are among them, one request, and one more for each further hundred; on GitHub,
        which tells of one account at a time, one for each until one may.
        """

    def opener_may_push(self, repository: str, opener: str) -> bool:
        """Whether the account that opened a pull request may push; only asked of a PullRequest.opener that is told."""

    def comment(self, repository: str, number: int, text: str) -> None:
        """Say something in the conversation."""

    def acknowledge(self, repository: str, number: int, comment: Comment) -> None:
        """Show that a comment was acted on: a reaction where the forge has them, else a short answer."""

    def commits_above(self, repository: str, base: str, commit: str) -> int:
        """How many commits the history of `commit` has that the branch `base` has not. One request."""

    def signs_commits(self) -> bool:
        """Whether commits are to be made with `commit`, so that the forge signs them as its own."""

    def commit(self, repository: str, change: TreeChange, message: str) -> tuple[str, tuple[str, ...]]:
        """One commit with this change, made and signed by the forge, on no branch yet. Only asked when `signs_commits`.
        The commit, and one line for people when the forge says that it did not sign it.
        """

    def commit_authors(self) -> tuple[str, ...]:
        """The e-mail addresses that the forge's own commits for us may carry. Only asked when `signs_commits`."""
