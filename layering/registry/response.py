"""An answer whose body is still to be read."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from urllib3 import BaseHTTPResponse, HTTPHeaderDict


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Response:
    """What a host answered to one request. `url` is what was asked for, after redirects; `asked` its headers."""

    raw: BaseHTTPResponse = field(repr=False)
    url: str = field(repr=False)
    asked: Mapping[str, str] = field(repr=False)

    @property
    def status(self) -> int:
        """The status code."""
        return self.raw.status

    @property
    def headers(self) -> HTTPHeaderDict:
        """By name, in any case; of one that comes several times the values are joined with commas."""
        return self.raw.headers
