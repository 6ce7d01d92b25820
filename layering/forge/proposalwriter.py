"""Writes one proposal: the commit, the branch, the pull request, what it is dressed with, and last the marker.

The order makes every half-done state one that judgement.py recognizes: branch before text, text before dress, `todo`
emptied by the last write. Nothing is judged here.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

from layering.errors import ConflictError, InputError, RefusedError, UnavailableError
from layering.forge.basefile import edited_text
from layering.forge.closing import Moved, acknowledge
from layering.forge.commands import Command
from layering.forge.exchange import LostAnswerError
from layering.forge.forge import Author, Proposal, Proposed, State
from layering.forge.judgement import Due, Seen
from layering.forge.marker import Line, Marker, with_marker
from layering.forge.pullrequest import NewPull, PullRequest, PullState
from layering.forge.remoterepository import IMAGE_TRAILER, KEY_TRAILER, LINE_TRAILER, RemoteRepository, line_of
from layering.forge.settings import ForgeSettings
from layering.forge.titles import as_kept
from layering.reasons import Reason

_EDITED_MARK = "<!-- layerwatch:edited -->"
_EDITED = "Somebody else's commit is on this branch, so it is left alone from now on."
_REBASE = " A comment `/layerwatch rebase` by somebody who may push here makes it one commit of layerwatch again."
_NEAR = 10  # numbers
_PUT_BACK = 4


class ProposalWriter:
    """For one proposal in one repository. Raises what Host and RemoteGit raise, and Moved.

    After a LostAnswerError, too, one looks again: what was written may have been done.
    """

    def __init__(self, settings: ForgeSettings, repository: RemoteRepository, proposal: Proposal) -> None:
        self._settings = settings
        self._repository = repository
        self._host = repository.host
        self._proposal = replace(proposal, title=as_kept(proposal.title, settings.kind))

    def write(self, seen: Seen, due: Due, pull: PullRequest | None, command: Command | None = None) -> Proposed:
        """What is due. `pull` is the open one, `command` what a person told that makes it due. Raises Moved when that
        one does not stand as it was seen: what a person said of the older key would be taken for a word on this one.
        Raises InputError, before anything is written, when a text has no room for what it must have.
        """
        if pull is not None and not _stand_alike(pull, self._host.pull(self._repository.name, pull.number)):
            raise Moved
        self._body(self._marker(seen, seen.tip, pull, command), self._proposal.manners.todo)
        if due is Due.FINISH and seen.head and self._is_wanted(seen):
            commit, told = seen.head, tuple[str, ...]()
        else:
            commit, told = self._pushed(seen)
        marker = self._marker(seen, commit, pull, command)
        written, warnings = self._update(seen, pull, marker) if pull else self._open(marker)
        self._repository.pulls.take(written)
        self._check_that_it_holds(commit, written, may_be_two=pull is None and self._host.may_open_two)
        if command is not None:
            acknowledge(self._repository, written, command)
        return Proposed(
            state=State.UPDATED if pull else State.CREATED,
            reason=Reason.PROPOSAL_OPEN,
            branch=self._proposal.target.proposal_branch,
            commit=commit,
            pull_request=written.url,
            key=self._proposal.key,
            number=written.number,
            warnings=(*told, *warnings),
        )

    def say_that_it_is_theirs(self, pull: PullRequest) -> None:
        """One comment, once; none to who retargeted it, and knows. Without the marker no command is carried out."""
        if pull.base != self._proposal.target.branch:
            return
        if not any(_EDITED_MARK in comment.text for comment in self._repository.comments(pull)):
            text = _EDITED + (_REBASE if Marker.parse(pull.body) is not None else "")
            self._repository.comment(pull, f"{text}\n\n{_EDITED_MARK}")

    def _is_wanted(self, seen: Seen) -> bool:
        """Whether the commit that is there pins the very image."""
        return seen.ours is None or seen.ours.image == str(self._proposal.image.without_tag())

    def _pushed(self, seen: Seen) -> tuple[str, tuple[str, ...]]:
        """As `_commit`; a refusal is explained where it is for being archived."""
        try:
            return self._commit(seen)
        except RefusedError:
            with suppress(UnavailableError):
                self._repository.check_that_it_takes_changes(are_due=True)
            raise

    def _commit(self, seen: Seen) -> tuple[str, tuple[str, ...]]:
        """One commit on the tip, and the branch on it; what people are to be told of it. Raises Moved when the branch
        was moved meanwhile.
        """
        git, branch, message = self._repository.git, self._proposal.target.proposal_branch, self._message()
        files = self._files(seen.tip)
        commit = git.add_commit(seen.tip, files, message, self._settings.commits_by, self._proposal.when)
        told = tuple[str, ...]()
        if self._host.signs_commits():
            make = partial(self._host.commit, self._repository.name, message=message)
            commit, told = git.made_there(commit, seen.tip, files, make)
        if not git.push(commit, branch, seen.head):
            raise Moved
        return commit, told

    def _files(self, tip: str) -> Mapping[str, bytes]:
        """Each file that is changed, with all of its lines."""
        files: dict[str, bytes] = {}
        for change in self._proposal.changes:
            name = change.target.file
            before = files[name] if name in files else self._repository.git.file(tip, name)
            files[name] = edited_text(before, change.target, change.image).encode("utf-8")
        return files

    def _message(self) -> str:
        """Subject, and the trailers that make the commit ours."""
        proposal = self._proposal
        trailers = [f"{KEY_TRAILER}: {proposal.whole_key}"]
        trailers += [f"{IMAGE_TRAILER}: {image}" for image in self._images()]
        trailers += [f"{LINE_TRAILER}: {line_of(change.target, change.key)}" for change in proposal.changes]
        if self._settings.sign_off:
            author = self._author()
            trailers.append(f"Signed-off-by: {author.name} <{author.email}>")
        return f"{self._settings.commit_prefix}{proposal.title}\n\n" + "\n".join(trailers) + "\n"

    def _images(self) -> list[str]:
        return list(dict.fromkeys(str(change.image.without_tag()) for change in self._proposal.changes))

    def _author(self) -> Author:
        if not self._host.signs_commits():
            return self._settings.commits_by
        email = self._host.commit_authors()[0]
        return Author(name=email.partition("@")[0].partition("+")[2] or email.partition("@")[0], email=email)

    def _marker(self, seen: Seen, commit: str, pull: PullRequest | None, command: Command | None) -> Marker:
        """What the body will say of it, with everything of the manners still to do."""
        proposal, before = self._proposal, Marker.parse(pull.body) if pull else None
        lines = {
            change.target.member: Line(
                key=change.key,
                image=str(change.image.without_tag()),
                old=(config.image if (config := self._repository.file(seen.tip, change.target).config) else None),
            )
            for change in proposal.changes
        }
        told = before.key if before else seen.ours.key if pull and seen.ours else None
        same_key = told == proposal.whole_key and command is None
        left = (before.todo if before else ()) if same_key else proposal.manners.todo
        return Marker(
            key=proposal.whole_key,
            commit=commit,
            image=str(proposal.image.without_tag()),
            old=lines[proposal.target.member].old,
            base=seen.tip,
            title=proposal.title,
            written=self._host.now(),
            todo=tuple(name for name in proposal.manners.todo if name in left),
            handled=command.comment.id if command else before.handled if before else 0,
            comments=pull.comments if pull else 0,
            after=before.after if before else 0 if pull else _newest(seen),
            members=lines if proposal.target.group else {},
        )

    def _open(self, marker: Marker) -> tuple[PullRequest, tuple[str, ...]]:
        """Open it, and dress it. Raises Moved when somebody has opened it meanwhile."""
        target, manners = self._proposal.target, self._proposal.manners
        new = NewPull(
            head=target.proposal_branch,
            base=target.branch,
            title=self._proposal.title,
            body=lambda todo: self._body(marker, todo),
            manners=manners,
        )
        try:
            opened = self._host.open(self._repository.name, new)
        except ConflictError as error:
            raise Moved from error
        undone = tuple(name for name in marker.todo if name not in opened.done)
        if not undone:
            return opened.pull, opened.warnings
        pull, warnings = self._dressed(opened.pull, marker, undone, is_new=True)
        return pull, tuple(dict.fromkeys([*opened.warnings, *warnings]))  # what was tried twice is told once

    def _update(self, seen: Seen, pull: PullRequest, marker: Marker) -> tuple[PullRequest, tuple[str, ...]]:
        """Text first, then the dress. The title stays when a person changed it.

        Of two of us at once one may have left its body with the title of the other one, which the commit tells.
        """
        before = Marker.parse(pull.body)
        ours = seen.ours.title if seen.marker is None and seen.ours is not None else None
        known = {each for each in (before.title if before else None, ours) if each is not None}
        keep = bool(known) and pull.title not in known
        title = None if keep or pull.title == marker.title else marker.title
        try:
            written = self._host.edit(self._repository.name, pull, title=title, body=self._body(marker, marker.todo))
        except ConflictError as error:
            raise Moved from error
        if written.base != pull.base:  # retargeted at this moment: it is a person's
            raise Moved
        is_merged = written.state is PullState.MERGED and written.head_commit == marker.commit
        if written.state is not PullState.OPEN and not is_merged:
            # closed or merged at this moment, with the older key: that is what its text has to say
            self._put_back(seen, pull)
            raise Moved
        return self._dressed(written, marker, marker.todo, is_new=False) if marker.todo else (written, ())

    def _put_back(self, seen: Seen, pull: PullRequest) -> None:
        """The title and the text that somebody said yes or no to; its key, too, when a person's text had none."""
        body = pull.body
        if Marker.parse(body) is None and seen.ours is not None and seen.head is not None:
            ours = seen.ours
            marker = Marker(
                key=ours.key,
                commit=seen.head,
                image=ours.image,
                old=ours.old,
                base="",
                title=pull.title,
                written=self._host.now(),
            )
            body = with_marker(body, marker)
        for attempt in range(1, _PUT_BACK + 1):
            try:
                self._host.edit(self._repository.name, pull, title=pull.title, body=body)
            except (ConflictError, LostAnswerError):
                if attempt == _PUT_BACK:
                    raise
            else:
                return

    def _dressed(
        self, pull: PullRequest, marker: Marker, todo: tuple[str, ...], *, is_new: bool
    ) -> tuple[PullRequest, tuple[str, ...]]:
        name, manners, body = self._repository.name, self._proposal.manners, self._body(marker, ())
        try:
            dressed, warnings = self._host.dress(name, pull, manners, todo, body, is_new=is_new)
        except ConflictError as error:
            raise Moved from error
        return dressed or replace(pull, body=body, updated=self._host.now()), warnings

    def _body(self, marker: Marker, todo: tuple[str, ...]) -> str:
        marker = replace(marker, todo=todo, written=self._host.now())
        room = self._host.body_length_max - len(marker.text()) - len("\n\n\n")
        text = self._proposal.body(max(room, 0), marker.old)
        if len(text) > room:  # the first table and the marker are never cut
            raise self._no_room(marker)
        return with_marker(text, marker)

    def _no_room(self, marker: Marker) -> InputError:
        """Of one line all is short but what it pins now, which may be any text."""
        target, where = self._proposal.target, f"{self._settings.name}: {self._proposal.target.repository}"
        if target.group is None:
            length = len(marker.old or "")
            return InputError(
                f"osImageURL on {target.branch} has {length} characters, more than a text has room for",
                where=f"{where}, {target.file}",
                next_step="let it be an image's name, or empty",
            )
        lines = len(self._proposal.changes)
        return InputError(
            f"{target.proposal_branch} has {lines} lines, more than one text has room for",
            where=where,
            next_step="make two groups of it, or see whether osImageURL is an image's name in each file",
        )

    def _check_that_it_holds(self, commit: str, pull: PullRequest, *, may_be_two: bool) -> None:
        """Somebody may have been at it between our writes: branch, marker and file must agree when we leave. Somebody
        may have opened another one at the same moment, too: its number is near, and its head our commit.
        """
        git, branch = self._repository.git, self._proposal.target.proposal_branch
        branches, pulls = git.refs_and_pulls((branch,)) if may_be_two else (git.refs((branch,)), {})
        if pull.state is not PullState.OPEN or branches.get(branch) != commit:
            raise Moved
        if any(pulls.get(number) == commit for number in _near(pull.number)):
            self._check_that_it_is_one(pull)

    def _check_that_it_is_one(self, pull: PullRequest) -> None:
        listed = self._host.pulls_of(self._repository.name, pull.head)
        opened = [other for other in listed if other.state is PullState.OPEN and other.base == pull.base]
        if any(other.number != pull.number for other in opened):
            raise Moved


def _newest(seen: Seen) -> int:
    """The number of the newest that the branch had so far; 0: none."""
    return next((pull.number for pull in seen.pulls()), 0)


def _near(number: int) -> Sequence[int]:
    return [other for other in range(number - _NEAR, number + _NEAR + 1) if other != number]


def _stand_alike(seen: PullRequest, now: PullRequest) -> bool:
    """Whether nothing was changed that we would write, or that tells us not to."""
    return (seen.state, seen.base, seen.title, seen.body) == (now.state, now.base, now.title, now.body)
