"""git, run so that nothing around us decides what it does: the commits and trees of a source.

Thin and typed calls of the git program. Of the user's and the machine's git configuration only credentials and
transport count; no hook runs, no prompt is ever shown, and URLs that carry credentials are not shown either. What is
written into a repository that people use is in gitrepository.py.
"""

import os
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from layering.commands import Completed
from layering.commands import run as run_command
from layering.errors import InputError, LayerwatchError, NotFoundError, RefusedError, UnavailableError
from layering.reasons import Reason
from layering.secrets import redact

LOCAL_SECONDS = 60.0
REMOTE_SECONDS = 600.0
COMMIT_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
"""A whole one, of either hash."""
_SHA256_LENGTH = 64
_LISTED_REFS_MAX = 10

# Variables that would point git at another repository: set by git itself for hooks and aliases that may have run us
# (`git rev-parse --local-env-vars`), and those that shape a new repository or what a path means.
_NOT_FROM_OUTSIDE = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_DEFAULT_HASH",
    "GIT_DIR",
    "GIT_EXTERNAL_DIFF",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_TEMPLATE_DIR",
    "GIT_WORK_TREE",
)
_VARIABLES = {
    "GIT_TERMINAL_PROMPT": "0",
    "SSH_ASKPASS_REQUIRE": "never",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_LITERAL_PATHSPECS": "1",
    "LC_ALL": "C",
}
# Over whatever the configuration files say. Repositories of other owners are read, but no hook or helper in them runs.
_SETTINGS = {
    "safe.directory": "*",
    "safe.bareRepository": "all",
    "protocol.ext.allow": "never",
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.quotePath": "false",
    "core.autocrlf": "false",
    "core.filesRefLockTimeout": "2000",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
    "maintenance.auto": "false",
    "gc.auto": "0",
    "commit.gpgSign": "false",
    "log.showSignature": "false",
    "i18n.commitEncoding": "UTF-8",
    "i18n.logOutputEncoding": "UTF-8",
    "color.ui": "false",
}
_TEMPORARY = re.compile(
    r"could not resolve host|connection (refused|timed out|reset)|failed to connect|early eof|the remote end hung up|"
    r"http.*\b5\d\d\b|returned error: (429|5\d\d)|operation timed out|network is unreachable",
    re.IGNORECASE,
)
_NOT_FOUND = re.compile(r"not found|does not exist|not appear to be a git repository|no such file", re.IGNORECASE)


# Refs and commits of a repository anywhere


def resolve_commit(url: str, ref: str) -> str:
    """The commit that a branch, a tag (annotated ones are peeled), HEAD or a full ref name stands for.

    Of a branch and a tag of one name the branch is meant. A full commit id is taken as it is. Raises RefusedError
    (SourceRefused), NotFoundError, UnavailableError (SourceUnavailable); InputError when there is no such ref.
    """
    if COMMIT_ID.fullmatch(ref):
        return ref
    listed = _remote(["ls-remote", "--", location(url)], url).stdout.decode("utf-8", "replace")
    lines = [line.partition("\t") for line in listed.splitlines()]
    refs = {name: commit for commit, _, name in lines if name}
    for name in (ref, f"refs/heads/{ref}", f"refs/tags/{ref}", f"refs/{ref}"):
        if name in refs:
            return refs.get(f"{name}^{{}}", refs[name])
    names = sorted(name.split("/", 2)[2] for name in refs if re.match(r"refs/(heads|tags)/.*(?<!\^\{\})$", name))
    raise InputError(
        f"there is no branch or tag {ref!r}",
        where=redact(url),
        next_step=f"it has: {', '.join(names[:_LISTED_REFS_MAX]) or 'neither branches nor tags'}",
    )


def location(url: str) -> str:
    """The URL as git takes it from any directory: a path becomes absolute, so that it is no remote's name either.

    What a path is, git says so (connect.c, `url_is_local_not_ssh`): no `://`, and no colon before the first slash.
    """
    first = url.split("/", 1)[0]
    return url if "://" in url or ":" in first else str(Path(url).absolute())


def fetch_commit(
    url: str, commit: str, into: Path, *, blobs: bool = True, env: Mapping[str, str] | None = None
) -> None:
    """Fetch one commit, without its history, into a new repository at `into`; without `blobs` only its trees.

    Servers that do not give out single commits are asked for all branches and tags. `env` is what git is told in
    variables about credentials and trust. Raises as resolve_commit.
    """
    begin_repository(into, commit)
    narrow = [] if blobs else ["--filter=blob:none"]
    shallow = git(
        into, ["fetch", "--quiet", "--depth=1", *narrow, "--", location(url), commit], REMOTE_SECONDS, env=env
    )
    if shallow.returncode != 0:
        if _TEMPORARY.search(shallow.message):
            raise _remote_error(shallow, url)
        everything = ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"]
        _remote(["fetch", "--quiet", "--", location(url), *everything], url, into, env)
    if not has_commit(into, commit):
        raise InputError(f"there is no commit {commit}", where=redact(url), reason=Reason.SOURCE_REFUSED)


def has_commit(repository: Path, commit: str) -> bool:
    """Whether the repository holds this commit."""
    return git(repository, ["cat-file", "-e", f"{commit}^{{commit}}"]).succeeded


def checkout(repository: Path, commit: str) -> None:
    """Put the files of `commit` into the working tree. Submodules stay empty."""
    run_git(repository, ["checkout", "--quiet", "--detach", commit])


# Objects of a fetched source


def tree_id(repository: Path, commit: str, path: str) -> str:
    """git's id of the tree at `path` ("." is the root). Raises InputError when there is none."""
    return _object_id(repository, commit, path, "tree", "directory")


def blob_id(repository: Path, commit: str, path: str) -> str:
    """git's id of the file at `path`. Raises InputError when there is none."""
    return _object_id(repository, commit, path, "blob", "file")


def _object_id(repository: Path, commit: str, path: str, kind: str, word: str) -> str:
    name = f"{commit}:{'' if path == '.' else path}"
    found = git(repository, ["rev-parse", "--verify", "--quiet", "--end-of-options", name])
    object_id = found.stdout.decode().strip()
    if not found.succeeded or run_git(repository, ["cat-file", "-t", object_id]).strip() != kind:
        raise InputError(
            f"there is no {word} {path!r} in commit {commit[:12]}",
            where="source",
            next_step=f"correct the path in the configuration, or commit the {word} to the source",
        )
    return object_id


def commit_time(repository: Path, commit: str) -> datetime:
    """When a commit was made (committer's date)."""
    return datetime.fromtimestamp(int(run_git(repository, ["show", "-s", "--format=%ct", commit])), UTC)


# Running git


def git(
    repository: Path | None,
    arguments: Sequence[str],
    timeout_seconds: float = LOCAL_SECONDS,
    *,
    stdin: bytes | None = None,
    env: Mapping[str, str | None] | None = None,
    settings: Sequence[tuple[str, str]] = (),
) -> Completed:
    """Any git command; what its returncode means is the caller's to say. Raises as commands.run.

    `settings` are set over all configuration files, in variables: no process list shows their values.
    """
    where = ["-C", str(repository)] if repository is not None else []
    return run_command(
        ["git", *where, *arguments],
        stdin=stdin,
        env={**_environment(os.environ, settings), **(env or {})},
        timeout_seconds=timeout_seconds,
    )


def begin_repository(at: Path, commit: str, *, bare: bool = False) -> None:
    """An empty one, for commits with ids like this one's."""
    at.mkdir(parents=True, exist_ok=True)
    hashes = "sha256" if len(commit) == _SHA256_LENGTH else "sha1"
    kind = ["--bare"] if bare else []
    run_git(at, ["init", "--quiet", "--template=", f"--object-format={hashes}", *kind])


def run_git(
    repository: Path | None,
    arguments: Sequence[str],
    env: Mapping[str, str] | None = None,
    *,
    stdin: bytes | None = None,
) -> str:
    """A git command that must succeed; its output. Raises RefusedError when it does not."""
    done = git(repository, arguments, stdin=stdin, env=env)
    if not done.succeeded:
        raise RefusedError(
            f"git {arguments[0]}: {complaint(done)}", where=str(repository or ""), reason=Reason.FORGE_REFUSED
        )
    return done.stdout.decode("utf-8", "replace")


def complaint(done: Completed) -> str:
    """What git said is wrong, without the hints that follow."""
    lines = [line for line in done.message.splitlines() if line.startswith(("fatal:", "error:"))] or [done.message]
    return lines[0].removeprefix("fatal: ").removeprefix("error: ")[:300]


def _environment(outside: Mapping[str, str], more: Sequence[tuple[str, str]] = ()) -> dict[str, str | None]:
    """Our variables, and our settings after those that came in variables: a CI system hands over credentials so."""
    settings = (*_SETTINGS.items(), *more)
    count = outside.get("GIT_CONFIG_COUNT", "")
    first = int(count) if count.isdecimal() else 0
    environment: dict[str, str | None] = {**dict.fromkeys(_NOT_FROM_OUTSIDE), **_VARIABLES}
    environment["GIT_ASKPASS"] = outside.get("GIT_ASKPASS", "true")  # `true` answers nothing, so that login fails
    environment["GIT_CONFIG_COUNT"] = str(first + len(settings))
    for number, (key, value) in enumerate(settings, start=first):
        environment[f"GIT_CONFIG_KEY_{number}"] = key
        environment[f"GIT_CONFIG_VALUE_{number}"] = value
    return environment


def _remote(
    arguments: Sequence[str], url: str, repository: Path | None = None, env: Mapping[str, str] | None = None
) -> Completed:
    done = git(repository, arguments, REMOTE_SECONDS, env=env)
    if not done.succeeded:
        raise _remote_error(done, url)
    return done


def _remote_error(done: Completed, url: str) -> LayerwatchError:
    where, text = redact(url), complaint(done)
    if _TEMPORARY.search(done.message):
        return UnavailableError(text, where=where, next_step="try again later", reason=Reason.SOURCE_UNAVAILABLE)
    if _NOT_FOUND.search(done.message):
        return NotFoundError(
            text, where=where, next_step="see whether the address is right", reason=Reason.SOURCE_REFUSED
        )
    return RefusedError(
        text, where=where, next_step="see whether git can read it from this machine", reason=Reason.SOURCE_REFUSED
    )
