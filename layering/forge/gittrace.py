"""What a server asked for in the headers of its last answer to git, which git itself tells nobody: its trace does.

git(1), GIT_TRACE_CURL: one line for each header; GIT_TRACE_CURL_NO_DATA leaves out what is transferred, and
GIT_TRACE_REDACT, which is its default, the credentials.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from layering.forge.ratelimits import parse_date, retry_after

_RECEIVED = re.compile(r"[\d:.]+ \S+ +<= Recv header: (?P<line>[^\r\n]*)")
_STATUS = re.compile(r"HTTP/[\d.]+ (?P<status>\d{3})\b")
_LIMITED = frozenset({403, 408, 425, 429})
_READ_MAX = 256 * 1024  # bytes, from the end: the last answer's headers


def traced_to(file: str) -> Mapping[str, str]:
    """The variables that make git write into this file, which is there, what `asked_seconds` reads."""
    return {"GIT_TRACE_CURL": file, "GIT_TRACE_CURL_NO_DATA": "1", "GIT_TRACE_REDACT": "1"}


def asked_seconds(trace: bytes) -> float | None:
    """Seconds that the last answer wants no further request for (Retry-After). None: it does not say, or means a no."""
    status, headers = 0, dict[str, str]()
    for line in trace[-_READ_MAX:].decode("utf-8", "replace").split("\n"):
        if (found := _RECEIVED.match(line)) is None:
            continue
        if answer := _STATUS.match(found["line"]):
            status = int(answer["status"])
            headers.clear()
        name, _, value = found["line"].partition(":")
        headers[name.title()] = value.strip()
    if status < 500 and status not in _LIMITED:
        return None
    return retry_after(headers, parse_date(headers.get("Date", "")) or datetime.now(UTC))
