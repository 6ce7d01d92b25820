"""A repository on a forge's git server, and a person who works in it."""

import contextlib
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from layering.forge.forge import Author
from layering.forge.remotegit import RemoteGit
from layering.forge.settings import Login
from layering.secrets import Secret
from tests.git_http import Asked, Between, Served, git_over_http

USER, TOKEN = "layerwatch-bot", "t0ken/with=odd+bytes"
LOGIN = Login(user=USER, password=Secret(TOKEN))
_JOE = "Joe <joe@example.com>"
MOVING = ("update-ref", "fast-import")  # those of git's commands here that move branches
WRONG = Login(user=USER, password=Secret("wr0ng-token"))
FILE, BRANCH = "clusters/prod/worker.yaml", "layerwatch/prod/worker"


@dataclass(kw_only=True)
class Origin:
    """The bare repository at `path`, `address` (HOST:PORT) once it is served, and what was asked of it."""

    path: Path
    address: str = ""
    asked: list[Asked] = field(default_factory=list)
    between: Between = lambda _, serve: serve()

    @property
    def url(self) -> str:
        return f"http://{self.address}/{self.path.name}"

    @property
    def kinds(self) -> list[str]:
        """What was asked since the last time."""
        kinds = [asked.kind for asked in self.asked]
        self.asked.clear()
        return kinds

    def git(self, *words: str, stdin: str | None = None) -> str:
        argv = ["git", "-C", str(self.path), "-c", "user.name=Joe", "-c", "user.email=joe@example.com", *words]
        return subprocess.run(argv, input=stdin, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, files: Mapping[str, str], branch: str = "main", on: str | None = None) -> str:
        """A person's commit on a branch, or on another one's tip."""
        parent = self.head(on or branch)
        lines = [
            f"commit refs/heads/{branch}\nmark :1\ncommitter {_JOE} now\ndata 8\nby hand\n\n",
            f"from {parent}\n" if parent else "",
            *(f"M 100644 inline {path}\ndata {len(text.encode())}\n{text}\n" for path, text in files.items()),
            "get-mark :1\n",
        ]
        return self.git("fast-import", "--quiet", "--force", "--date-format=now", stdin="".join(lines))

    def as_files(self) -> tuple[str, ...]:
        """Its branches as git keeps them: the same while none is moved. No process: a forge asks at each request."""
        kept = (self.path / "packed-refs", *sorted((self.path / "refs/heads").rglob("*")))
        return tuple(f"{file} {_text(file)}" for file in kept)

    def head(self, branch: str) -> str | None:
        listed = self.git("for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}")
        return listed or None

    def merge(self, head: str, base: str, message: str) -> None:
        """A merge commit on a branch, as a forge's button makes it."""
        into, from_ = str(self.head(base)), str(self.head(head))
        tree = self.git("merge-tree", "--write-tree", into, from_)
        made = self.git("commit-tree", tree, "-p", into, "-p", from_, "-m", message)
        self.git("update-ref", f"refs/heads/{base}", made)

    def heads_merged_into(self, base: str) -> list[str]:
        """The heads of branches whose commits are all in `base`; one git for all of them."""
        words = ("for-each-ref", "--merged", f"refs/heads/{base}", "--format=%(objectname)", "refs/heads")
        return self.git(*words).split()

    def commits_above(self, base: str, head: str) -> list[str]:
        """Those of `head` that `base` has not, oldest first. Raises CalledProcessError for what is not there."""
        return self.git("rev-list", "--reverse", f"{base}..{head}").split()

    def show(self, commit: str, path: str) -> str:
        return self.git("show", f"{commit}:{path}")

    def hook(self, name: str, script: str) -> None:
        file = self.path / "hooks" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)

    def opened(self, **keys: Any) -> RemoteGit:
        return RemoteGit(self.url, **({"login": lambda: LOGIN} | keys))

    def _note(self, asked: Asked, serve: Callable[[], Served]) -> Served | None:
        self.asked.append(asked)
        return self.between(asked, serve)


def _text(file: Path) -> str:
    with contextlib.suppress(OSError):  # a directory, one that is not there, one that git takes away just now
        return file.read_text()
    return ""


def commit_of_ours(git: RemoteGit) -> str:
    """Made on main, and not pushed."""
    when = datetime(2026, 11, 26, 7, 0, tzinfo=UTC)
    return git.add_commit(git.refs(["main"])["main"], {FILE: b"new\n"}, "Layer it", Author(), when)


def new_origin(path: Path, *, filters: bool = True, hashes: str = "sha1") -> Origin:
    """A new repository that can be pushed to over HTTP. `filters`: it gives out commits without files."""
    path.mkdir(parents=True)
    origin = Origin(path=path)
    origin.git("init", "--quiet", "--bare", "--initial-branch=main", f"--object-format={hashes}")
    with (path / "config").open("a") as config:
        config.write(f"[http]\n\treceivepack = true\n[uploadpack]\n\tallowFilter = {str(filters).lower()}\n")
    return origin


@contextmanager
def origin_at(path: Path, *, filters: bool = True, hashes: str = "sha1") -> Iterator[Origin]:
    """A new repository with a few files, served with the login above."""
    origin = new_origin(path, filters=filters, hashes=hashes)
    origin.commit({"clusters/prod/worker.yaml": "old\n", "big/one": "1" * 50_000, "big/two": "2" * 50_000})
    origin.commit({"big/one": "3" * 50_000})
    with git_over_http(path.parent, USER, TOKEN, lambda asked, serve: origin._note(asked, serve)) as address:
        origin.address = address
        yield origin
