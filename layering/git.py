"""git, as far as it is needed here: commits of a source, trees, and refs of a repository on this machine.

Thin and typed calls of the git program. Nothing of the user's or the machine's git configuration decides anything but
credentials and transport; no prompt is ever shown; URLs that carry credentials are not shown either. What a proposal is
is not known here (forge/local.py).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from layering.commands import Completed
from layering.commands import run as run_command
from layering.errors import ConflictError, InputError, LayerwatchError, NotFoundError, RefusedError, UnavailableError
from layering.reasons import Reason
from layering.secrets import redact

LOCAL_SECONDS = 60.0
REMOTE_SECONDS = 600.0
NO_OBJECT = "0" * 40
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "true",
    "GIT_OPTIONAL_LOCKS": "0",
    "LC_ALL": "C",
    "GIT_CONFIG_COUNT": "5",
    "GIT_CONFIG_KEY_0": "protocol.ext.allow",
    "GIT_CONFIG_VALUE_0": "never",
    "GIT_CONFIG_KEY_1": "core.quotePath",
    "GIT_CONFIG_VALUE_1": "false",
    "GIT_CONFIG_KEY_2": "safe.directory",
    "GIT_CONFIG_VALUE_2": "*",
    "GIT_CONFIG_KEY_3": "core.autocrlf",
    "GIT_CONFIG_VALUE_3": "false",
    "GIT_CONFIG_KEY_4": "commit.gpgSign",
    "GIT_CONFIG_VALUE_4": "false",
}
_TEMPORARY = re.compile(
    r"could not resolve host|connection (refused|timed out|reset)|failed to connect|early eof|the remote end hung up|"
    r"http.*\b5\d\d\b|returned error: (429|5\d\d)|operation timed out|network is unreachable",
    re.IGNORECASE,
)
_NOT_FOUND = re.compile(r"not found|does not exist|not appear to be a git repository|no such file", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """Who a commit is by, and when."""

    name: str
    email: str
    when: datetime

    def environment(self) -> Mapping[str, str]:
        """The variables that make git use it for author and committer."""
        date = f"{int(self.when.timestamp())} +0000"
        return {
            "GIT_AUTHOR_NAME": self.name,
            "GIT_AUTHOR_EMAIL": self.email,
            "GIT_AUTHOR_DATE": date,
            "GIT_COMMITTER_NAME": self.name,
            "GIT_COMMITTER_EMAIL": self.email,
            "GIT_COMMITTER_DATE": date,
        }


# Remote repositories


def resolve_commit(url: str, ref: str) -> str:
    """The commit that a branch, a tag (annotated ones are peeled) or HEAD of a repository names.

    A full commit id is taken as it is. Raises RefusedError (SourceRefused), NotFoundError, UnavailableError
    (SourceUnavailable); InputError when there is no such ref.
    """
    if _SHA.fullmatch(ref):
        return ref
    listed = _remote(["ls-remote", "--", url], url).stdout.decode("utf-8", "replace")
    lines = [line.partition("\t") for line in listed.splitlines()]
    refs = {name: commit for commit, _, name in lines if name}
    for name in (ref, f"refs/heads/{ref}", f"refs/tags/{ref}^{{}}", f"refs/tags/{ref}"):
        if name in refs:
            return refs[name]
    branches = sorted(name.removeprefix("refs/heads/") for name in refs if name.startswith("refs/heads/"))
    raise InputError(
        f"there is no branch or tag {ref!r}",
        where=redact(url),
        next_step=f"its branches are: {', '.join(branches[:10]) or 'none'}",
    )


def fetch_commit(url: str, commit: str, into: Path, *, blobs: bool = True) -> None:
    """Fetch one commit, without its history, into a new repository at `into`; without `blobs` only its trees.

    Servers that do not give out single commits are asked for all branches. Raises as resolve_commit.
    """
    into.mkdir(parents=True, exist_ok=True)
    _local(into, ["init", "--quiet"])
    url = str(Path(url).absolute()) if Path(url).exists() else url  # a path is relative to us, not to `into`
    narrow = [] if blobs else ["--filter=blob:none"]
    shallow = _git(into, ["fetch", "--quiet", "--depth=1", *narrow, "--", url, commit], REMOTE_SECONDS)
    if shallow.returncode != 0:
        _remote(
            ["fetch", "--quiet", "--", url, "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"],
            url,
            into,
        )
    if _git(into, ["cat-file", "-e", f"{commit}^{{commit}}"], LOCAL_SECONDS).returncode != 0:
        raise InputError(f"there is no commit {commit}", where=redact(url), reason=Reason.SOURCE_REFUSED)


def checkout(repository: Path, commit: str) -> None:
    """Put the files of `commit` into the working tree. Submodules stay empty."""
    _local(repository, ["checkout", "--quiet", "--detach", commit])


# Objects


def tree_id(repository: Path, commit: str, path: str) -> str:
    """git's id of the tree at `path` ("." is the root). Raises InputError when there is none."""
    return _object_id(repository, commit, path, "tree", "directory")


def blob_id(repository: Path, commit: str, path: str) -> str:
    """git's id of the file at `path`. Raises InputError when there is none."""
    return _object_id(repository, commit, path, "blob", "file")


def _object_id(repository: Path, commit: str, path: str, kind: str, word: str) -> str:
    name = f"{commit}:{'' if path == '.' else path}"
    found = _git(repository, ["rev-parse", "--verify", "--quiet", "--end-of-options", name], LOCAL_SECONDS)
    object_id = found.stdout.decode().strip()
    if found.returncode != 0 or _text(repository, ["cat-file", "-t", object_id]) != kind:
        raise InputError(f"there is no {word} {path!r} in commit {commit[:12]}", where="source")
    return object_id


def commit_time(repository: Path, commit: str) -> datetime:
    """When a commit was made (committer's date)."""
    return datetime.fromtimestamp(int(_text(repository, ["show", "-s", "--format=%ct", commit])), UTC)


def read_file(repository: Path, commit: str, path: str) -> bytes | None:
    """The bytes of a file in a commit, or None."""
    found = _git(repository, ["cat-file", "blob", f"{commit}:{path}"], LOCAL_SECONDS)
    return found.stdout if found.returncode == 0 else None


def head_of(repository: Path, ref: str) -> str | None:
    """The commit that a full ref name holds, or None."""
    found = _git(
        repository, ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"], LOCAL_SECONDS
    )
    return found.stdout.decode().strip() if found.returncode == 0 else None


def parents(repository: Path, commit: str) -> Sequence[str]:
    """The parents of a commit."""
    return _text(repository, ["show", "-s", "--format=%P", commit]).split()


def is_ancestor(repository: Path, commit: str, of: str) -> bool:
    """Whether `commit` is in the history of `of`."""
    return _git(repository, ["merge-base", "--is-ancestor", commit, of], LOCAL_SECONDS).returncode == 0


def changed_files(repository: Path, commit: str) -> list[str]:
    """The paths that differ between a commit and its parent."""
    return _text(repository, ["diff-tree", "-r", "--no-commit-id", "--name-only", commit]).splitlines()


def is_all_by_author(repository: Path, commit: str) -> bool:
    """Whether author and committer are the same, at the same time: nobody amended, rebased or picked it since."""
    author, committer = _text(repository, ["show", "-s", "--format=%an <%ae> %at%n%cn <%ce> %ct", commit]).splitlines()
    return author == committer


def ever_had(repository: Path, commits: str, path: str, text: str) -> bool:
    """Whether some commit of the range added or removed `text` in a file."""
    return bool(_text(repository, ["log", "-1", "--format=%H", "-S", text, commits, "--", path]))


def message(repository: Path, commit: str) -> str:
    """A commit's message."""
    return _text(repository, ["show", "-s", "--format=%B", commit])


def trailer(repository: Path, commit: str, name: str) -> str | None:
    """The value of a trailer in a commit's message, or None."""
    value = _text(repository, ["show", "-s", f"--format=%(trailers:key={name},valueonly)", commit])
    return value.splitlines()[0] if value else None


def note(repository: Path, commit: str, ref: str) -> str | None:
    """The note on a commit under `refs/notes/<ref>`, or None."""
    found = _git(repository, ["notes", f"--ref={ref}", "show", commit], LOCAL_SECONDS)
    return found.stdout.decode("utf-8", "replace") if found.returncode == 0 else None


# Writing into a repository on this machine


def is_repository(path: Path) -> bool:
    """Whether `path` is the top of a repository, bare or not."""
    found = _git(path, ["rev-parse", "--absolute-git-dir"], LOCAL_SECONDS) if path.is_dir() else None
    if found is None or found.returncode != 0:
        return False
    directory = Path(found.stdout.decode().strip()).resolve()
    return directory in (path.resolve(), (path / ".git").resolve()) or (path / ".git").is_file()


def commit_file(repository: Path, parent: str, path: str, content: bytes, text: str, by: Person) -> str:
    """A new commit on `parent` that only changes one file; no ref is moved. Its id."""
    blob = _text(repository, ["hash-object", "-w", "--stdin"], stdin=content)
    tree = _tree_with(repository, f"{parent}^{{tree}}", path.split("/"), blob)
    return _text(repository, ["commit-tree", tree, "-p", parent, "-F", "-"], stdin=text.encode(), env=by.environment())


def _tree_with(repository: Path, tree: str | None, path: Sequence[str], blob: str) -> str:
    """`tree` with one file replaced or added, made from the inside out; modes stay."""
    listed = _git(repository, ["ls-tree", "-z", tree], LOCAL_SECONDS).stdout if tree else b""
    entries: dict[bytes, tuple[bytes, bytes, bytes]] = {}
    for line in filter(None, listed.split(b"\0")):
        facts, _, name = line.partition(b"\t")
        mode, kind, object_id = facts.split(b" ")
        entries[name] = (mode, kind, object_id)
    name = path[0].encode()
    mode, kind, object_id = entries.get(name, (b"", b"", b""))
    if len(path) == 1:
        entries[name] = (mode if kind == b"blob" and mode != b"120000" else b"100644", b"blob", blob.encode())
    else:
        inner = _tree_with(repository, object_id.decode() if kind == b"tree" else None, path[1:], blob)
        entries[name] = (b"040000", b"tree", inner.encode())
    lines = b"".join(b"%s %s %s\t%s\0" % (*facts, entry) for entry, facts in entries.items())
    return _text(repository, ["mktree", "-z"], stdin=lines)


def move_refs(repository: Path, moves: Sequence[tuple[str, str, str]]) -> None:
    """Move all of (ref, new, expected old) or none: one transaction. `NO_OBJECT` as the old value means "is not there".

    Raises ConflictError when a ref does not have its expected value.
    """
    lines = ["start", *(f"update {ref} {new} {old}" for ref, new, old in moves), "prepare", "commit", ""]
    done = _git(repository, ["update-ref", "--stdin"], LOCAL_SECONDS, stdin="\n".join(lines).encode())
    if done.returncode != 0:
        raise ConflictError(
            f"somebody else moved the branch: {_first_line(done)}",
            where=str(repository),
            next_step="look at the branch; the next tick starts from what it finds",
        )


def checked_out_at(repository: Path, branch: str) -> str | None:
    """The working tree that has `branch` (a short name) checked out, or None."""
    listed = _text(repository, ["worktree", "list", "--porcelain"])
    current = ""
    for line in listed.splitlines():
        if line.startswith("worktree "):
            current = line.removeprefix("worktree ")
        elif line == f"branch refs/heads/{branch}":
            return current
    return None


# Running git


def run_git(repository: Path | None, arguments: Sequence[str], env: Mapping[str, str] | None = None) -> str:
    """Any git command that must succeed; its output. Raises RefusedError when it does not."""
    done = _git(repository, arguments, LOCAL_SECONDS, env=env)
    if done.returncode != 0:
        raise RefusedError(f"git {arguments[0]}: {_first_line(done)}", reason=Reason.FORGE_REFUSED)
    return done.stdout.decode("utf-8", "replace")


def _git(
    repository: Path | None,
    arguments: Sequence[str],
    timeout_seconds: float,
    *,
    stdin: bytes | None = None,
    env: Mapping[str, str] | None = None,
) -> Completed:
    where = ["-C", str(repository)] if repository is not None else []
    return run_command(
        ["git", *where, *arguments], stdin=stdin, env={**_ENVIRONMENT, **(env or {})}, timeout_seconds=timeout_seconds
    )


def _local(repository: Path, arguments: Sequence[str]) -> None:
    run_git(repository, arguments)


def _text(
    repository: Path, arguments: Sequence[str], *, stdin: bytes | None = None, env: Mapping[str, str] | None = None
) -> str:
    done = _git(repository, arguments, LOCAL_SECONDS, stdin=stdin, env=env)
    if done.returncode != 0:
        raise RefusedError(
            f"git {arguments[0]}: {_first_line(done)}", where=str(repository), reason=Reason.FORGE_REFUSED
        )
    return done.stdout.decode("utf-8", "replace").strip()


def _remote(arguments: Sequence[str], url: str, repository: Path | None = None) -> Completed:
    done = _git(repository, arguments, REMOTE_SECONDS)
    if done.returncode != 0:
        raise _remote_error(done, url)
    return done


def _remote_error(done: Completed, url: str) -> LayerwatchError:
    where, text = redact(url), _first_line(done)
    if _TEMPORARY.search(done.message):
        return UnavailableError(text, where=where, next_step="try again later", reason=Reason.SOURCE_UNAVAILABLE)
    if _NOT_FOUND.search(done.message):
        return NotFoundError(
            text, where=where, next_step="see whether the address is right", reason=Reason.SOURCE_REFUSED
        )
    return RefusedError(
        text, where=where, next_step="see whether git can read it from this machine", reason=Reason.SOURCE_REFUSED
    )


def _first_line(done: Completed) -> str:
    """What git said is wrong, without the hints that follow."""
    lines = [line for line in done.message.splitlines() if line.startswith(("fatal:", "error:"))] or [done.message]
    return lines[0].removeprefix("fatal: ").removeprefix("error: ")[:300]
