"""The schedule: says when to look, carries no facts. The only module that knows APScheduler."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from watcher.settings import Schedule


def trigger(schedule: Schedule) -> BaseTrigger:
    """When to look, in APScheduler's terms; cron expressions are in UTC."""
    cron = schedule.cron
    if cron is not None:
        return CronTrigger(
            minute=_listed(cron.minutes),
            hour=_listed(cron.hours),
            day=_listed(cron.days),
            month=_listed(cron.months),
            day_of_week=_listed(cron.weekdays),
            timezone="UTC",
        )
    return IntervalTrigger(seconds=schedule.every_seconds, jitter=schedule.jitter_seconds or None, timezone="UTC")


def _listed(values: Iterable[int | str]) -> str:
    return ",".join(map(str, values))


class Clockwork:
    """A running scheduler. Looks on one schedule never overlap; missed ones are made up by one."""

    def __init__(self) -> None:
        self._scheduler = BackgroundScheduler(timezone="UTC", daemon=True)
        self._scheduler.start()
        self._numbers = itertools.count()

    @contextmanager
    def looking(self, schedule: Schedule, look: Callable[[], object]) -> Iterator[None]:
        """Call `look` now, and then on schedule, for as long as the context is open."""
        job = self._scheduler.add_job(
            look,
            trigger(schedule),
            id=str(next(self._numbers)),
            next_run_time=datetime.now(UTC),  # the first look is now, not one interval from now
            max_instances=1,
            coalesce=True,
            misfire_grace_time=None,
        )
        try:
            yield
        finally:
            with suppress(JobLookupError):  # a job without a next time was removed by the scheduler
                job.remove()

    def look_in(self, seconds: float) -> None:
        """One look so many seconds from now, unless the schedule has one before that; the schedule then goes on."""
        at = datetime.now(UTC) + timedelta(seconds=seconds)
        for job in self._scheduler.get_jobs():
            with suppress(JobLookupError):
                if job.next_run_time is None or job.next_run_time > at:
                    job.modify(next_run_time=at)

    def close(self) -> None:
        """No more looks; does not wait for one that is under way."""
        self._scheduler.shutdown(wait=False)
