"""Maintenance windows: when a proposal may be opened, or moved to a newer image.

A window is open while the clocks of its time zone show a time in it. Where they jump over a part of it, that part is
not; where they are put back, it comes twice. Pure: no clock is read here.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import IntEnum
from zoneinfo import ZoneInfo, available_timezones

from layering.errors import InputError
from layering.suggestion import did_you_mean

_LOOKED_AHEAD_DAYS = 16  # once a week, and once when the clocks jump over it
_A_DAY, _A_MINUTE = timedelta(days=1), timedelta(minutes=1)


class Day(IntEnum):
    """As datetime counts them."""

    MON = 0
    TUE = 1
    WED = 2
    THU = 3
    FRI = 4
    SAT = 5
    SUN = 6


ALL_DAYS = frozenset(Day)


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """From `start` on each of `days` until `end`, which is on the next day when it is not later than `start`."""

    start: time
    end: time
    zone: ZoneInfo
    days: frozenset[Day] = ALL_DAYS

    def has(self, at: datetime) -> bool:
        """Whether it is open at that time."""
        here = at.astimezone(self.zone)
        clock, today = here.time(), Day(here.weekday())
        yesterday = Day((today - 1) % len(Day))
        if self.start < self.end:
            return today in self.days and self.start <= clock < self.end
        return (today in self.days and clock >= self.start) or (yesterday in self.days and clock < self.end)


def is_open(windows: Sequence[Window], at: datetime) -> bool:
    """Whether one of them is open; always when there are none. `at` has a time zone."""
    return not windows or any(window.has(at) for window in windows)


def next_opening(windows: Sequence[Window], at: datetime) -> datetime | None:
    """When one of them is open next, in its own time zone: `at` when one is open now.

    None when there are none, or when none opens within 16 days.
    """
    # In UTC: datetimes of one time zone are compared by what its clocks show, which come twice when they are put back.
    openings = ((moment, number) for number, window in enumerate(windows) for moment in _openings(window, at))
    first = min(openings, default=None)
    return first[0].astimezone(windows[first[1]].zone) if first else None


def time_zone(name: str) -> ZoneInfo:
    """A time zone by its name in the IANA database, such as Europe/Berlin. Raises InputError."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # a name that is not there, that is no name, that is a directory
        hint = did_you_mean(name, available_timezones()) or "write it as in Europe/Berlin, or UTC"
        raise InputError(f"{name!r} is no time zone", next_step=hint) from None


def _openings(window: Window, at: datetime) -> Iterator[datetime]:
    """The first times from `at` on at which it may begin to be open, and is. In UTC."""
    here = at.astimezone(window.zone)
    days = [here.date() + number * _A_DAY for number in range(-1, _LOOKED_AHEAD_DAYS)]
    now = at.astimezone(UTC)
    for moment in (now, *_starts(window, days), *_jumps(window.zone, now)):
        if moment >= now and window.has(moment):
            yield moment


def _starts(window: Window, days: Iterable[date]) -> Iterator[datetime]:
    """When the clocks show `start`: once a day, and on a day on which they are put back perhaps twice. In UTC."""
    for day in days:
        for fold in (0, 1):
            yield datetime.combine(day, window.start.replace(fold=fold), window.zone).astimezone(UTC)


def _jumps(zone: ZoneInfo, at: datetime) -> Iterator[datetime]:
    """When the clocks of a zone are set, to the minute. In UTC."""
    first = at.replace(second=0, microsecond=0)
    for number in range(_LOOKED_AHEAD_DAYS):
        before, after = first + number * _A_DAY, first + (number + 1) * _A_DAY
        if _offset(zone, before) == _offset(zone, after):
            continue
        while after - before > _A_MINUTE:
            middle = before + (after - before) // _A_MINUTE // 2 * _A_MINUTE
            before, after = (middle, after) if _offset(zone, middle) == _offset(zone, before) else (before, middle)
        yield after


def _offset(zone: ZoneInfo, at: datetime) -> timedelta | None:
    return at.astimezone(zone).utcoffset()
