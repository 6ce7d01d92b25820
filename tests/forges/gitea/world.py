"""A repository on the real Gitea, and what people do in it; see tests/forges/world.py."""

import itertools
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from layering.forge.marker import Marker
from layering.forge.settings import ForgeSettings, Kind
from tests.forges.gitea.server import BOT, OWNER, Gitea, gitea
from tests.forges.origin import BRANCH, MOVING, Origin, new_origin
from tests.forges.standing import PERSON, STRANGER, Standing

_LATER_SECONDS = 10
_LATE = timedelta(seconds=2)  # as layering/forge/remoterepository.py counts it
_PER_PAGE = 50
_SECONDS = 60.0


@dataclass(kw_only=True)
class Pushed(Origin):
    """A person's clone: what is looked at is fetched first, and what is changed is pushed."""

    remote: str = field(default="", repr=False)

    def git(self, *words: str, stdin: str | None = None) -> str:
        super().git("fetch", "--quiet", "--prune", self.remote, "+refs/heads/*:refs/heads/*")
        said = super().git(*words, stdin=stdin)
        if words[0] in MOVING:
            super().git("push", "--quiet", "--force", "--prune", self.remote, "+refs/heads/*:refs/heads/*")
        return said


@dataclass(kw_only=True)
class GiteaWorld:
    """See World."""

    settings: ForgeSettings
    repository: str
    origin: Origin
    gitea: Gitea

    def pulls(self) -> list[Standing]:
        return list(map(self._standing, self.listed()))

    def listed(self) -> list[dict[str, Any]]:
        """Oldest first, once Gitea has done what it does after pushes, which it does a moment later."""
        until = time.monotonic() + _SECONDS
        while not self._follows_pushes(listed := self._all()):
            assert time.monotonic() < until, "Gitea has not looked at what was pushed"
            time.sleep(0.05)
        return sorted(listed, key=lambda each: int(each["number"]))

    def _all(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = []
        for page in itertools.count(1):
            found = self.api("GET", f"pulls?state=all&sort=oldest&limit={_PER_PAGE}&page={page}")
            listed += found
            if len(found) < _PER_PAGE:
                break
        return listed

    def close(self) -> None:
        self._change(state="closed")

    def reopen(self) -> None:
        self._change(state="open")

    def merge(self) -> None:
        """Gitea finds out later whether it can be merged, and says so until then."""
        path, until = f"repos/{self.repository}/pulls/{self._newest}/merge", time.monotonic() + _SECONDS
        while not (answer := self.gitea.ask("POST", path, PERSON, Do="merge")).ok:
            assert "try again" in answer.text, answer.text
            assert time.monotonic() < until, answer.text
            time.sleep(0.05)

    def retarget(self, base: str) -> None:
        self._change(base=base)

    def write(self, *, title: str | None = None, body: str | None = None) -> None:
        given = {"title": title, "body": body}
        self._change(**{name: value for name, value in given.items() if value is not None})

    def add_milestone(self, title: str) -> None:
        self.api("POST", "milestones", title=title)

    def label(self, name: str) -> None:
        made = self.api("POST", "labels", name=name, color="#ffffff")
        self.api("POST", f"issues/{self._newest}/labels", labels=[made["id"]])
        self._later()

    def say(self, text: str, who: str = PERSON, *, at_once: bool = False) -> None:
        self.say_in(self._newest, text, who, at_once=at_once)

    def let_read(self, who: str) -> None:
        self.gitea.user(who)
        self.api("PUT", f"collaborators/{who}", OWNER, permission="read")

    def open(self, base: str, body: str, who: str) -> None:
        self.api("POST", "pulls", who, head=BRANCH, base=base, title="Have a look", body=body)
        self._later()

    def say_in(self, number: int, text: str, who: str = PERSON, *, at_once: bool = False) -> None:
        self.api("POST", f"issues/{number}/comments", who, body=text)
        if not at_once:
            self.gitea.later(self.repository, number, _LATER_SECONDS)

    def api(self, method: str, path: str, who: str = PERSON, **fields: Any) -> Any:
        return self.gitea.api(method, f"repos/{self.repository}/{path}", who, **fields)

    def date_as_we_did(self) -> None:
        """A slow machine dates the newest later than we wrote it, which is as if somebody had touched it since.

        A quick one does not, and its dates stay.
        """
        pull = self.listed()[-1]
        marker = Marker.parse(pull["body"])
        assert marker is not None
        if datetime.fromisoformat(pull["updated_at"]) > marker.written + _LATE:
            self.gitea.dated(self.repository, pull["number"], marker.written)

    @property
    def _newest(self) -> int:
        return int(self.listed()[-1]["number"])

    def _change(self, **fields: Any) -> None:
        self.api("PATCH", f"pulls/{self._newest}", **fields)
        self._later()

    def _later(self) -> None:
        self.gitea.later(self.repository, self._newest, _LATER_SECONDS)

    def _follows_pushes(self, listed: list[dict[str, Any]]) -> bool:
        """Whether each open one, but a fork's, is at the head that its branch has, and Gitea is done with that push."""
        lines = self.origin.git("for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads").splitlines()
        heads = dict(line.split() for line in lines)
        return all(
            heads.get(each["head"]["ref"]) == each["head"]["sha"] and self._wrote_down(each)
            for each in listed
            if each["state"] == "open" and each["head"]["repo_id"] == each["base"]["repo_id"]
        )

    def _wrote_down(self, pull: dict[str, Any]) -> bool:
        """What it writes down of a push moves `updated_at`, too. It writes nothing of what it was opened with."""
        last, marker = self.gitea.last_push(self.repository, pull["number"]), Marker.parse(pull["body"])
        head = pull["head"]["sha"]
        return head in last or (not last and (marker is None or marker.commit == head))

    def _standing(self, found: dict[str, Any]) -> Standing:
        comments = self.api("GET", f"issues/{found['number']}/comments")
        reactions = [self.api("GET", f"issues/comments/{each['id']}/reactions") for each in comments]
        return Standing(
            number=found["number"],
            state="merged" if found["merged"] else found["state"],
            title=found["title"].removeprefix("WIP: "),
            body=found["body"],
            draft=found["title"].startswith("WIP: "),
            labels=tuple(sorted(label["name"] for label in found["labels"])),
            comments=tuple(each["body"] for each in comments),
            answers=sum(len(each or ()) for each in reactions),
        )


@contextmanager
def gitea_world(directory: Path) -> Iterator[GiteaWorld]:
    """A new repository, in which PERSON and our own user may push, and STRANGER may read."""
    running = gitea()
    yield new_world(
        directory,
        gitea_settings(directory, running.address),
        f"config-{next(running.numbers)}",
        {"README.md": "the clusters\n"},
    )


def gitea_settings(directory: Path, address: str) -> ForgeSettings:
    """How our own user reaches the Gitea."""
    token = directory / "gitea-token"
    token.write_text(f"{gitea().user(BOT)}\n")
    return ForgeSettings(
        name="gitea", kind=Kind.GITEA, url=f"http://{address}/api/v1", token_file=token, max_wait_seconds=120
    )


def new_world(directory: Path, settings: ForgeSettings, name: str, files: Mapping[str, str]) -> GiteaWorld:
    """A new repository of OWNER's. It was on Gitea's disk, and is adopted: pushing into it takes ten times as long."""
    running = gitea()
    new_origin(running.home / "repositories" / OWNER / f"{name}.git").commit(files)
    running.api("POST", f"admin/unadopted/{OWNER}/{name}")
    for who, right in ((BOT, "write"), (PERSON, "write"), (STRANGER, "read")):
        running.user(who)
        running.api("PUT", f"repos/{OWNER}/{name}/collaborators/{who}", permission=right)
    path = directory / f"clone-of-{name}.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(path)], check=True)
    remote = f"http://{PERSON}:{running.user(PERSON)}@{running.address}/{OWNER}/{name}.git"
    return GiteaWorld(
        settings=settings, repository=f"{OWNER}/{name}", origin=Pushed(path=path, remote=remote), gitea=running
    )
