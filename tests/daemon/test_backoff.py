"""How long failures in a row are waited out."""

from watcher.backoff import Backoff


def test_twice_as_long_each_time_up_to_a_limit() -> None:
    backoff = Backoff(first_seconds=1, longest_seconds=10)
    waits = [backoff.seconds]
    for _ in range(6):
        backoff.failed()
        waits.append(backoff.seconds)
    assert waits == [None, 1, 2, 4, 8, 10, 10]


def test_what_went_well_starts_over_and_says_whether_it_had_failed() -> None:
    backoff = Backoff(first_seconds=1, longest_seconds=10)
    assert not backoff.went_well()
    backoff.failed()
    backoff.failed()
    assert backoff.went_well()
    assert backoff.seconds is None


def test_it_never_overflows() -> None:
    backoff = Backoff(first_seconds=0.1, longest_seconds=1e9)
    for _ in range(5000):
        backoff.failed()
    assert backoff.seconds == 0.1 * 2**16
