"""GitHub as others wrote it, npm's `emulate`: one for a whole test process, its API and its git at one address.

What it gets wrong is in test_emulate.py. It has no git: `mirror.py` serves what its API says of commits, and gives it
what is pushed.
"""

import atexit
import base64
import itertools
import json
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import requests
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from layering.forge.settings import App, ForgeSettings, Kind
from tests.forges.github.mirror import Mirror
from tests.forges.relay import forwarded
from tests.forges.standing import PERSON, STRANGER
from tests.git_http import Asked, Between, Served, git_served, serving
from tests.kubernetes.process import LocalProcess
from tests.parts import require_files
from tests.ports import free_port

OWNER, SLUG = "acme", "our-app"
TOKENS = {PERSON: "ghp_of_pat_0123456789abcdefABCDEF012345", STRANGER: "ghp_of_eve_0123456789abcdefABCDEF012345"}
_WANT = re.compile(rb"want ([0-9a-f]{40})\b")
_START_SECONDS = 60.0
_SECONDS = 60
_ALL = {"contents": "write", "pull_requests": "write", "issues": "write", "metadata": "read"}
GRANTED: Mapping[int, Mapping[str, str]] = {  # by the number of the App and of its installation
    1: _ALL,
    2: {**_ALL, "contents": "read"},
    3: {**_ALL, "pull_requests": "read"},
}


@dataclass(kw_only=True)
class Emulate:
    """It runs at `own`; who is tested uses `address`, where a test may come `between`. `home` has its files."""

    home: Path
    address: str = ""
    own: str = ""
    between: Between = lambda _, serve: serve()
    asked: list[Asked] = field(default_factory=list)
    mirrors: dict[str, Mirror] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def key(self) -> Path:
        """The private key of all its Apps."""
        return self.home / "key.pem"

    def new(self) -> Mirror:
        """A new private repository with one commit."""
        name = f"{OWNER}/config-{next(self.numbers)}"
        self.api("POST", f"orgs/{OWNER}/repos", name=name.partition("/")[2], private=True, auto_init=True)
        made = Mirror.new(self.home / "repositories" / f"{name}.git", name, self.ask, TOKENS[PERSON])
        self.mirrors[name] = made
        return made

    def undisturbed(self) -> None:
        """Nothing comes between any more."""
        self.between = lambda _, serve: serve()

    def settings(self, app: int = 1, **keys: Any) -> ForgeSettings:
        """How our forge reaches it, as this App."""
        told = App(id=str(app), private_key_file=self.key, installation=app)
        address = f"http://{self.address}"
        return ForgeSettings(name="github", kind=Kind.GITHUB, url=address, max_wait_seconds=5, app=told, **keys)

    def api(self, method: str, path: str, who: str = PERSON, **fields: Any) -> Any:
        """What it answers; anything but a success is an error of the test."""
        answer = self.ask(method, path, TOKENS[who], **fields)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content.strip() else None

    def ask(self, method: str, path: str, token: str, **fields: Any) -> requests.Response:
        login = {"Authorization": f"Bearer {token}"}
        return requests.request(
            method, f"http://{self.own}/{path}", json=fields or None, headers=login, timeout=_SECONDS
        )

    def answer(self, asked: Asked, body: bytes) -> Served:
        self.asked.append(asked)
        return self._git(asked, body) if "git-" in asked.target else forwarded(self.own, asked, body)

    def _git(self, asked: Asked, body: bytes) -> Served:
        """What the API shows to the same token, and lets it write."""
        login = asked.headers.get("authorization", "")
        if not login:
            return Served(status=401, headers={"WWW-Authenticate": 'Basic realm="GitHub"'})
        found = self.mirrors.get(asked.target.lstrip("/").partition(".git/")[0])
        if found is None:
            return Served(status=404, body=b"Repository not found.")
        token = base64.b64decode(login.removeprefix("Basic ")).decode().partition(":")[2]
        if refused := found.take(token):
            return Served(status=refused)
        for sha in _WANT.findall(body):  # no branch may have it
            found.take_history(sha.decode())
        with found.given_back(token):
            return git_served(self.home / "repositories", login, asked, body)


@cache
def emulate() -> Emulate:
    """The one of this process. It ends, and its files go, when the process does."""
    program = require_files("emulate") / "node_modules"
    stack = ExitStack()
    atexit.register(stack.close)
    made = Emulate(home=Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="layerwatch-emulate-"))))
    made.address = stack.enter_context(serving(made.answer, lambda asked, serve: made.between(asked, serve)))
    made.own = f"127.0.0.1:{free_port()}"
    (made.home / "seed.yaml").write_text(json.dumps(_seed(made.key)))  # JSON is YAML
    flags = ["--service", "github", "--port", made.own.rpartition(":")[2], "--base-url", f"http://{made.address}"]
    start = [str(program / "emulate/dist/index.js"), "start", *flags, "--seed", str(made.home / "seed.yaml")]
    process = LocalProcess([str(program / ".bin/node"), *start], made.home / "log")
    stack.callback(process.kill)
    process.start()
    _wait(made, process)
    return made


def _seed(key: Path) -> Mapping[str, Any]:
    """An organization with PERSON in it and STRANGER not, and an App for each of GRANTED."""
    private = generate_private_key(public_exponent=65537, key_size=2048)
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
    apps = [
        {
            "app_id": number,
            "slug": f"{SLUG}-{number}",
            "name": f"{SLUG}-{number}",
            "private_key": key.read_text(),
            "permissions": granted,
            "installations": [{"installation_id": number, "account": OWNER, "permissions": granted}],
        }
        for number, granted in GRANTED.items()
    ]
    people = [{"login": who, "name": who, "email": f"{who}@example.com"} for who in TOKENS]
    members = [{"login": PERSON, "role": "admin"}]
    github = {"users": people, "orgs": [{"login": OWNER, "members": members}], "repos": [], "apps": apps}
    return {"tokens": {token: {"login": who, "scopes": ["repo"]} for who, token in TOKENS.items()}, "github": github}


def _wait(made: Emulate, process: LocalProcess) -> None:
    until = time.monotonic() + _START_SECONDS
    while True:
        with suppress(requests.RequestException):
            if made.ask("GET", f"orgs/{OWNER}", TOKENS[PERSON]).ok:
                return
        log = (made.home / "log").read_text()[-2000:]
        assert process.is_running, log
        assert time.monotonic() < until, log
        time.sleep(0.05)
