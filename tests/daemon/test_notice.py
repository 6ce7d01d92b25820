"""The notice that signals give: seen, taken back, and given while its own thread is at it."""

import subprocess
import sys
import threading

from watcher.notice import Notice

_STORM = """
import signal
from watcher.notice import Notice

notice = Notice()
signal.signal(signal.SIGALRM, lambda *_: notice.set())
signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
for _ in range(20_000):
    notice.wait(0.0001)
    notice.clear()
signal.setitimer(signal.ITIMER_REAL, 0)
print("through")
"""


def test_it_stands_until_it_is_taken_back() -> None:
    notice = Notice()
    assert (notice.is_set(), notice.wait(0)) == (False, False)
    notice.set()
    notice.set()
    assert (notice.is_set(), notice.wait(0), notice.wait(0)) == (True, True, True)
    notice.clear()
    assert (notice.is_set(), notice.wait(0)) == (False, False)


def test_another_thread_wakes_who_waits() -> None:
    notice = Notice()
    threading.Timer(0.05, notice.set).start()
    assert notice.wait(60)


def test_signals_that_interrupt_its_thread_anywhere_do_not_stop_it() -> None:
    done = subprocess.run([sys.executable, "-c", _STORM], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "through\n", "")
