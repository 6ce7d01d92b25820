"""A real Gitea on this machine: one per test process, its repositories reached over HTTP like everybody's."""

import atexit
import os
import re
import sqlite3
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import requests

from tests.parts import require
from tests.ports import free_port

OWNER, BOT = "acme", "layerwatch-bot"
_PULL_PUSH = 29  # models/issues/comment.go, CommentTypePullRequestPush
_START_SECONDS = 120.0
_INI = """\
RUN_MODE = prod
RUN_USER = {user}
I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true
WORK_PATH = {home}
[server]
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
DOMAIN = 127.0.0.1
ROOT_URL = http://127.0.0.1:{port}/
STATIC_ROOT_PATH = {files}
APP_DATA_PATH = {home}/data
OFFLINE_MODE = true
DISABLE_SSH = true
LFS_START_SERVER = false
[database]
DB_TYPE = sqlite3
PATH = {home}/gitea.db
SQLITE_JOURNAL_MODE = WAL
[repository]
ROOT = {home}/repositories
DEFAULT_BRANCH = main
[security]
INSTALL_LOCK = true
SECRET_KEY = of-the-tests
PASSWORD_HASH_ALGO = pbkdf2_v1
[service]
DISABLE_REGISTRATION = true
[session]
PROVIDER = memory
[cache]
ADAPTER = memory
[queue]
TYPE = channel
[indexer]
ISSUE_INDEXER_TYPE = db
REPO_INDEXER_ENABLED = false
[cron]
ENABLED = false
[actions]
ENABLED = false
[log]
MODE = console
LEVEL = Warn
"""


@dataclass(kw_only=True)
class Gitea:
    """Running, with an administrator OWNER, and as many users as are asked for."""

    home: Path
    port: int
    tokens: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    numbers: Any = field(default_factory=lambda: count(1))

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def user(self, name: str, *, scopes: str = "all") -> str:
        """A token of a user of that name, who is made when there is none."""
        if name not in self.tokens:
            admin = ["--admin"] if name == OWNER else []
            words = [
                "create",
                *admin,
                "--username",
                name,
                "--password",
                f"{name}-of-tests",
                "--email",
                f"{name}@b.test",
            ]
            self._cli("admin", "user", *words, "--must-change-password=false")
            self.tokens[name] = self.token(name, scopes)
        return self.tokens[name]

    def token(self, name: str, scopes: str) -> str:
        """Another token of that user."""
        words = ["--username", name, "--token-name", f"t{next(self.numbers)}", "--scopes", scopes, "--raw"]
        said = self._cli("admin", "user", "generate-access-token", *words)
        (token,) = re.findall(r"^[0-9a-f]{40}$", said, re.MULTILINE)  # there may be warnings around it
        return str(token)

    def api(self, method: str, path: str, who: str = OWNER, **fields: Any) -> Any:
        """An answer's JSON; the status is one of success."""
        answer = self.ask(method, path, who, **fields)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content.strip() else None

    def ask(self, method: str, path: str, who: str = OWNER, **fields: Any) -> requests.Response:
        return requests.request(
            method,
            f"http://{self.address}/api/v1/{path}",
            json=fields or None,
            headers={"Authorization": f"token {self.user(who)}"},
            timeout=60,
        )

    def later(self, repository: str, number: int, seconds: int) -> None:
        """What was done to a pull request was done so much later: its clock cannot be set, its database can."""
        self._date(repository, number, "updated_unix + ?", seconds)

    def dated(self, repository: str, number: int, moment: datetime) -> None:
        """What was done to a pull request so far was done then."""
        self._date(repository, number, "?", int(moment.timestamp()))

    def last_push(self, repository: str, number: int) -> str:
        """What it has written down of the last push to a pull request, which is a moment after it; empty for none."""
        database = sqlite3.connect(self.home / "gitea.db", timeout=30)
        found = database.execute(
            "SELECT comment.content FROM comment JOIN issue ON issue.id = comment.issue_id"
            " JOIN repository ON repository.id = issue.repo_id"
            " WHERE comment.type = ? AND issue.`index` = ? AND owner_name || '/' || lower_name = ?"
            " ORDER BY comment.id DESC LIMIT 1",
            (_PULL_PUSH, number, repository),
        ).fetchone()
        database.close()
        return str(found[0]) if found else ""

    def _date(self, repository: str, number: int, moment: str, seconds: int) -> None:
        database = sqlite3.connect(self.home / "gitea.db", timeout=30)
        with database:
            database.execute(
                f"UPDATE issue SET updated_unix = {moment} WHERE `index` = ? AND repo_id ="
                " (SELECT id FROM repository WHERE owner_name || '/' || lower_name = ?)",
                (seconds, number, repository),
            )
        database.close()

    def start(self) -> None:
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [require("gitea"), "-c", str(self.home / "app.ini"), "web"], stdout=log, stderr=log, env=self._env()
            )
        until = time.monotonic() + _START_SECONDS
        while True:
            with suppress(requests.RequestException):
                if requests.get(f"http://{self.address}/api/healthz", timeout=5).ok:
                    return
            assert self.process.poll() is None, (self.home / "log").read_text()[-2000:]
            assert time.monotonic() < until, "Gitea does not answer"
            time.sleep(0.1)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def _cli(self, *words: str) -> str:
        argv = [require("gitea"), "-c", str(self.home / "app.ini"), *words]
        done = subprocess.run(argv, capture_output=True, text=True, env=self._env())
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _env(self) -> dict[str, str]:
        return {**os.environ, "HOME": str(self.home), "GITEA_WORK_DIR": str(self.home)}


@cache
def gitea() -> Gitea:
    """The one of this process. It ends, and its files go, when the process does."""
    files = require("gitea-files")
    directory = tempfile.TemporaryDirectory(prefix="layerwatch-gitea-")
    atexit.register(directory.cleanup)
    home = Path(directory.name)
    made = Gitea(home=home, port=free_port())
    user = subprocess.run(["id", "-un"], check=True, capture_output=True, text=True).stdout.strip()
    (home / "app.ini").write_text(_INI.format(user=user, home=home, port=made.port, files=files))
    made._cli("migrate")
    atexit.register(made.kill)
    made.start()
    made.user(OWNER)
    return made
