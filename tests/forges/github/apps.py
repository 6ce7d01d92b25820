"""What a GitHub App does: it signs for a token of its installation, and commits through the git data API.

docs.github.com/rest: "apps", "git/blobs", "git/trees", "git/commits", "git/refs". Commits without an author are by the
App's user, and GitHub is their committer. Plug in with `App.plug_into`.
"""

import base64
import os
import re
import subprocess
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from tests.forges.github import documents
from tests.forges.github.api import Api, Call, RefusalError
from tests.forges.github.state import GitHub, Repository

_GITHUB = {"GIT_COMMITTER_NAME": "GitHub", "GIT_COMMITTER_EMAIL": "noreply@github.com"}


@dataclass(kw_only=True)
class App:
    """One that is installed everywhere. `host`: what GitHub's no-reply addresses are of."""

    github: GitHub
    id: str
    slug: str
    key: RSAPublicKey
    host: str
    minted: list[str] = field(default_factory=list)

    def plug_into(self, api: Api) -> None:
        """The App's own requests are told from others' by their token: a signature, which is checked."""
        git = "repos/:s/:s/git"
        for method, pattern, route in (
            ("GET", "users/:s", self._user),
            ("GET", f"{git}/commits/:s", self._commit),
            ("GET", f"{git}/trees/:s", self._tree),
            ("GET", f"{git}/ref/:s", self._ref),
            ("POST", f"{git}/blobs", self._make_blob),
            ("POST", f"{git}/trees", self._make_tree),
            ("POST", f"{git}/commits", self._make_commit),
            ("POST", f"{git}/refs", self._make_ref),
            ("PATCH", f"{git}/refs/:s", self._move_ref),
        ):
            api.add(method, pattern, route)
        for method, pattern, own in (
            ("GET", "app", self._me),
            ("GET", "repos/:s/:s/installation", self._installation),
            ("POST", "app/installations/:n/access_tokens", self._mint),
        ):
            api.add_signed(method, pattern, own)
        api.is_signature = self._is_signature

    def _is_signature(self, token: str) -> bool:
        try:
            claims = jwt.decode(token, self.key, algorithms=["RS256"], options={"require": ["iat", "exp", "iss"]})
        except jwt.InvalidTokenError:
            return False
        return bool(claims["iss"] == self.id and claims["exp"] - claims["iat"] <= 600)

    def _me(self, *_: Any) -> Any:
        return {"id": 1, "slug": self.slug, "name": self.slug}

    def _installation(self, *_: Any) -> Any:
        return {"id": 7, "app_id": 1}

    def _mint(self, _: Any, number: int) -> Any:
        token = f"ghs_{len(self.minted)}_minted_for_a_test"
        self.minted.append(token)
        self.github.tokens[token] = self.github.user(f"{self.slug}[bot]")
        for repository in self.github.repositories:
            repository.permissions.setdefault(self.github.tokens[token].id, "write")
        return {"token": token, "expires_at": documents.moment(self.github.now() + timedelta(hours=1))}

    def _user(self, call: Call, name: str) -> Any:
        found = self.github.known(name)
        if found is None:
            raise RefusalError(404, "Not Found")
        return documents.user(found)

    def _commit(self, call: Call, of: Repository, name: str) -> Any:
        return {"sha": str(name), "tree": {"sha": of.origin.git("rev-parse", f"{name}^{{tree}}")}}

    def _tree(self, call: Call, of: Repository, name: str) -> Any:
        listed = [line.split(maxsplit=3) for line in of.origin.git("ls-tree", str(name)).splitlines()]
        entries = [{"mode": mode, "type": kind, "sha": sha, "path": path} for mode, kind, sha, path in listed]
        return {"sha": str(name), "truncated": False, "tree": entries}

    def _ref(self, call: Call, of: Repository, name: str) -> Any:
        head = of.origin.head(name.removeprefix("heads/"))
        if head is None:
            raise RefusalError(404, "Not Found")
        return {"ref": f"refs/{name}", "object": {"type": "commit", "sha": head}}

    def _make_blob(self, call: Call, of: Repository) -> Any:
        assert call.body["encoding"] == "base64"
        content = base64.b64decode(call.body["content"], validate=True)
        argv = ["git", "-C", str(of.origin.path), "hash-object", "-w", "--stdin"]
        return {"sha": subprocess.run(argv, input=content, check=True, capture_output=True).stdout.decode().strip()}

    def _make_tree(self, call: Call, of: Repository) -> Any:
        index = of.origin.path / "index-of-api"
        index.unlink(missing_ok=True)
        lines = "".join(f"{each['mode']} {each['sha']}\t{each['path']}\n" for each in call.body["tree"])
        words = ["git", "-C", str(of.origin.path)]
        env = {**os.environ, "GIT_INDEX_FILE": str(index)}
        subprocess.run([*words, "read-tree", call.body["base_tree"]], env=env, check=True)
        subprocess.run([*words, "update-index", "--index-info"], env=env, input=lines, text=True, check=True)
        made = subprocess.run([*words, "write-tree"], env=env, check=True, capture_output=True, text=True)
        return {"sha": made.stdout.strip()}

    def _make_commit(self, call: Call, of: Repository) -> Any:
        assert not {"author", "committer", "signature"} & set(call.body), "GitHub signs only what names nobody"
        parents = [word for parent in call.body["parents"] for word in ("-p", parent)]
        by = {
            "GIT_AUTHOR_NAME": call.user.login,
            "GIT_AUTHOR_EMAIL": f"{call.user.id}+{call.user.login}@users.noreply.{self.host}",
        }
        argv = ["git", "-C", str(of.origin.path), "commit-tree", call.body["tree"], *parents]
        env = {**os.environ, **by, **_GITHUB}
        made = subprocess.run(
            argv, env=env, input=call.body["message"], text=True, check=True, capture_output=True
        ).stdout.strip()
        return {"sha": made, "verification": {"verified": True, "reason": "valid"}}

    def _make_ref(self, call: Call, of: Repository) -> Any:
        branch = re.sub("^refs/heads/", "", call.body["ref"])
        if of.origin.head(branch) is not None:
            raise RefusalError(422, "Reference already exists")
        of.origin.git("update-ref", call.body["ref"], call.body["sha"])
        return {"ref": call.body["ref"], "object": {"type": "commit", "sha": call.body["sha"]}}

    def _move_ref(self, call: Call, of: Repository, name: str) -> Any:
        if of.origin.head(name.removeprefix("heads/")) is None:
            raise RefusalError(422, "Reference does not exist")
        of.origin.git("update-ref", f"refs/{name}", call.body["sha"])
        return {"ref": f"refs/{name}", "object": {"type": "commit", "sha": call.body["sha"]}}
