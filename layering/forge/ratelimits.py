"""What an answer says about when the next request may be sent: pure, from its status and headers.

docs.github.com/rest, "Rate limits for the REST API": `Retry-After` first, then `x-ratelimit-reset` when nothing
remains, else at least a minute. GitLab: `Retry-After`, `RateLimit-Remaining` and `RateLimit-Reset`.
"""

import email.utils
import re
from collections.abc import Mapping
from datetime import UTC, datetime

_SECONDARY_SECONDS = 60.0
_LIMITED = re.compile(r"rate limit|abuse detection|too many requests", re.IGNORECASE)
_PREFIXES = ("x-ratelimit-", "ratelimit-")


def wait_seconds(status: int, headers: Mapping[str, str], message: str, now: datetime) -> float | None:
    """Seconds until the same request may be sent again, as it was refused for a limit; None when it was not.

    `now` is the forge's clock. A write so refused was not done.
    """
    if status not in (403, 429, 503):
        return None
    asked = retry_after(headers, now)
    if status == 503:
        return asked
    exhausted = _until_reset(headers, now)
    if asked is None and exhausted is None and status == 403 and not _LIMITED.search(message):
        return None
    return next((seconds for seconds in (asked, exhausted) if seconds is not None), _SECONDARY_SECONDS)


def pause_seconds(headers: Mapping[str, str], now: datetime) -> float:
    """Seconds that no request is answered after this one, because nothing remains; 0 as long as something does."""
    return _until_reset(headers, now) or 0.0


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that the answer asks to wait: RFC 9110 section 10.2.3, a number of them or a date. None: it does not."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdecimal():
        return float(value[:9])
    moment = parse_date(value)
    return None if moment is None else max(0.0, (moment - now).total_seconds())


def _until_reset(headers: Mapping[str, str], now: datetime) -> float | None:
    for prefix in _PREFIXES:
        reset = headers.get(f"{prefix}reset", "").strip()
        if headers.get(f"{prefix}remaining", "").strip() == "0" and reset.isascii() and reset.isdecimal():
            return max(0.0, float(reset[:12]) - now.timestamp()) + 1.0  # both are cut to whole seconds
    return None


def parse_date(value: str) -> datetime | None:
    """An HTTP date (RFC 9110 section 5.6.7) in UTC, or None."""
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
