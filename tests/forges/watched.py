"""A forge behind a relay: its settings lead through it, so that each request of ours, API and git, is counted."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from layering.forge.settings import ForgeSettings
from tests.forges.relay import relay_to
from tests.git_http import Asked, Between, Served


@dataclass(kw_only=True)
class Watched:
    """`settings` lead through the relay; `asked` is what came by; a test may set `between`."""

    settings: ForgeSettings
    asked: list[Asked] = field(default_factory=list)
    between: Between = lambda _, serve: serve()

    def forget(self) -> None:
        """Count from nothing again."""
        self.asked.clear()

    def undisturbed(self) -> None:
        """Nothing comes between any more."""
        self.between = lambda _, serve: serve()

    @property
    def api(self) -> list[str]:
        """The API requests so far: `GET /repos/…`, without their queries."""
        return [f"{each.method} {urlsplit(each.target).path}" for each in self.asked if not is_git(each)]

    @property
    def git(self) -> list[str]:
        """git's requests so far (`Asked.kind`)."""
        return [each.kind for each in self.asked if is_git(each)]

    @property
    def writes(self) -> list[str]:
        """Those that change something."""
        return [each for each in self.api if not each.startswith("GET ")] + [
            each for each in self.git if "push" in each
        ]

    def _passed(self, asked: Asked, serve: Callable[[], Served]) -> Served | None:
        self.asked.append(asked)
        return self.between(asked, serve)


@contextmanager
def watched(settings: ForgeSettings, git_url: str) -> Iterator[Watched]:
    """`git_url`: the base of the forge's git over HTTP, on the same server as its API."""
    api, git = urlsplit(settings.url), urlsplit(git_url)
    assert api.netloc == git.netloc
    made = Watched(settings=settings)
    with relay_to(api.netloc, lambda asked, serve: made._passed(asked, serve)) as address:
        made.settings = replace(
            settings, url=f"http://{address}{api.path}", git_url=f"http://{address}{git.path}".rstrip("/")
        )
        yield made


def is_git(asked: Asked) -> bool:
    """Whether git asked (gitprotocol-http(5)), and not the API."""
    return "git-upload-pack" in asked.target or "git-receive-pack" in asked.target


def is_write(asked: Asked) -> bool:
    """Whether it is there to change something."""
    return "push" in asked.kind if is_git(asked) else asked.method != "GET"
