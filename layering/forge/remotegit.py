"""git over HTTP to a forge's repository: its refs, the files of a commit, one commit of ours pushed with a lease.

Content goes by git, pull requests by the forge's API. Nothing but `refs/heads/<branch>` is ever written. Of a
repository, however large, one commit's trees are fetched, and of its files only those that are asked for; what is
fetched later is the difference. How git reaches it, and as whom, is in githttp.py.
"""

import re
import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Self

from layering.commands import Completed
from layering.errors import ConflictError, InputError, LayerwatchError, RefusedError, UnavailableError
from layering.forge.forge import Author
from layering.forge.githttp import REMOTE, CommitGoneError, GitHttp, Spoken, says_no
from layering.forge.limit import Limit
from layering.forge.patience import Patience
from layering.forge.pullcommits import PULL, PullCommits, fetch_pull_commits
from layering.forge.settings import Login
from layering.forge.treechange import TreeChange
from layering.git import begin_repository
from layering.gitrepository import Commit, GitRepository, signature
from layering.reasons import Reason

_LOOK_SECONDS = 120.0
_FETCH_SECONDS = 600.0
_PUSH_SECONDS = 300.0
_SILENCE_SECONDS = 60
_FETCHES_MAX = 1000
_HEADS = "refs/heads/"
_LAST = "refs/layerwatch/last"  # keeps what was fetched last, so that git can tell the server what we have

# With these git may leave files out, and fetches them when they are read (git's partial-clone.txt). They are set for
# the commands that may ask the server; for all others what is not here is an error and no request.
_IN_PART = ((f"remote.{REMOTE}.promisor", "true"), (f"remote.{REMOTE}.partialCloneFilter", "blob:none"))
_NEGOTIATE = (("push.negotiate", "true"),)
_LEASE_LOST = "[rejected] (stale info)"
_PARENT_GONE = "shallow update not allowed"  # the base branch was written anew since
_PARENT_UNKNOWN = re.compile(r"(?:fatal|error): [^\n]*\b[0-9a-f]{40}(?:[0-9a-f]{24})?\b")

MadeThere = tuple[str, tuple[str, ...]]
"""A commit that a forge made, and lines for people about it."""


class RemoteGit:
    """One repository behind a URL, with what was fetched of it kept in a temporary directory until `close`.

    Safe to use from threads. Every method raises RefusedError (ForgeRefused: login, protected branch, hook),
    NotFoundError, UnavailableError (ForgeUnreachable): a server that fails for now is waited for while `pause` allows.
    """

    def __init__(
        self,
        url: str,
        *,
        login: Callable[[], Login | None] = lambda: None,
        refused: Callable[[], bool] = lambda: False,
        pause: Callable[[], bool] = lambda: False,
        limit: Limit | None = None,
        ca_file: Path | None = None,
        insecure: bool = False,
        silence_seconds: int = _SILENCE_SECONDS,
        fetches_max: int = _FETCHES_MAX,
    ) -> None:
        """`login` is asked before each command; `refused` is told that it was refused, and whether there is another.

        `pause` waits before another try, and is False, at once, when there is no time for one (see Patience.back_off).
        `limit`: what the server said of its next request, shared by all that speak to it.
        Without a login git's own helpers are asked. `ca_file`: PEM certificates trusted besides the system's.
        `insecure`: plain http to others than loopback. After `silence_seconds` without a byte a server is given up.
        After `fetches_max` it begins anew, because what was fetched is never taken away one by one.
        Raises InputError for a URL or a `ca_file` that cannot be.
        """
        self._directory = Path(tempfile.mkdtemp(prefix="layerwatch-git-"))
        self._end = weakref.finalize(self, shutil.rmtree, self._directory, ignore_errors=True)
        try:
            self._http = GitHttp(
                url,
                self._directory,
                login=login,
                refused=refused,
                ca_file=ca_file,
                insecure=insecure,
                silence_seconds=silence_seconds,
                pause=pause,
                limit=limit or Limit(Patience(0.0)),
            )
        except InputError:
            self.close()
            raise
        self._guard = threading.RLock()
        self._repository: GitRepository | None = None
        self._depths: dict[str, int] = {}
        self._unpushed: set[str] = set()
        self._fetches = 0
        self._fetches_max = fetches_max

    def refs(self, branches: Sequence[str]) -> Mapping[str, str]:
        """The commits of those branches (short names; one ending in `/*` for all below) that are there. 2 requests."""
        return _branches(self._listed("--heads", [f"{_HEADS}{branch}" for branch in branches]), branches)

    def refs_and_pulls(self, branches: Sequence[str]) -> tuple[Mapping[str, str], Mapping[int, str]]:
        """As `refs`, and the commit of each pull request, by its number, where the forge keeps refs/pull/N/head.

        2 requests; the answer has all refs of the repository, because git asks for less of branches and tags only.
        """
        listed = self._listed("--refs", [*(f"{_HEADS}{branch}" for branch in branches), "refs/pull/*/head"])
        numbered = ((PULL.fullmatch(ref), commit) for ref, commit in listed.items())
        return _branches(listed, branches), {int(ref[1]): commit for ref, commit in numbered if ref is not None}

    def _listed(self, flag: str, patterns: Sequence[str]) -> Mapping[str, str]:
        """The commits of the refs that match, by their full names. `flag` is what the server is asked for."""
        listed = self._http.read(self._directory, ["ls-remote", flag, "--", self._http.url, *patterns], _LOOK_SECONDS)
        if not listed.succeeded:
            raise self._http.failure(listed)
        lines = (line.split("\t", 1) for line in listed.stdout.decode("utf-8", "replace").splitlines() if "\t" in line)
        return {ref: commit for commit, ref in lines}

    def pull_commits(self, tip: str, name: str) -> PullCommits | None:
        """See fetch_pull_commits. Up to 6 requests."""
        return fetch_pull_commits(self._http, self._directory, tip, name)

    def file(self, commit: str, path: str) -> bytes | None:
        """A file of a commit, fetched without history and other files' bytes. Raises InputError when it is a link."""
        with self._guard:
            here = self._with(commit, depth=1)
            blob = here.file_id(commit, path)
            if blob is None:
                return None
            read = self._http.read(here.path, ["cat-file", "blob", blob], _FETCH_SECONDS, _IN_PART)
        if not read.succeeded:
            raise self._http.failure(read)
        return read.stdout

    def commit(self, commit: str) -> Commit:
        """A commit's facts."""
        with self._guard:
            return self._with(commit, depth=2).commit(commit)  # who asks for it asks for its changed_files

    def changed_files(self, commit: str) -> Sequence[str]:
        """The paths that differ between a commit and its parent; none of a commit that has several."""
        with self._guard:
            return self._with(commit, depth=2).changed_files(commit)

    def add_commit(self, parent: str, files: Mapping[str, bytes], message: str, by: Author, when: datetime) -> str:
        """Make a commit here, not there: `parent` with these files replaced or added. Its id.

        Raises InputError when something else than a file stands at a path, or a file where a directory should be.
        """
        with self._guard:
            here = self._with(parent, depth=1)
            made = here.add_commit(parent, files, message, signature(by.name, by.email, when))
            self._depths[made] = 2
            self._unpushed.add(made)
            return made

    def made_there(
        self, commit: str, parent: str, files: Mapping[str, bytes], make: Callable[[TreeChange], MadeThere]
    ) -> MadeThere:
        """Have the forge make what `add_commit` made of these, and fetch that, to be pushed in its place. No branch has
        it yet, and yet it may be asked for (gitprotocol-v2(5): wants are not limited to advertised objects).
        """
        try:
            made, told = make(self._tree_change(commit, parent, files))
            while not self._has(made):
                continue
            return made, told
        finally:
            self._unpushed.discard(commit)

    def _has(self, made: str) -> bool:
        """Whether it is here, to be pushed. The server's git may learn of it a moment later than its API."""
        with self._guard:
            try:
                self._with(made, depth=2)  # a push whose last commit has no parent here is refused
            except CommitGoneError:
                if not self._http.pause():
                    raise
                return False
            self._unpushed.add(made)
            return True

    def _tree_change(self, commit: str, parent: str, files: Mapping[str, bytes]) -> TreeChange:
        with self._guard:
            here = self._with(commit, depth=2)
            return TreeChange(
                parent=parent,
                before=here.tree(parent),
                after=here.tree(commit),
                files=files,
                modes=here.changed_modes(commit),
            )

    def push(self, commit: str, branch: str, old: str | None) -> bool:
        """Move the branch to `commit` when it still holds `old` (None: is not there). False when it does not.

        Raises ConflictError when another branch's name leaves no room for this one.
        """
        with self._guard:
            here = self._with(commit, depth=1)
        try:
            while (moved := self._pushed(here.path, commit, branch, old)) is None:
                continue
            return moved
        finally:
            self._unpushed.discard(commit)

    def _pushed(self, at: Path, commit: str, branch: str, old: str | None) -> bool | None:
        """See `push`; None when nothing was done, and it may be tried again."""
        try:
            done = self._push(at, commit, branch, old)
        except UnavailableError as error:
            return self._look(commit, branch, old, error)
        if done.succeeded:
            return True
        status = _status(done)
        if _LEASE_LOST in status or _PARENT_GONE in status:
            return False
        if status:
            return self._look(commit, branch, old, self._refusal(done, status))
        failure = self._http.failure(done)
        if isinstance(failure, RefusedError):
            raise failure
        return self._look(commit, branch, old, failure)

    def _push(self, at: Path, commit: str, branch: str, old: str | None) -> Spoken:
        """Once more, with two requests more, when the base branch moved since it was fetched.

        git leaves out what it knows that the server has: what its refs hold. The parent is below such a ref now, which
        only the server can tell.
        """
        ref = f"{_HEADS}{branch}"
        lease = f"--force-with-lease={ref}:{old or ''}"
        flags = ["--porcelain", "--no-verify", "--no-signed", "--no-follow-tags", "--recurse-submodules=no"]
        arguments = ["push", *flags, lease, "--", self._http.url, f"{commit}:{ref}"]
        done = self._http.run(at, arguments, _PUSH_SECONDS)
        if done.succeeded or _status(done) or not _PARENT_UNKNOWN.search(done.message):
            return done
        return self._http.run(at, arguments, _PUSH_SECONDS, _NEGOTIATE)

    def _look(self, commit: str, branch: str, old: str | None, failure: LayerwatchError) -> bool | None:
        """What became of a push that was answered with a no, or not at all; None as in `_pushed`."""
        parts = branch.split("/")
        above = ["/".join(parts[:length]) for length in range(1, len(parts))]
        found = self.refs([branch, f"{branch}/*", *above])
        if found.get(branch) == commit:
            return True
        if found.get(branch) != old:
            return False
        if isinstance(failure, RefusedError) and (in_the_way := sorted(set(found) - {branch})):
            raise ConflictError(
                f"branch {in_the_way[0]} has a name that leaves no room for {branch}",
                where=self._http.url,
                next_step=f"rename or delete branch {in_the_way[0]}",
                reason=Reason.FORGE_REFUSED,
            )
        if isinstance(failure, UnavailableError) and self._http.pause():
            return None
        raise failure

    def _refusal(self, done: Completed, status: str) -> RefusedError:
        return RefusedError(
            f"the push was refused: {says_no(done) or status}",
            where=self._http.url,
            next_step="allow the token's account to push branches below layerwatch/, or change what refuses them",
            reason=Reason.FORGE_REFUSED,
        )

    def _with(self, commit: str, *, depth: int) -> GitRepository:
        """What is here, after fetching the commit and its trees, or its parent's too, when they are not."""
        if self._repository is None or (self._fetches >= self._fetches_max and not self._unpushed):
            self._repository = self._begin(commit)
        if self._depths.get(commit, 0) < depth:
            flags = ["--quiet", "--no-tags", "--no-write-fetch-head", f"--depth={depth}", "--filter=blob:none"]
            arguments = ["fetch", *flags, "--", REMOTE, f"+{commit}:{_LAST}"]
            done = self._http.read(self._repository.path, arguments, _FETCH_SECONDS, _IN_PART)
            if not done.succeeded:
                raise self._http.failure(done)
            self._fetches += 1
            self._depths[commit] = depth
        return self._repository

    def _begin(self, commit: str) -> GitRepository:
        path = self._directory / "fetched.git"
        shutil.rmtree(path, ignore_errors=True)
        begin_repository(path, commit, bare=True)
        self._depths.clear()
        self._fetches = 0
        return GitRepository(path=path)

    def close(self) -> None:
        """Take away what was fetched."""
        self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def _branches(refs: Mapping[str, str], patterns: Sequence[str]) -> Mapping[str, str]:
    """By their short names, without those that git listed because it takes a pattern for the end of a name."""
    heads = {ref.removeprefix(_HEADS): commit for ref, commit in refs.items() if ref.startswith(_HEADS)}
    return {name: commit for name, commit in heads.items() if any(_is_meant(name, each) for each in patterns)}


def _is_meant(name: str, pattern: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("/*") else name == pattern


def _status(done: Completed) -> str:
    """What became of the ref (git-push(1), `--porcelain`); empty when nothing did."""
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    return next((line.split("\t", 2)[2] for line in lines if line.startswith("!\t") and line.count("\t") > 1), "")
