"""Cron expressions as crontab(5) means them: five fields, `*`, lists, ranges, steps, names of months and days.

It reads an expression and says what is wrong with it; when the next time comes, the scheduler says (daemon.py). What
the scheduler would understand differently never reaches it: days of the week come out as names (crontab's 0 and 7 are
Sunday, APScheduler's 0 is Monday), and "this day of the month or this day of the week", which it would read as both,
is refused.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_PART = re.compile(r"(?P<first>\*|[0-9]{1,2}|[a-z]{3})(?:-(?P<last>[0-9]{1,2}|[a-z]{3}))?(?:/(?P<step>[0-9]{1,2}))?")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_DAYS_OF = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}


@dataclass(frozen=True, kw_only=True, slots=True)
class Cron:
    """When to look: all minutes, hours, days and months in ascending order, and days of the week by name; in UTC."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Field:
    name: str
    lowest: int
    highest: int
    names: Sequence[str] = ()


_FIELDS = (
    _Field(name="minute", lowest=0, highest=59),
    _Field(name="hour", lowest=0, highest=23),
    _Field(name="day of the month", lowest=1, highest=31),
    _Field(name="month", lowest=1, highest=12, names=_MONTHS),
    _Field(name="day of the week", lowest=0, highest=7, names=_WEEKDAYS),
)


def parse_cron(text: str) -> Cron:
    """Read one expression. Raises ValueError that names the field."""
    fields = text.lower().split()
    if len(fields) != len(_FIELDS):
        raise ValueError(f"a cron expression has five fields, such as */5 * * * *; {text!r} has {len(fields)}")
    minutes, hours, days, months, weekdays = (
        tuple(sorted({number for part in written.split(",") for number in _numbers(part, field)}))
        for field, written in zip(_FIELDS, fields, strict=True)
    )
    if not fields[2].startswith("*") and not fields[4].startswith("*"):
        raise ValueError(
            "a day of the month and a day of the week in one cron expression mean either; keep one of them"
        )
    if all(days[0] > _DAYS_OF.get(month, 31) for month in months):
        raise ValueError(f"no month of {text!r} has a day {days[0]}")
    names = tuple(dict.fromkeys(_WEEKDAYS[number % 7] for number in weekdays))
    return Cron(minutes=minutes, hours=hours, days=days, months=months, weekdays=names)


def _numbers(part: str, field: _Field) -> Iterator[int]:
    """The numbers of one part of a list: `*`, `*/n`, `a`, `a-b`, `a-b/n`."""
    match = _PART.fullmatch(part)
    if match is None or (match["step"] and match["first"] != "*" and match["last"] is None):
        raise ValueError(f"{part!r} is not a cron expression's {field.name}; write *, */2, 3, 3-9, 3-9/2 or 3,5,7")
    if match["first"] == "*":
        if match["last"] is not None:
            raise ValueError(f"{part!r} is not a range of a cron expression's {field.name}")
        first, last = field.lowest, field.highest - (field.names is _WEEKDAYS)  # Sunday once
    else:
        first = _number(match["first"], field)
        last = first if match["last"] is None else _number(match["last"], field)
    step = int(match["step"] or 1)
    if first > last or step == 0:
        raise ValueError(f"{part!r} is an empty range of a cron expression's {field.name}")
    return iter(range(first, last + 1, step))


def _number(text: str, field: _Field) -> int:
    if text in field.names:
        return field.names.index(text) + field.lowest
    if not text.isdigit() or not field.lowest <= int(text) <= field.highest:
        raise ValueError(f"{text!r} is not a {field.name}; {field.lowest} to {field.highest}")
    return int(text)
