"""What the hosts of all forges have in common: the connection, the login of git, the word for an answer that is odd.

Subclasses implement the rest of Host. Nothing of a forge's API is known here.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import quote

from layering.errors import UnavailableError
from layering.forge.credentials import Credentials
from layering.forge.exchange import Exchange
from layering.forge.pullrequest import PullPage, PullRequest
from layering.forge.settings import API_PATHS, ForgeSettings, Login
from layering.forge.treechange import TreeChange
from layering.reasons import Reason

_T = TypeVar("_T")


class ApiHost:
    """A part of Host. `product` is what people call the forge, `git_user` who git is with a token."""

    product: str
    git_user: str

    def __init__(self, settings: ForgeSettings, exchange: Exchange, credentials: Credentials) -> None:
        self._settings = settings
        self._exchange = exchange
        self._credentials = credentials

    def begin(self, *, briefly: bool = False) -> None:
        """See Host."""
        self._exchange.begin(briefly=briefly)

    def close(self) -> None:
        """See Host."""
        self._exchange.close()

    def now(self) -> datetime:
        """See Host."""
        return self._exchange.now()

    def login(self, repository: str) -> Login | None:
        """See Host."""
        token = self._credentials.token(repository)
        return Login(user=self.git_user, password=token) if token is not None else None

    def login_refused(self, repository: str) -> bool:
        """See Host."""
        return self._credentials.refused(repository)

    def git_url(self, repository: str, clone_url: str | None) -> str | None:
        """See Host."""
        base = self._settings.git_url
        return _below(base, repository) if base else clone_url

    def git_url_beside_the_api(self, repository: str) -> str | None:
        """See Host."""
        pages = self._pages_url()
        return _below(pages, repository) if pages is not None else None

    def _pages_url(self) -> str | None:
        """The address of the forge's pages; None when the API's does not tell it."""
        url, path = self._settings.url, API_PATHS[self._settings.kind]
        return url.removesuffix(path) if url.endswith(path) else None

    def opener_may_push(self, repository: str, opener: str) -> bool:
        """See Host: not asked for. GitLab lets nobody else open a merge request of a project's own branch."""
        raise NotImplementedError

    @abstractmethod
    def newest_pulls(self, repository: str, head: str) -> Iterator[PullPage]:
        """See Host."""

    def pulls_of(self, repository: str, head: str) -> Sequence[PullRequest]:
        """See Host."""
        found = [pull for page in self.newest_pulls(repository, head) for pull in page.pulls if pull.head == head]
        return sorted(found, key=lambda pull: pull.number, reverse=True)

    def signs_commits(self) -> bool:
        """See Host. Only GitHub does, for an App."""
        return False

    def commit(self, repository: str, change: TreeChange, message: str) -> tuple[str, tuple[str, ...]]:
        """See Host: not asked for."""
        raise NotImplementedError

    def commit_authors(self) -> tuple[str, ...]:
        """See Host: not asked for."""
        raise NotImplementedError

    def _read(self, read: Callable[[], _T], what: str) -> _T:
        """What `read` takes out of an answer. Raises UnavailableError when that is not `what` it should be."""
        try:
            return read()
        except (TypeError, KeyError, ValueError, AttributeError, OverflowError):
            raise self._unreadable(what) from None

    def _unreadable(self, what: str) -> UnavailableError:
        return UnavailableError(
            f"its answer is not {what} as {self.product} describes it",
            where=self._settings.name,
            next_step=f"see whether `url` is the address of {self.product}'s API",
            reason=Reason.FORGE_UNREACHABLE,
        )


def _below(base: str, repository: str) -> str:
    return f"{base.rstrip('/')}/{quote(repository)}.git"


def moment(text: str) -> datetime:
    """RFC 3339, in UTC; without an offset, it is in UTC."""
    found = datetime.fromisoformat(text)
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
