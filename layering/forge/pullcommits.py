"""Which pull requests have a commit that says something in its trailer: of all that git has, fetched without a tree.

Of each the newest commits are looked at, so that one that a person pushed to is found by ours below. What was merged is
below much that was begun since, too: a commit belongs to those in which it is nearest to the head.
"""

import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from pathlib import Path

from layering.forge.githttp import REMOTE, CommitGoneError, GitHttp
from layering.git import begin_repository, run_git
from layering.gitrepository import GitRepository

_DEPTH = 5  # commits of each
_FETCH_SECONDS = 600.0
_PULLS = "refs/pull/*/head"


def pulls_by_trailer(http: GitHttp, into: Path, tip: str, trailer: str) -> Mapping[str, Collection[int]] | None:
    """The numbers by the trailer's value. None when the server cannot leave out trees (git-rev-list(1), `tree:0`): it
    would send the files of all pull requests. `into` is made and taken away; `tip` is a commit that a branch has.

    Raises what GitHttp makes of a failure.
    """
    begin_repository(into, tip, bare=True)
    try:
        if not _fetch(http, into, tip, depth=1) or _has_a_tree(into):
            return None
        if not _fetch(http, into, tip, f"+{_PULLS}:{_PULLS}", depth=_DEPTH):
            return None
        return _numbers(into, trailer)
    finally:
        shutil.rmtree(into, ignore_errors=True)


def _fetch(http: GitHttp, into: Path, *refspecs: str, depth: int) -> bool:
    """False when a commit was gone meanwhile."""
    flags = ["--quiet", "--no-tags", "--no-write-fetch-head", f"--depth={depth}", "--filter=tree:0"]
    done = http.read(into, ["fetch", *flags, "--", REMOTE, *refspecs], _FETCH_SECONDS)
    failure = None if done.succeeded else http.failure(done)
    if failure is not None and not isinstance(failure, CommitGoneError):
        raise failure
    return failure is None


def _has_a_tree(at: Path) -> bool:
    kinds = run_git(at, ["cat-file", "--batch-all-objects", "--batch-check=%(objecttype)"])
    return "tree" in kinds.split()


def _numbers(at: Path, trailer: str) -> Mapping[str, Collection[int]]:
    values, parents = {}, {}
    told = f"%H%x00%P%x00%(trailers:key={trailer},valueonly,separator=%x2C)"
    for line in run_git(at, ["log", "--all", f"--format={told}"]).splitlines():
        commit, above, said = line.split("\0")
        parents[commit] = above.split()
        values[commit] = [value for value in said.split(",") if value]
    refs = GitRepository(path=at).refs(["refs/pull"])
    heads = {int(ref.split("/")[2]): commit for ref, commit in refs.items()}
    found: dict[str, set[int]] = {}
    for commit, numbers in _nearest(heads, parents, {commit for commit, said in values.items() if said}).items():
        for value in values[commit]:
            found.setdefault(value, set()).update(numbers)
    return found


def _nearest(
    heads: Mapping[int, str], parents: Mapping[str, Sequence[str]], among: Set[str]
) -> Mapping[str, Collection[int]]:
    """By commit, the pull requests in which it is nearest to the head."""
    found: dict[str, dict[int, set[int]]] = {}
    for number, head in heads.items():
        for distance, level in enumerate(_levels(head, parents)):
            for commit in level & among:
                found.setdefault(commit, {}).setdefault(distance, set()).add(number)
    return {commit: by_distance[min(by_distance)] for commit, by_distance in found.items()}


def _levels(head: str, parents: Mapping[str, Sequence[str]]) -> Iterator[set[str]]:
    """The commit, its parents, theirs, and so on, as far as they were fetched."""
    level = {head}
    for _ in range(_DEPTH):
        yield level
        level = {above for commit in level for above in parents.get(commit, ())}
