"""Cron expressions mean what crontab(5) says, also where the scheduler behind would understand something else."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from watcher.cron import parse_cron
from watcher.daemon import trigger
from watcher.settings import Schedule

MONDAY = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "times"),
    [
        pytest.param("*/20 * * * *", ["Mon 1 Jan 00:00", "Mon 1 Jan 00:20", "Mon 1 Jan 00:40"], id="step"),
        pytest.param("5 4 * * *", ["Mon 1 Jan 04:05", "Tue 2 Jan 04:05"], id="daily"),
        pytest.param("0 0 * * 0", ["Sun 7 Jan 00:00", "Sun 14 Jan 00:00"], id="0 is Sunday"),
        pytest.param("0 0 * * 7", ["Sun 7 Jan 00:00", "Sun 14 Jan 00:00"], id="7 is Sunday too"),
        pytest.param("0 0 * * 1", ["Mon 1 Jan 00:00", "Mon 8 Jan 00:00"], id="1 is Monday"),
        pytest.param("0 0 * * 5-7", ["Fri 5 Jan 00:00", "Sat 6 Jan 00:00", "Sun 7 Jan 00:00"], id="week's end"),
        pytest.param("0 0 * * mon-wed/2", ["Mon 1 Jan 00:00", "Wed 3 Jan 00:00"], id="names of days"),
        pytest.param("0 12 1,15 feb,MAR *", ["Thu 1 Feb 12:00", "Thu 15 Feb 12:00", "Fri 1 Mar 12:00"], id="months"),
        pytest.param("0 0 29 2 *", ["Thu 29 Feb 00:00"], id="leap day"),
        pytest.param("10-12 9 1 1 *", ["Mon 1 Jan 09:10", "Mon 1 Jan 09:11", "Mon 1 Jan 09:12"], id="range"),
    ],
)
def test_when_it_looks(expression: str, times: list[str]) -> None:
    when = trigger(Schedule.model_validate({"cron": expression}))
    found, now = [], MONDAY
    for _ in times:
        at = when.get_next_fire_time(None, now)
        found.append(f"{at:%a} {at.day} {at:%b %H:%M}")
        now = at + timedelta(minutes=1)
    assert found == times


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("", "has 0"),
        ("@daily", "has 1"),
        ("* * * * * *", "has 6"),
        ("60 * * * *", "'60' is not a minute; 0 to 59"),
        ("* 24 * * *", "'24' is not a hour"),
        ("* * 0 * *", "'0' is not a day of the month"),
        ("* * * 13 *", "'13' is not a month"),
        ("* * * * 8", "'8' is not a day of the week"),
        ("* * * * fry", "'fry' is not a day of the week"),
        ("*/0 * * * *", "empty range"),
        ("9-3 * * * *", "empty range"),
        ("5/10 * * * *", "is not a cron expression's minute"),
        ("*-5 * * * *", "is not a range"),
        ("1,,2 * * * *", "is not a cron expression's minute"),
        ("-1 * * * *", "is not a cron expression's minute"),
        ("* * L * *", "is not a cron expression's day of the month"),
        ("0 0 31 4,6 *", "has a day 31"),
        ("0 0 13 * 5", "mean either"),
    ],
)
def test_what_is_refused(expression: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_cron(expression)


FIELD = st.from_regex(r"(\*|[0-9]{1,2}|sun|jan)(-[0-9]{1,2})?(/[0-9])?(,[0-9]{1,2})?", fullmatch=True)


@given(st.lists(FIELD, min_size=5, max_size=5).map(" ".join) | st.text(max_size=30))
@example("0 0 29 2 *")
def test_whatever_is_taken_comes_some_day_within_eight_years(expression: str) -> None:
    try:
        schedule = Schedule.model_validate({"cron": expression})
    except ValueError:
        return
    at = trigger(schedule).get_next_fire_time(None, MONDAY)
    assert at is not None
    assert at - MONDAY < timedelta(days=8 * 366)
    assert schedule.cron is not None
    assert at.minute in schedule.cron.minutes
    assert f"{at:%a}".lower() in schedule.cron.weekdays
