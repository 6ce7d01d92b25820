"""The schedule and the signals: says when to look, carries no facts.

The only module that knows APScheduler. SIGTERM and SIGINT end the loop; a build under way is abandoned (it can be
repeated safely), and the process ends with 0.
"""

import logging
import signal
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from types import FrameType

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from layering.commands import end_all
from watcher.settings import Schedule

_log = logging.getLogger("layerwatch.daemon")


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


def run_forever(schedule: Schedule, look: Callable[[], None]) -> None:
    """Look now and then on schedule until SIGTERM or SIGINT. Looks never overlap; missed ones are made up by one."""
    stop = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        _log.info("stopping on %s", signal.Signals(number).name)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    scheduler = BackgroundScheduler(timezone="UTC", daemon=True)
    scheduler.add_job(
        look,
        trigger(schedule),
        next_run_time=datetime.now(UTC),  # the first look is now, not one interval from now
        max_instances=1,
        coalesce=True,
        misfire_grace_time=None,
    )
    scheduler.start()
    stop.wait()
    end_all()  # a build under way: whatever it left can be built again, and its caller comes back at once
    scheduler.shutdown(wait=True)
