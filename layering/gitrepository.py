"""One git repository on this machine that people use too: read its refs and commits, add a commit, move refs.

Everything is git's plumbing: no working tree, index or HEAD is touched, no hook runs, and refs move all together or not
at all. What the commits and refs mean is not known here (forge/local.py).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from layering.commands import Completed
from layering.errors import ConflictError, InputError, LayerwatchError, RefusedError, UnavailableError
from layering.git import complaint, git, run_git
from layering.reasons import Reason

_PERSON = re.compile(r"(?P<name>.*?) ?<(?P<email>[^>]*)> (?P<seconds>-?\d+) [+-]\d+")
_TRAILER = re.compile(r"(?P<name>[A-Za-z0-9-]+): (?P<value>\S.*)")
_MOVED = re.compile(
    r"is at [0-9a-f]+ but expected|reference already exists|unable to resolve reference|reference is mis"
)
_IN_THE_WAY = re.compile(r"'(?P<there>refs/[^']+)' exists; cannot create")
_LOCKED = re.compile(r"Unable to create '(?P<lock>[^']+\.lock)': File exists")
_LINK, _FILE, _TREE = b"120000", b"100644", b"040000"


@dataclass(frozen=True, kw_only=True, slots=True)
class Signature:
    """Who made something of a commit, and when, in seconds since 1970."""

    name: str
    email: str
    seconds: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Commit:
    """A commit. `subject` is its message's first line, `trailers` are the names and values in its last paragraph."""

    id: str
    parents: tuple[str, ...]
    author: Signature
    committer: Signature
    subject: str
    trailers: tuple[tuple[str, str], ...]

    def trailer(self, name: str) -> str | None:
        """The value of the last of that name."""
        return dict(self.trailers).get(name)


@dataclass(frozen=True, kw_only=True, slots=True)
class Move:
    """A ref (its full name), what it shall hold, and what it must hold until then; None is "is not there"."""

    ref: str
    new: str
    old: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class GitRepository:
    """The repository at `path`, bare or not. Every method raises RefusedError (ForgeRefused) when git cannot do it."""

    path: Path

    def is_there(self) -> bool:
        """Whether `path` looks like the top of a repository (git's setup.c, `is_git_directory`). Starts no process."""
        return (self.path / ".git").exists() or all((self.path / name).exists() for name in ("HEAD", "objects", "refs"))

    def refs(self, names: Sequence[str]) -> Mapping[str, str]:
        """What those of the full ref names hold that are there, and the refs below them (`refs/heads/a` is a's)."""
        listed = self._run(["for-each-ref", "--format=%(objectname) %(refname)", "--", *names])
        return {name: held for held, _, name in (line.partition(" ") for line in listed.splitlines())}

    def commit(self, commit: str) -> Commit:
        """A commit's facts (git-cat-file(1); the format is that of `git hash-object -t commit`)."""
        header, _, message = self._run(["cat-file", "commit", commit]).partition("\n\n")
        fields = [(name, value) for name, _, value in (line.partition(" ") for line in header.split("\n"))]
        return Commit(
            id=commit,
            parents=tuple(value for name, value in fields if name == "parent"),
            author=_signature(dict(fields)["author"]),
            committer=_signature(dict(fields)["committer"]),
            subject=message.partition("\n")[0],
            trailers=_trailers(message),
        )

    def file(self, commit: str, path: str) -> bytes | None:
        """The bytes of a file in a commit, or None."""
        found = self._git(["cat-file", "blob", f"{commit}:{path}"])
        return found.stdout if found.succeeded else None

    def file_id(self, commit: str, path: str) -> str | None:
        """git's id of a file in a commit, or None; its bytes are not looked at. Raises InputError when it is a link."""
        mode, kind, found = self._tree([commit, path]).get(path.encode(), (b"", b"", b""))
        if mode == _LINK:
            raise InputError(f"{path.rpartition('/')[2]!r} is a link there", where=path)
        return found.decode() if kind == b"blob" else None

    def is_ancestor(self, commit: str, of: str) -> bool:
        """Whether `commit` is in the history of `of`."""
        return self._git(["merge-base", "--is-ancestor", commit, of]).succeeded

    def changed_files(self, commit: str) -> list[str]:
        """The paths that differ between a commit and its parent."""
        return self._run(["diff-tree", "-r", "-z", "--no-commit-id", "--name-only", commit]).split("\0")[:-1]

    def changed_modes(self, commit: str) -> Mapping[str, str]:
        """The mode, git's six digits, of each file that differs between a commit and its parent."""
        listed = self._run(["diff-tree", "-r", "-z", "--no-commit-id", "--raw", commit]).split("\0")[:-1]
        return {path: facts.split()[1] for facts, path in zip(listed[::2], listed[1::2], strict=True)}

    def tree(self, commit: str) -> str:
        """git's id of a commit's tree."""
        return self._run(["rev-parse", "--verify", f"{commit}^{{tree}}"]).strip()

    def ever_had(self, commits: str, path: str, text: str) -> bool:
        """Whether some commit of the range added or removed `text` in a file."""
        return bool(self._run(["log", "-1", "--format=%H", "-S", text, commits, "--", path]))

    def note(self, commit: str, ref: str) -> str:
        """The note on a commit under `refs/notes/<ref>`; empty when there is none."""
        found = self._git(["notes", f"--ref={ref}", "show", commit])
        return found.stdout.decode("utf-8", "replace") if found.succeeded else ""

    def checked_out_at(self, branch: str) -> str | None:
        """The working tree that has a branch (its full ref name) checked out, or None."""
        current = ""
        for line in self._run(["worktree", "list", "--porcelain"]).splitlines():
            if line.startswith("worktree "):
                current = line.removeprefix("worktree ")
            elif line == f"branch {branch}":
                return current
        return None

    def add_commit(self, parent: str, files: Mapping[str, bytes], message: str, by: Signature) -> str:
        """A new commit on `parent` that sets these files' bytes and changes nothing else; no ref is moved. Its id.

        Raises InputError when something else than a file stands at a path, or a file where a directory should be.
        """
        tree = f"{parent}^{{tree}}"
        for path, content in files.items():
            blob = self._run(["hash-object", "-w", "--stdin"], stdin=content)
            tree = self._tree_with(tree, path.split("/"), blob.strip(), path)
        made = self._run(["commit-tree", tree, "-p", parent, "-F", "-"], stdin=message.encode(), env=_environment(by))
        return made.strip()

    def _tree_with(self, tree: str | None, parts: Sequence[str], blob: str, path: str) -> str:
        """`tree` with one file replaced or added, made from the inside out; modes stay."""
        entries = self._tree([tree]) if tree else {}
        name = parts[0].encode()
        mode, kind, found = entries.get(name, (b"", b"", b""))
        wanted = b"blob" if len(parts) == 1 else b"tree"
        if found and (kind != wanted or mode == _LINK):
            raise InputError(
                f"{name.decode()!r} in it is {'a link' if mode == _LINK else f'a {kind.decode()}'} there", where=path
            )
        if len(parts) == 1:
            entries[name] = (mode or _FILE, wanted, blob.encode())
        else:
            inner = self._tree_with(found.decode() or None, parts[1:], blob, path)
            entries[name] = (_TREE, wanted, inner.encode())
        lines = b"".join(b"%s %s %s\t%s\0" % (*facts, entry) for entry, facts in entries.items())
        # What the tree had stays without being looked at: of a repository fetched in part it may not be here.
        return self._run(["mktree", "-z", "--missing"], stdin=lines).strip()

    def _tree(self, of: Sequence[str]) -> dict[bytes, tuple[bytes, bytes, bytes]]:
        """Mode, kind and id by name: of all in a tree, or of one path in a commit."""
        listed = self._git(["ls-tree", "-z", "--full-tree", *of])
        if not listed.succeeded:
            raise RefusedError(f"git ls-tree: {complaint(listed)}", where=str(self.path), reason=Reason.FORGE_REFUSED)
        return _entries(listed.stdout)

    def move(self, moves: Iterable[Move]) -> bool:
        """Move all refs or none, in this order. False when one did not hold what it must: somebody was quicker.

        Raises ConflictError when another ref's name is in the way, UnavailableError when another git holds a lock.
        """
        verbs = (
            f"update {move.ref} {move.new} {move.old}" if move.old else f"create {move.ref} {move.new}"
            for move in moves
        )
        lines = ["start", *verbs, "prepare", "commit", ""]
        done = self._git(["update-ref", "--no-deref", "--stdin"], stdin="\n".join(lines).encode())
        if not done.succeeded and not _MOVED.search(done.message):
            raise self._cannot_move(done)
        return done.succeeded

    def _cannot_move(self, done: Completed) -> LayerwatchError:
        where = str(self.path)
        if (found := _IN_THE_WAY.search(done.message)) is not None:
            return ConflictError(
                f"{found['there']} has a name that leaves no room for ours",
                where=where,
                next_step="rename or delete that branch",
                reason=Reason.FORGE_REFUSED,
            )
        if (found := _LOCKED.search(done.message)) is not None:
            return UnavailableError(
                f"another git works on the same branch, or died while it did: {found['lock']}",
                where=where,
                next_step="try again; when no git runs there, remove that file",
                reason=Reason.FORGE_UNREACHABLE,
            )
        return RefusedError(f"git update-ref: {complaint(done)}", where=where, reason=Reason.FORGE_REFUSED)

    def _run(
        self, arguments: Sequence[str], *, stdin: bytes | None = None, env: Mapping[str, str] | None = None
    ) -> str:
        return run_git(self.path, arguments, {**self._here(), **(env or {})}, stdin=stdin)

    def _git(self, arguments: Sequence[str], *, stdin: bytes | None = None) -> Completed:
        return git(self.path, arguments, stdin=stdin, env=self._here())

    def _here(self) -> Mapping[str, str]:
        """This repository and no other: git would take one above, when this one is broken."""
        return {"GIT_DIR": ".git" if (self.path / ".git").exists() else "."}


def signature(name: str, email: str, when: datetime) -> Signature:
    """A signature of ours."""
    return Signature(name=name, email=email, seconds=int(when.timestamp()))


def _environment(by: Signature) -> Mapping[str, str]:
    """The variables that make git use it for author and committer, whatever the machine has configured."""
    facts = {"NAME": by.name, "EMAIL": by.email, "DATE": f"{by.seconds} +0000"}
    return {f"GIT_{role}_{fact}": value for role in ("AUTHOR", "COMMITTER") for fact, value in facts.items()}


def _signature(text: str) -> Signature:
    """A person's line of a commit; one that git would not write is nobody's."""
    found = _PERSON.fullmatch(text)
    if found is None:
        return Signature(name="", email="", seconds=0)
    return Signature(name=found["name"], email=found["email"], seconds=int(found["seconds"]))


def _trailers(message: str) -> tuple[tuple[str, str], ...]:
    """The last paragraph, when all its lines are trailers (git-interpret-trailers(1), without its exceptions)."""
    lines = message.rstrip("\n").rpartition("\n\n")[2].splitlines()
    found = [match for line in lines if (match := _TRAILER.fullmatch(line.rstrip()))]
    return tuple((match["name"], match["value"]) for match in found) if len(found) == len(lines) else ()


def _entries(listed: bytes) -> dict[bytes, tuple[bytes, bytes, bytes]]:
    """`git ls-tree -z`: mode, kind and id by name."""
    entries = {}
    for line in filter(None, listed.split(b"\0")):
        facts, _, name = line.partition(b"\t")
        mode, kind, object_id = facts.split(b" ")
        entries[name] = (mode, kind, object_id)
    return entries
