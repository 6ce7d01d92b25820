"""HTTP with one forge: one session, its limits kept, its failures told in our errors. Knows no pull request.

The only module of `layering/forge/` that sends through `requests`.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from layering.errors import UnavailableError


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """One API request that was sent, for counters and budgets. `status` is 0 when no answer came; no query in `path`."""

    forge: str
    method: str
    path: str
    status: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What came back: `json` is None without a body. `next_page` is the next one's URL, on the same origin."""

    status: int
    json: Any = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    next_page: str | None = None

    @property
    def message(self) -> str:
        """What the forge says is wrong, in one line: its `message` and `errors`, redacted."""
        raise NotImplementedError


class LostAnswerError(UnavailableError):
    """A write was sent and no answer came: it may have been done. Look before writing again (exit 4)."""


class Exchange:
    """Thread-safe. What may wait (5xx, dropped connections, limits) waits as long as the thread's patience lasts."""

    def begin(self) -> None:
        """An operation of this thread begins: it may wait `max_wait_seconds` in all from now."""

    def now(self) -> datetime:
        """The forge's clock as its last answer told it (`Date`); ours before the first. UTC."""
        raise NotImplementedError

    def get(self, path: str, params: Mapping[str, str | int] | None = None, *, expect: Collection[int] = ()) -> Answer:
        """`path` below the forge's `url` (segments quoted by the caller), or a `next_page`.

        Sends If-None-Match when it knows an ETag for this very URL; a 304 gives the remembered answer.
        """
        raise NotImplementedError

    def pages(self, path: str, params: Mapping[str, str | int] | None = None, limit: int = 100) -> Iterator[Answer]:
        """The answer and those that its Link header's rel="next" leads to, at most `limit`."""
        raise NotImplementedError

    def send(
        self, method: str, path: str, json: Mapping[str, Any] | None = None, *, expect: Collection[int] = ()
    ) -> Answer:
        """POST, PUT, PATCH, DELETE. Of the statuses from 400 on only those in `expect` come back as answers.

        Raises LostAnswerError as above; a 5xx or 429 to a write is told as a lost answer too, unless the forge says
        that nothing was done (429, 403 with a limit, 503 with Retry-After: then waited for and sent again).
        401: the token is read again; another one is tried once. 401, 403: RefusedError; 404: NotFoundError; both with
        reason ForgeRefused and what scope is missing where the forge says so (X-Accepted-GitHub-Permissions …); other
        4xx: InputError with the forge's message.
        """
        raise NotImplementedError
