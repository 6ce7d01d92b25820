"""What people do with git in the demo: make a repository, merge a branch, look at it."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from layering.git import run_git

_PERSON = {
    "GIT_AUTHOR_NAME": "A Person",
    "GIT_AUTHOR_EMAIL": "person@example.com",
    "GIT_COMMITTER_NAME": "A Person",
    "GIT_COMMITTER_EMAIL": "person@example.com",
}


def make_repository(bare: Path, files: Mapping[str, str], message: str) -> None:
    """A bare repository whose branch main has one commit with these files."""
    with TemporaryDirectory(prefix="layerwatch-person-") as directory:
        work = Path(directory)
        run_git(None, ["init", "--quiet", "--initial-branch=main", str(work)])
        for name, text in files.items():
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            (work / name).write_text(text, encoding="utf-8")
        run_git(work, ["add", "--all"])
        run_git(work, ["commit", "--quiet", "-m", message], _PERSON)
        run_git(None, ["clone", "--quiet", "--bare", str(work), str(bare)])


def merge(bare: Path, branch: str) -> None:
    """Clone, merge the branch into main, push, and delete the branch."""
    with TemporaryDirectory(prefix="layerwatch-person-") as directory:
        clone = Path(directory) / "clone"
        run_git(None, ["clone", "--quiet", str(bare), str(clone)])
        run_git(clone, ["merge", "--quiet", "--no-ff", "-m", f"Merge {branch}", f"origin/{branch}"], _PERSON)
        run_git(clone, ["push", "--quiet", "--atomic", "origin", "main", f":refs/heads/{branch}"])


def diff(repository: Path, old: str, new: str) -> str:
    """A unified diff without git's own header lines."""
    text = run_git(repository, ["diff", "--no-color", "--unified=2", old, new])
    return "\n".join(line for line in text.splitlines() if not line.startswith(("diff ", "index ")))


def refs(repository: Path) -> str:
    """Every ref and what it holds."""
    return run_git(repository, ["for-each-ref"])


def show(repository: Path, name: str) -> str:
    """A file in a commit (`main:path`), or a commit's message."""
    return run_git(repository, ["show", name] if ":" in name else ["show", "-s", "--format=%B", name])
