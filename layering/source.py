"""What a source amounts to: the commit a ref names, and git's ids of what a build takes from it."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from layering import git
from layering.errors import InputError


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceFacts:
    """What of a commit enters the build key. `containerfile` is relative to the context, or a bare name outside."""

    tree: str
    containerfile: str
    containerfile_blob: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkout:
    """A commit's files on this disk, and when it was made."""

    directory: Path
    facts: SourceFacts
    committed: datetime


def source_facts(url: str, commit: str, context: str, containerfile: str) -> SourceFacts:
    """The facts of one commit, from its trees alone. Raises InputError when a path is not in it, and git's errors."""
    with TemporaryDirectory(prefix="layerwatch-source-") as directory:
        repository = Path(directory)
        git.fetch_commit(url, commit, repository, blobs=False)
        return _facts(repository, commit, context, containerfile)


@contextmanager
def checked_out(
    url: str,
    commit: str,
    context: str,
    containerfile: str,
    *,
    fetched: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Iterator[Checkout]:
    """A checkout of one commit, for as long as the `with` lasts. Raises as source_facts.

    `fetched` is a repository that has the commit already; then `url` is not asked. `env` is for git (fetch_commit).
    """
    with TemporaryDirectory(prefix="layerwatch-source-") as directory:
        repository = Path(directory)
        if fetched is None:
            git.fetch_commit(url, commit, repository, env=env)
        else:
            _copy(fetched, commit, repository)
        facts = _facts(repository, commit, context, containerfile)
        git.checkout(repository, commit)
        _even_modes(repository)
        _check_inside(repository, context, containerfile)
        yield Checkout(directory=repository, facts=facts, committed=git.commit_time(repository, commit))


def _copy(fetched: Path, commit: str, into: Path) -> None:
    """A copy of our own: another user may own the original, and git serves nobody else's repository."""
    if not (fetched / ".git").is_dir() or not git.has_commit(fetched, commit):
        raise InputError(f"{fetched} does not hold the commit {commit}", next_step="fetch it there first")
    shutil.copytree(fetched / ".git", into / ".git", symlinks=True)


def _facts(repository: Path, commit: str, context: str, containerfile: str) -> SourceFacts:
    file, base = PurePosixPath(containerfile), PurePosixPath(context)
    return SourceFacts(
        tree=git.tree_id(repository, commit, context),
        containerfile=str(file.relative_to(base)) if file.is_relative_to(base) else file.name,
        containerfile_blob=git.blob_id(repository, commit, containerfile),
    )


def _even_modes(repository: Path) -> None:
    """Modes as git knows them, 0755 or 0644, whatever the umask here: they become the image's."""
    for directory, names, files in os.walk(repository):
        if Path(directory) == repository:
            names.remove(".git")
        for name in (*names, *files):
            path = Path(directory, name)
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def _check_inside(repository: Path, context: str, containerfile: str) -> None:
    """Links in the source may not lead out of it. Raises InputError."""
    for path in (context, containerfile):
        if not (repository / path).resolve().is_relative_to(repository.resolve()):
            raise InputError(f"{path} is a link that leaves the source", where="source")
