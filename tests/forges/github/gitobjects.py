"""The JSON of commits and refs, as the git database and a comparison tell them, read from the repository."""

from dataclasses import dataclass

from tests.forges.github.accounts import Document
from tests.forges.github.state import Repository

_FORMAT = "%H%x00%T%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B"


@dataclass(frozen=True, kw_only=True)
class GitObjects:
    """Of one repository, linked to below `site`."""

    site: str
    of: Repository

    @property
    def _git(self) -> str:
        return f"{self._url}/git"

    @property
    def _url(self) -> str:
        return f"{self.site}/api/v3/repos/{self.of.name}"

    def commit(self, sha: str) -> Document:
        """GitHub signs what it commits itself."""
        tree, parents, author, committer, message = self._read(sha)
        signed = committer["name"] == "GitHub"
        proof = {"signature": "-----BEGIN PGP SIGNATURE-----", "payload": message, "verified_at": committer["date"]}
        return {
            "sha": sha,
            "node_id": f"C_{sha}",
            "url": f"{self._git}/commits/{sha}",
            "html_url": self._page(sha),
            "author": author,
            "committer": committer,
            "message": message,
            "tree": self._tree(tree),
            "parents": [self._parent(each) for each in parents],
            "verification": {
                "verified": signed,
                "reason": "valid" if signed else "unsigned",
                **(proof if signed else dict.fromkeys(proof)),
            },
        }

    def compared_commit(self, sha: str) -> Document:
        """As comparisons list it. GitHub knows no user by what they say of their authors."""
        plain, url = self.commit(sha), f"{self._url}/commits/{sha}"
        kept = ("author", "committer", "message", "tree", "verification")
        return {
            **{name: plain[name] for name in ("sha", "node_id", "html_url", "parents")},
            "url": url,
            "comments_url": f"{url}/comments",
            "commit": {**{name: plain[name] for name in kept}, "url": plain["url"], "comment_count": 0},
            "author": {},
            "committer": {},
        }

    def comparison(self, base: str, head: str, limit: int) -> Document:
        """Raises CalledProcessError when one is not there."""
        git, page = self.of.origin, f"{self.site}/{self.of.name}/compare/{base}...{head}"
        above, behind = git.commits_above(base, head), len(git.commits_above(head, base))
        status = ("diverged" if behind else "ahead") if above else ("behind" if behind else "identical")
        return {
            "url": f"{self._url}/compare/{base}...{head}",
            "html_url": page,
            "permalink_url": page,
            "diff_url": f"{page}.diff",
            "patch_url": f"{page}.patch",
            "base_commit": self.compared_commit(git.git("rev-parse", base)),
            "merge_base_commit": self.compared_commit(git.git("merge-base", base, head)),
            "status": status,
            "ahead_by": len(above),
            "behind_by": behind,
            "total_commits": len(above),
            "commits": [self.compared_commit(each) for each in above[:limit]],
        }

    def tree(self, sha: str) -> Document:
        listed = [line.split(maxsplit=3) for line in self.of.origin.git("ls-tree", sha).splitlines()]
        entries = [{"mode": mode, "type": kind, "sha": each, "path": path} for mode, kind, each, path in listed]
        return {**self._tree(sha), "truncated": False, "tree": entries}

    def _read(self, sha: str) -> tuple[str, list[str], Document, Document, str]:
        words = self.of.origin.git("show", "--no-patch", f"--format={_FORMAT}", sha).split("\0")
        people = [dict(zip(("name", "email", "date"), words[at : at + 3], strict=True)) for at in (3, 6)]
        return words[1], words[2].split(), people[0], people[1], words[9]

    def _tree(self, sha: str) -> Document:
        return {"sha": sha, "url": f"{self._git}/trees/{sha}"}

    def _parent(self, sha: str) -> Document:
        return {"sha": sha, "url": f"{self._git}/commits/{sha}", "html_url": self._page(sha)}

    def _page(self, sha: str) -> str:
        return f"{self.site}/{self.of.name}/commit/{sha}"
