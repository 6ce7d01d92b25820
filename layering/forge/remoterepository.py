"""One repository on a forge, looked at: its refs and files by git, its pull requests and comments by the API.

It reads and remembers what cannot have changed; judging and writing are elsewhere (judgement.py, remote.py).
"""

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from layering.errors import InputError, RefusedError
from layering.forge.basefile import BaseFile, BaseFiles, claim_in, edited_text
from layering.forge.commands import Command, pending
from layering.forge.forge import ProposalTarget
from layering.forge.githttp import CommitGoneError
from layering.forge.gitside import GitSide, OpenGit
from layering.forge.host import Host
from layering.forge.judgement import OurCommit, Seen
from layering.forge.knownpulls import KnownPulls
from layering.forge.marker import Marker
from layering.forge.namedpulls import NamedPulls
from layering.forge.pullcommits import PullCommits
from layering.forge.pullrequest import Comment, PullRequest
from layering.forge.refs import Refs
from layering.forge.remotegit import RemoteGit
from layering.forge.settings import ForgeSettings
from layering.git import COMMIT_ID
from layering.gitrepository import Commit
from layering.reasons import Reason
from layering.reference import ImageReference

KEY_TRAILER = "Layerwatch-Key"
IMAGE_TRAILER = "Layered-Image"
LINE_TRAILER = "Layerwatch-Line"
_TOUCHED_AFTER = timedelta(seconds=2)
_NO_LASTS = timedelta(minutes=10)
_COMMENTS_SINCE = timedelta(minutes=5)  # before our last write: what was said while we wrote


class RemoteRepository:
    """What is known of one repository, for as long as the process lives. Safe to use from threads."""

    def __init__(self, settings: ForgeSettings, host: Host, name: str, open_git: OpenGit) -> None:
        self._settings = settings
        self.host = host
        self.name = name
        self.pulls = KnownPulls(host, name)
        self._side = GitSide(host, name, lambda: self.pulls.clone_url, open_git)
        self._files = BaseFiles()
        self._ours: dict[tuple[ProposalTarget, str], OurCommit | None] = {}
        self._comments: dict[int, tuple[PullRequest, Sequence[Comment], bool]] = {}
        self._commands: dict[int, tuple[PullRequest, Command | None]] = {}
        self._openers: dict[str, tuple[bool, datetime]] = {}
        self._commits: dict[str, Commit | None] = {}
        self._pull_commits: PullCommits | None = None
        self._guard = threading.RLock()

    @property
    def git(self) -> RemoteGit:
        """See GitSide."""
        return self._side.git

    def close(self) -> None:
        """Take away what git fetched."""
        self._side.close()

    def refs(self, branches: Sequence[str]) -> Refs:
        """Those branches (as RemoteGit.refs takes them); with all pull requests while none is known of and no branch
        selects its own.
        """
        return self._side.refs(branches, with_pulls=not self.host.selects_by_head and self.pulls.are_unknown)

    def look(self, target: ProposalTarget, refs: Callable[[], Refs], key: str = "") -> Seen:
        """How things are now. `refs` gives git's, when it is called; `key` is what is to be proposed, empty where only
        what is open is looked at.

        Raises InputError when there is no such base branch, and what Host and RemoteGit raise.
        """
        head, base = target.proposal_branch, target.branch
        self.pulls.begin(head)  # before git: a merge is seen on the base branch when it is seen here
        self._check_not_archived(self.pulls.is_archived)
        told = refs()
        return self._seen(
            target,
            told,
            opened=lambda: self.pulls.opened(head, base),
            pulls=lambda: self.pulls.newest(head, lambda: self._older(target, told, key)),
        )

    def forget(self, target: ProposalTarget) -> None:
        """Ask for its pull requests again the next time."""
        self.pulls.forget(target.proposal_branch)
        self._pull_commits = None

    def _older(self, target: ProposalTarget, refs: Refs, key: str) -> Sequence[int] | None:
        """Those that git tells of, newest first: what proposed that key, and what has the branch's commit. None when
        git does not tell. What came later than git was asked is known by itself.
        """
        known = self._pull_commits or self.git.pull_commits(refs.branches[target.branch], LINE_TRAILER)
        self._pull_commits = known
        if known is None:
            return None
        head = refs.branches.get(target.proposal_branch)
        return sorted(known.with_line(line_of(target, key)) | (known.with_head(head) if head else set()), reverse=True)

    def glimpse(self, target: ProposalTarget, refs: Callable[[], Refs], among: Collection[str]) -> Seen | None:
        """As `look`, for `at_a_glance` alone, with what NamedPulls gives. None where a branch selects its own."""
        if self.host.selects_by_head:
            return None
        told, head, size = refs(), target.proposal_branch, self.host.pulls_per_page
        named = NamedPulls(self.pulls, told, head=head, base=target.branch, among=among, per_page=size)
        return self._seen(target, told, opened=named.opened, pulls=named.believed)

    def _seen(
        self,
        target: ProposalTarget,
        refs: Refs,
        *,
        opened: Callable[[], Sequence[PullRequest]],
        pulls: Callable[[], Iterable[PullRequest]],
    ) -> Seen:
        if target.branch == target.proposal_branch:
            raise InputError(f"{target.branch!r} is the proposal's own branch", where=self.name)
        if target.branch not in refs.branches:
            raise InputError(
                f"there is no branch {target.branch!r}",
                where=f"{self._settings.name}: {self.name}",
                next_step="name the branch that proposals are merged into, or push it there",
            )
        tip = refs.branches[target.branch]
        return Seen(
            target=target,
            tip=tip,
            head=refs.branches.get(target.proposal_branch),
            opened=opened,
            pulls=pulls,
            file=lambda: self.file(tip, target),
            made_by_us=lambda commit: self._made_by_us(target, commit),
            by_a_pusher=self.opened_by_a_pusher,
            keys_in=self._keys_in,
        )

    def check_that_it_takes_changes(self, *, are_due: bool) -> None:
        """Raises RefusedError when it is archived. That is asked for, once, when nothing has told it and changes are
        due, or nothing else was asked.
        """
        self._check_not_archived(self.pulls.is_archived)
        if self.pulls.clone_url is None and (are_due or self.pulls.are_unknown):
            self._check_not_archived(self._side.described().archived)

    def _check_not_archived(self, archived: bool) -> None:
        if archived:
            self._side.forget_described()  # it may be archived no more the next time
            raise RefusedError(
                "the repository is archived",
                where=f"{self._settings.name}: {self.name}",
                next_step="have it unarchived, or propose in another repository",
                reason=Reason.FORGE_REFUSED,
            )

    def file(self, commit: str, target: ProposalTarget) -> BaseFile:
        """The target's file in a commit of the base branch."""
        return self._files.read(self.git, commit, target)

    def command(self, pull: PullRequest) -> Command | None:
        """What people told us about it that was not acted on yet. Asks nothing while nobody touched it since we did.

        Without the marker nobody knows what was acted on: a command would be carried out again, on a person's commit.
        """
        marker = Marker.parse(pull.body)
        if marker is None or not _is_touched(pull, marker):
            return None
        with self._guard:
            known = self._commands.get(pull.number)
        if known is not None and known[0] == pull:
            return known[1]
        recent = (each for each in self._said(pull, marker)[0] if each.changed >= marker.written - _COMMENTS_SINCE)
        found = pending(recent, marker.handled, lambda told: self.host.first_by_a_pusher(self.name, told))
        with self._guard:
            self._commands[pull.number] = (pull, found)
        return found

    def comments(self, pull: PullRequest) -> Iterator[Comment]:
        """All of its conversation: what was said since our last write first, and what else there is only when it is
        read that far. What we said once may be older than our last write.
        """
        said, is_whole = self._said(pull, Marker.parse(pull.body))
        yield from said
        if not is_whole:
            yield from self._said(pull, None)[0]

    def _said(self, pull: PullRequest, marker: Marker | None) -> tuple[Sequence[Comment], bool]:
        """As Host.comments, since our last write when a marker tells of it. Asked for once, while the pull request
        stays as it is, and not when it tells that there is none.
        """
        if pull.comments == 0:
            return (), True
        with self._guard:
            known = self._comments.get(pull.number)
        if known is not None and known[0] == pull and (known[2] or marker is not None):
            return known[1:]
        since = marker.written - _COMMENTS_SINCE if marker is not None else None
        said, is_whole = self.host.comments(self.name, pull.number, since)
        with self._guard:
            self._comments[pull.number] = pull, said, is_whole
        return said, is_whole

    def comment(self, pull: PullRequest, text: str) -> None:
        """Say something in its conversation, which is asked for again then, whatever came of it."""
        with self._guard:
            self._comments.pop(pull.number, None)
        self.host.comment(self.name, pull.number, text)

    def opened_by_a_pusher(self, pull: PullRequest) -> bool:
        """Whether its account may push. Who may is believed from then on; who may not, for a while."""
        if pull.opener is None:
            return True
        now = self.host.now()
        may, asked = self._openers.get(pull.opener, (False, None))
        if not may and (asked is None or now - asked > _NO_LASTS):
            may = self.host.opener_may_push(self.name, pull.opener)
            self._openers[pull.opener] = (may, now)
        return may

    def _keys_in(self, commit: str) -> Mapping[str, str]:
        """The keys in the trailers of a commit of ours, by member; none when it is none, or gone."""
        found = self._commit(commit)
        if found is None or not self._is_by_us(found):
            return {}
        lines = (value.rpartition(" ") for name, value in found.trailers if name == LINE_TRAILER)
        return {member: key for member, _, key in lines}

    def _commit(self, commit: str) -> Commit | None:
        """None for what is none, or gone."""
        if commit not in self._commits and COMMIT_ID.fullmatch(commit):
            try:
                self._commits[commit] = self.git.commit(commit)
            except CommitGoneError:
                self._commits[commit] = None
        return self._commits.get(commit)

    def _made_by_us(self, target: ProposalTarget, commit: str) -> OurCommit | None:
        """See Seen; a commit does not change, but what is above the base branch does: only a yes is remembered."""
        known = self._ours.get((target, commit))
        if known is None and (known := self._told_by_commit(target, commit)) is not None:
            self._ours[target, commit] = known
        return known

    def _told_by_commit(self, target: ProposalTarget, commit: str) -> OurCommit | None:
        found = self._commit(commit)
        key = found.trailer(KEY_TRAILER) if found else None
        if found is None or key is None or len(found.parents) != 1 or not self._is_by_us(found):
            return None
        if self.host.commits_above(self.name, target.branch, commit) != 1:
            return None
        image = found.trailer(IMAGE_TRAILER) or ""
        title = found.subject.removeprefix(self._settings.commit_prefix)
        if target.group is not None:  # its other lines are not known here; who made it is
            return OurCommit(key=key, image=image, old=None, title=title, shared=True)
        if self.git.changed_files(commit) != [target.file]:
            return None
        before, after = (self.git.file(at, target.file) for at in (found.parents[0], commit))
        try:
            expected = edited_text(before, target, ImageReference.parse_pinned(image)).encode()
            claim = claim_in(before, target)
        except InputError:
            return None
        if after != expected:
            return None
        return OurCommit(key=key, image=image, old=claim.image if claim else None, title=title)

    def _is_by_us(self, commit: Commit) -> bool:
        people = {(commit.author.name, commit.author.email), (commit.committer.name, commit.committer.email)}
        if self.host.signs_commits():
            return {email for _, email in people} <= set(self.host.commit_authors())
        return people == {(self._settings.commits_by.name, self._settings.commits_by.email)}


def line_of(target: ProposalTarget, key: str) -> str:
    """A trailer's value: one line of a proposal and the key that its image was built for."""
    return f"{target.member} {key}"


def _is_touched(pull: PullRequest, marker: Marker) -> bool:
    """Whether somebody did something to it after we wrote: later than our own writing is seen, or a comment."""
    is_commented = None not in (pull.comments, marker.comments) and pull.comments != marker.comments
    return is_commented or pull.updated > marker.written + _TOUCHED_AFTER
