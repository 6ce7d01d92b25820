"""A repository on emulate, and what people do in it; see tests/forges/world.py."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from layering.forge.settings import ForgeSettings
from tests.forges.github.emulate import Emulate, emulate
from tests.forges.origin import Origin
from tests.forges.standing import PERSON, Standing


@dataclass(kw_only=True)
class EmulateWorld:
    """See World. Its clock cannot be set, and what is said moves no clock of a pull request."""

    settings: ForgeSettings
    repository: str
    origin: Origin
    emulate: Emulate

    def pulls(self) -> list[Standing]:
        return [self._standing(each) for each in self.listed()]

    def listed(self) -> list[Any]:
        """As its API lists them, oldest first."""
        found: list[Any] = self.api("GET", "pulls?state=all&sort=created&direction=asc&per_page=100")
        return found

    def add_milestone(self, title: str) -> None:
        self.api("POST", "milestones", title=title)

    def close(self) -> None:
        self.change(state="closed")

    def reopen(self) -> None:
        self.change(state="open")

    def merge(self) -> None:
        self.api("PUT", f"pulls/{self._newest}/merge", merge_method="merge")

    def retarget(self, base: str) -> None:
        self.change(base=base)

    def write(self, *, title: str | None = None, body: str | None = None) -> None:
        given = {"title": title, "body": body}
        self.change(**{name: value for name, value in given.items() if value is not None})

    def label(self, name: str) -> None:
        self.api("POST", f"issues/{self._newest}/labels", labels=[name])

    def say(self, text: str, who: str = PERSON, *, at_once: bool = False) -> None:
        self.api("POST", f"issues/{self._newest}/comments", who, body=text)

    def change(self, **fields: Any) -> None:
        """Of the newest one."""
        self.api("PATCH", f"pulls/{self._newest}", **fields)

    def api(self, method: str, path: str, who: str = PERSON, **fields: Any) -> Any:
        return self.emulate.api(method, f"repos/{self.repository}/{path}", who, **fields)

    def written(self) -> list[str]:
        """What changed something since the last time it was asked, but a token that was minted."""
        asked = [f"{each.method} {each.target}" for each in self.emulate.asked if "git-upload-pack" not in each.target]
        self.emulate.asked.clear()
        return [each for each in asked if not each.startswith("GET ") and not each.endswith("/access_tokens")]

    @property
    def _newest(self) -> int:
        return int(self.listed()[-1]["number"])

    def _standing(self, found: dict[str, Any]) -> Standing:
        comments = self.api("GET", f"issues/{found['number']}/comments")
        return Standing(
            number=found["number"],
            state="merged" if found["merged_at"] else found["state"],
            title=found["title"],
            body=found["body"],
            draft=found["draft"],
            labels=tuple(label["name"] for label in found["labels"]),
            comments=tuple(each["body"] for each in comments),
            answers=0,
        )


@contextmanager
def emulate_world() -> Iterator[EmulateWorld]:
    """A new repository, in which PERSON may push, and in which we are an App."""
    running = emulate()
    origin = running.new()
    running.asked.clear()
    try:
        yield EmulateWorld(settings=running.settings(), repository=origin.name, origin=origin, emulate=running)
    finally:
        running.undisturbed()
