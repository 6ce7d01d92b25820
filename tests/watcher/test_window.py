"""When a maintenance window is open, and when it opens next: also when clocks are set, and held to looking each minute.

2025 in Europe/Berlin: on 30 March at 01:00 UTC the clocks jump from 02:00 to 03:00; on 26 October at 01:00 UTC they are
put back from 03:00 to 02:00. 1 June is a Sunday.
"""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layering.errors import InputError
from layering.window import ALL_DAYS, Day, Window, is_open, next_opening, time_zone

BERLIN, KOLKATA, LORD_HOWE = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kolkata"), ZoneInfo("Australia/Lord_Howe")
ZONES = [ZoneInfo("UTC"), BERLIN, KOLKATA, LORD_HOWE, ZoneInfo("America/St_Johns"), ZoneInfo("Pacific/Apia")]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def window(start: str, end: str, *days: Day, zone: ZoneInfo = BERLIN) -> Window:
    return Window(
        start=time.fromisoformat(start),
        end=time.fromisoformat(end),
        zone=zone,
        days=frozenset(days) or ALL_DAYS,
    )


NIGHT, LUNCH = window("22:00", "04:00"), window("12:00", "13:00")
SUNDAY_NIGHT = window("22:00", "04:00", Day.SUN)
SMALL_HOURS, IN_THE_GAP = window("01:30", "02:30"), window("02:10", "02:40")


@pytest.mark.parametrize(
    ("one", "at", "expected"),
    [
        pytest.param(LUNCH, "2025-06-02T10:00", True, id="at its start: 12:00 there"),
        pytest.param(LUNCH, "2025-06-02T09:59:59", False, id="a second before"),
        pytest.param(LUNCH, "2025-06-02T10:59:59", True, id="its last second"),
        pytest.param(LUNCH, "2025-06-02T11:00", False, id="at its end"),
        pytest.param(NIGHT, "2025-06-02T20:00", True, id="over midnight: the evening"),
        pytest.param(NIGHT, "2025-06-02T01:59", True, id="over midnight: the morning"),
        pytest.param(NIGHT, "2025-06-02T02:00", False, id="over midnight: at its end"),
        pytest.param(SUNDAY_NIGHT, "2025-06-01T20:00", True, id="Sunday night: its evening"),
        pytest.param(SUNDAY_NIGHT, "2025-06-02T01:00", True, id="Sunday night: Monday's morning is its own"),
        pytest.param(SUNDAY_NIGHT, "2025-06-01T01:00", False, id="Sunday night: Sunday's morning is Saturday's"),
        pytest.param(SUNDAY_NIGHT, "2025-06-02T20:00", False, id="Sunday night: not Monday's evening"),
        pytest.param(window("05:00", "05:00", Day.SAT), "2025-06-01T02:59", True, id="equal: until the next day"),
        pytest.param(window("05:00", "05:00", Day.SAT), "2025-06-01T03:00", False, id="equal: for 24 hours"),
        pytest.param(window("00:00", "00:00", Day.SUN), "2025-05-31T22:00", True, id="a whole day, there"),
        pytest.param(window("00:00", "00:00", Day.SUN), "2025-06-01T22:00", False, id="a whole day is over, there"),
        pytest.param(window("09:00", "10:00", zone=KOLKATA), "2025-06-02T03:30", True, id="half an hour's offset"),
        pytest.param(SMALL_HOURS, "2025-03-30T00:45", True, id="clocks jump: before"),
        pytest.param(SMALL_HOURS, "2025-03-30T01:00", False, id="clocks jump: 03:00 at once"),
        pytest.param(IN_THE_GAP, "2025-03-30T01:15", False, id="clocks jump over the whole of it"),
        pytest.param(SMALL_HOURS, "2025-10-26T00:15", True, id="clocks are put back: the first 02:15"),
        pytest.param(SMALL_HOURS, "2025-10-26T00:45", False, id="clocks are put back: between the two"),
        pytest.param(SMALL_HOURS, "2025-10-26T01:15", True, id="clocks are put back: the second 02:15"),
    ],
)
def test_whether_it_is_open(one: Window, at: str, expected: bool) -> None:
    assert is_open([one], utc(at)) is expected


@pytest.mark.parametrize(
    ("windows", "at", "expected"),
    [
        pytest.param([LUNCH], "2025-06-02T10:30", "2025-06-02T12:30:00+02:00", id="open now"),
        pytest.param([LUNCH], "2025-06-02T11:00", "2025-06-03T12:00:00+02:00", id="tomorrow"),
        pytest.param([LUNCH], "2025-12-01T11:00", "2025-12-01T12:00:00+01:00", id="in winter"),
        pytest.param([SUNDAY_NIGHT], "2025-06-02T02:00", "2025-06-08T22:00:00+02:00", id="in a week"),
        pytest.param([SUNDAY_NIGHT, LUNCH], "2025-06-02T02:00", "2025-06-02T12:00:00+02:00", id="the first of two"),
        pytest.param([IN_THE_GAP], "2025-03-30T00:00", "2025-03-31T02:10:00+02:00", id="not on the day of the jump"),
        pytest.param(
            [window("02:10", "02:40", Day.SUN)], "2025-03-24T00:00", "2025-04-06T02:10:00+02:00", id="in two weeks"
        ),
        pytest.param([window("02:30", "04:00")], "2025-03-30T00:00", "2025-03-30T03:00:00+02:00", id="after the jump"),
        pytest.param([SMALL_HOURS], "2025-10-26T00:30", "2025-10-26T02:00:00+01:00", id="again, when put back"),
    ],
)
def test_when_it_opens(windows: list[Window], at: str, expected: str) -> None:
    opening = next_opening(windows, utc(at))
    assert opening is not None
    assert opening.isoformat() == expected


def test_none_is_always() -> None:
    assert is_open([], utc("2025-06-02T00:00"))
    assert next_opening([], utc("2025-06-02T00:00")) is None


@pytest.mark.parametrize("name", ["Europe", "Europe/Berln", "../x", "/etc/localtime", "", "CEST+1"])
def test_what_is_no_time_zone(name: str) -> None:
    with pytest.raises(InputError, match="is no time zone") as caught:
        time_zone(name)
    assert caught.value.next_step


TIMES = st.builds(time, st.integers(0, 23), st.integers(0, 59))
WINDOWS = st.builds(
    Window,
    start=TIMES,
    end=TIMES,
    zone=st.sampled_from(ZONES),
    days=st.frozensets(st.sampled_from(Day), min_size=1),
)
AROUND_A_CHANGE = [utc("2025-03-29T12:00"), utc("2025-10-25T20:00"), utc("2025-04-05T09:00"), utc("2011-12-29T08:00")]
MOMENTS = st.builds(
    lambda start, minutes: start + timedelta(minutes=minutes),
    st.sampled_from(AROUND_A_CHANGE),
    st.integers(0, 2 * 24 * 60),
)


@given(st.lists(WINDOWS, min_size=1, max_size=2), MOMENTS)
def test_it_opens_when_looking_each_minute_says_so(windows: list[Window], at: datetime) -> None:
    opening = next_opening(windows, at)
    minutes = (at + timedelta(minutes=number) for number in range(16 * 24 * 60))
    assert opening == next((minute for minute in minutes if is_open(windows, minute)), None)


@given(WINDOWS, MOMENTS)
def test_the_clocks_there_show_a_time_in_it(one: Window, at: datetime) -> None:
    """From what the clocks show, by another way: counted in minutes since the beginning of its day."""
    here = at.astimezone(one.zone)
    now, start, end = (clock.hour * 60 + clock.minute for clock in (here, one.start, one.end))
    length = (end - start) % 1440 or 1440
    began_today = 0 <= now - start < length
    began_yesterday = 0 <= now + 1440 - start < length
    today = Day(here.weekday())
    expected = (began_today and today in one.days) or (began_yesterday and Day((today - 1) % 7) in one.days)
    assert is_open([one], at) is expected
