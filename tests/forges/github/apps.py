"""What a GitHub App does: it signs for a token of its installation, and commits through the git data API.

docs.github.com/rest: "apps", "git/trees", "git/commits". Commits without an author are by the App's user, and GitHub is
their committer. See `installed`.
"""

import os
import subprocess
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from layering.forge import settings
from tests.forges.github import accounts
from tests.forges.github.accounts import BEGINNING
from tests.forges.github.api import Api, Call, RefusalError
from tests.forges.github.documents import Documents, moment
from tests.forges.github.gitobjects import GitObjects
from tests.forges.github.state import GitHub, Repository

_GITHUB = {"GIT_COMMITTER_NAME": "GitHub", "GIT_COMMITTER_EMAIL": "noreply@github.com"}


@dataclass(kw_only=True)
class App:
    """One that is installed everywhere. `host`: what GitHub's no-reply addresses are of. `tells_repositories`: with a
    token goes the document of each repository that it is for.
    """

    github: GitHub
    id: str
    slug: str
    key: RSAPublicKey
    host: str
    minted: list[str] = field(default_factory=list)
    tells_repositories: bool = True

    def plug_into(self, api: Api) -> None:
        """The App's own requests are told from others' by their token: a signature, which is checked."""
        git = "repos/:s/:s/git"
        for method, pattern, route in (
            ("GET", "users/:s", self._user),
            ("POST", f"{git}/trees", self._make_tree),
            ("POST", f"{git}/commits", self._make_commit),
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
        """By GitHub's own clock, as there."""
        options: Any = {"require": ["iat", "exp", "iss"], "verify_iat": False, "verify_exp": False}
        try:
            claims = jwt.decode(token, self.key, algorithms=["RS256"], options=options)
        except jwt.InvalidTokenError:
            return False
        is_now = claims["iat"] <= self.github.now().timestamp() < claims["exp"]
        return bool(is_now and claims["iss"] == self.id and claims["exp"] - claims["iat"] <= 600)

    @property
    def _site(self) -> str:
        return f"https://{self.host}"

    @property
    def _known(self) -> dict[str, Any]:
        """What an App and each of its installations tell."""
        granted = {"contents": "write", "pull_requests": "write", "metadata": "read"}
        return {"permissions": granted, "events": [], "created_at": BEGINNING, "updated_at": BEGINNING}

    def _me(self, *_: Any) -> Any:
        return {
            "id": 1,
            "node_id": "A_1",
            "client_id": self.id,
            "slug": self.slug,
            "name": self.slug,
            "owner": accounts.user(self._site, 1, "acme", "Organization"),
            "description": None,
            "external_url": "https://example.com/",
            "html_url": f"{self._site}/apps/{self.slug}",
            **self._known,
        }

    def _installation(self, *_: Any) -> Any:
        url = f"{self._site}/api/v3"
        return {
            "id": 7,
            "app_id": 1,
            "app_slug": self.slug,
            "client_id": self.id,
            "account": accounts.user(self._site, 1, "acme", "Organization"),
            "target_id": 1,
            "target_type": "Organization",
            "repository_selection": "all",
            "access_tokens_url": f"{url}/app/installations/7/access_tokens",
            "repositories_url": f"{url}/installation/repositories",
            "html_url": f"{self._site}/organizations/acme/settings/installations/7",
            "single_file_name": None,
            "suspended_by": None,
            "suspended_at": None,
            **self._known,
        }

    def _mint(self, body: Any, site: str, _number: str) -> Any:
        token = f"ghs_{len(self.minted)}_minted_for_a_test"
        self.minted.append(token)
        self.github.tokens[token] = self.github.user(f"{self.slug}[bot]")
        for repository in self.github.repositories:
            repository.permissions.setdefault(self.github.tokens[token].id, "write")
        documents = Documents(site=site)
        meant = [each for each in self.github.repositories if each.name.partition("/")[2] in body["repositories"]]
        known = {"repository_selection": "selected", "repositories": [documents.repository(each) for each in meant]}
        ends = moment(self.github.now() + timedelta(hours=1))
        return {"token": token, "expires_at": ends, **(known if self.tells_repositories else {})}

    def _user(self, call: Call, name: str) -> Any:
        found = self.github.known(name)
        if found is None:
            raise RefusalError(404, "Not Found")
        return accounts.profile(call.documents.user(found))

    def _make_tree(self, call: Call, of: Repository) -> Any:
        index = of.origin.path / "index-of-api"
        index.unlink(missing_ok=True)
        words = ["git", "-C", str(of.origin.path)]
        lines = "".join(
            f"{each['mode']} {_blob(words, each['content'])}\t{each['path']}\n" for each in call.body["tree"]
        )
        env = {**os.environ, "GIT_INDEX_FILE": str(index)}
        subprocess.run([*words, "read-tree", call.body["base_tree"]], env=env, check=True)
        subprocess.run([*words, "update-index", "--index-info"], env=env, input=lines, text=True, check=True)
        made = subprocess.run([*words, "write-tree"], env=env, check=True, capture_output=True, text=True)
        return _objects(call, of).tree(made.stdout.strip())

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
        return _objects(call, of).commit(made)


def installed(github: GitHub, api: Api, directory: Path) -> tuple[App, settings.App]:
    """An App, and how we are told to be it."""
    key, file = generate_private_key(public_exponent=65537, key_size=2048), directory / "key.pem"
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
    made = App(github=github, id="Iv23abc", slug="our-app", key=key.public_key(), host="127.0.0.1")
    made.plug_into(api)
    return made, settings.App(id=made.id, private_key_file=file)


def _objects(call: Call, of: Repository) -> GitObjects:
    return GitObjects(site=call.site, of=of)


def _blob(words: list[str], content: str) -> str:
    argv = [*words, "hash-object", "-w", "--stdin"]
    done = subprocess.run(argv, input=content.encode(), check=True, capture_output=True)
    return done.stdout.decode().strip()
