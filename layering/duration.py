"""Durations with their units: `60s`, `1h30m`. A bare number says nothing and is refused."""

import re
from typing import Any

_DURATION = re.compile(r"(?:[0-9]+(?:ms|s|m|h))+")
_PART = re.compile(r"([0-9]+)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_LONGEST_SECONDS = 31 * 24 * 3600.0


def parse_duration(value: Any) -> float:
    """Seconds. Raises ValueError that says which units there are."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(f"a duration has a unit: write {value}s, {value}m or {value}h")  # noqa: TRY004 see fields.py
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        raise ValueError(f"{value!r} is not a duration; write it as 60s, 5m or 1h30m")
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(value))
    if seconds > _LONGEST_SECONDS:
        raise ValueError("a duration is 31 days (744h) at most")
    return seconds
