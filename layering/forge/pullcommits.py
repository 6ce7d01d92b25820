"""The newest commits of all pull requests, as git has them: which pull requests have a commit of ours.

They are fetched at once and without a tree. A line of a commit's message says what it is about; that anybody can write
such a line is the caller's to mind. Commits are read as they are stored: no configuration decides what is found.
"""

import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from layering.errors import NotFoundError, RefusedError
from layering.forge.githttp import REMOTE, CommitGoneError, GitHttp
from layering.git import begin_repository, git
from layering.gitrepository import GitRepository

PULL = re.compile(r"refs/pull/([1-9]\d{0,17})/head", re.ASCII)
_PULLS = "refs/pull/*/head"
_DEPTH = 20  # commits of each pull request
_BASE_DEPTH = 1000  # of the base branch
_FEW = 2  # pull requests that have a commit
_FETCH_SECONDS = 600.0
_OBJECT = re.compile(rb"([0-9a-f]+) (\w+) (\d+)\n")
_PARENT = re.compile(rb"^parent ([0-9a-f]+)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True, slots=True)
class PullCommits:
    """`heads`: the numbers of pull requests by the commit at their head. `lines`: those by what a line of a commit's
    message says, of one at their head or below what was pushed since.
    """

    heads: Mapping[str, Set[int]]
    lines: Mapping[str, Set[int]]

    def with_head(self, commit: str) -> Set[int]:
        """Those with this commit at their head."""
        return self.heads.get(commit, frozenset())

    def with_line(self, line: str) -> Set[int]:
        """Those that have a commit of which that is said."""
        return self.lines.get(line, frozenset())


def fetch_pull_commits(http: GitHttp, directory: Path, tip: str, name: str) -> PullCommits | None:
    """`lines` are by the values of `NAME: WORD WORD`; `tip` is the base branch's commit. None when git cannot tell: a
    server that leaves out no trees (git-rev-list(1), `tree:0`) would send all files, and others refuse, or hide these
    refs. A directory is made in `directory`, and taken away. Raises UnavailableError.
    """
    into = Path(tempfile.mkdtemp(prefix="pulls-", dir=directory))
    try:
        begin_repository(into, tip, bare=True)
        is_fetched = (
            _fetch(http, into, tip, depth=1)
            and not any(kind == b"tree" for _, kind, _ in _objects(into))
            and _fetch(http, into, tip, depth=_BASE_DEPTH)
            and _fetch(http, into, f"+{_PULLS}:{_PULLS}", depth=_DEPTH)
        )
        return _read(into, tip, name) if is_fetched else None
    finally:
        shutil.rmtree(into, ignore_errors=True)


def _fetch(http: GitHttp, into: Path, refspec: str, *, depth: int) -> bool:
    """False when the server does not give it: what is wrong with a login is told by whatever is asked next."""
    flags = ["--quiet", "--no-tags", "--no-write-fetch-head", f"--depth={depth}", "--filter=tree:0"]
    done = http.read(into, ["fetch", *flags, "--", REMOTE, refspec], _FETCH_SECONDS)
    failure = None if done.succeeded else http.failure(done)
    if failure is not None and not isinstance(failure, RefusedError | NotFoundError | CommitGoneError):
        raise failure
    return failure is None


def _read(at: Path, tip: str, name: str) -> PullCommits | None:
    pattern = re.compile(rf"^{re.escape(name)}: (\S+ \S+)[^\S\n]*$".encode(), re.MULTILINE)
    parents: dict[str, list[str]] = {}
    said: dict[str, set[str]] = {}
    for commit, kind, content in _objects(at):
        header, _, message = content.partition(b"\n\n")
        parents[commit] = [each.decode() for each in _PARENT.findall(header)] if kind == b"commit" else []
        for line in pattern.findall(message):
            said.setdefault(line.decode("utf-8", "replace"), set()).add(commit)
    heads: dict[str, set[int]] = {}
    for ref, commit in GitRepository(path=at).refs(["refs/pull"]).items():
        if (found := PULL.fullmatch(ref)) is not None:
            heads.setdefault(commit, set()).add(int(found[1]))
    history = _History(tip, parents, heads)
    having = {commit: history.having(commit) for commit in set[str]().union(*said.values())}
    lines = {line: set[int]().union(*map(having.__getitem__, commits)) for line, commits in said.items()}
    return PullCommits(heads=heads, lines=lines) if heads else None


class _History:
    """The commits that were fetched, to be followed from one to those above it."""

    def __init__(self, tip: str, parents: Mapping[str, Sequence[str]], heads: Mapping[str, Set[int]]) -> None:
        self._heads = heads
        self._base = _below(tip, parents)
        self._children: dict[str, list[str]] = {}
        self._heirs: dict[str, list[str]] = {}  # for which it is the first parent
        for commit, above in parents.items():
            for parent in above:
                self._children.setdefault(parent, []).append(commit)
            for parent in above[:1]:
                self._heirs.setdefault(parent, []).append(commit)

    def having(self, commit: str) -> Set[int]:
        """The pull requests that have this commit of ours.

        What was merged is below all that was begun since, or that took the base branch in, by a merge's second parent.
        Where many have it all the same, the first is taken that was merged, or else the first: nobody can have it
        before we pushed it.
        """
        is_merged = commit in self._base
        above = self._above(commit, self._heirs if is_merged else self._children)
        found = self._numbers(above)
        if len(found) > _FEW:
            found = {min((self._numbers(above & self._base) if is_merged else found) or found)}
        return found | self._heads.get(commit, frozenset())

    def _numbers(self, commits: Set[str]) -> Set[int]:
        return {number for commit in commits for number in self._heads.get(commit, ())}

    def _above(self, commit: str, children: Mapping[str, Sequence[str]]) -> Set[str]:
        """The commit, its children, theirs, and so on."""
        found, level = set[str](), {commit}
        for _ in range(_DEPTH):
            found |= level
            level = {child for each in level for child in children.get(each, ())} - found
        return found


def _objects(at: Path) -> Iterator[tuple[str, bytes, bytes]]:
    """Id, kind and content of all that is here (git-cat-file(1), `--batch`)."""
    listed = git(at, ["cat-file", "--batch-all-objects", "--batch", "--unordered"], _FETCH_SECONDS).stdout
    position = 0
    while (found := _OBJECT.match(listed, position)) is not None:
        end = found.end() + int(found[3])
        yield found[1].decode(), found[2], listed[found.end() : end]
        position = end + 1


def _below(tip: str, parents: Mapping[str, Sequence[str]]) -> Set[str]:
    """A commit and all below it that are here."""
    seen, todo = set[str](), [tip]
    while todo:
        if (commit := todo.pop()) not in seen:
            seen.add(commit)
            todo += parents.get(commit, ())
    return seen
