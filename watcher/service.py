"""`layerwatch run`: the process around the loop. Signals, the Lease, the listener, a configuration that changes.

It ends with 0 when told to (SIGTERM, SIGINT), within 10 s whatever hangs, and with 4 when it lost the Lease, within 1 s
and without waiting for anything. What a tick does is not its affair.
"""

import logging
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from layering.commands import end_all, is_busy
from layering.errors import ExitCode, LayerwatchError
from layering.ourversion import our_version
from layering.reasons import Reason
from watcher.bell import Bell
from watcher.configuration import load
from watcher.daemon import Clockwork
from watcher.election import Election, new_identity, steady_clock
from watcher.flags import RunFlags
from watcher.home import election_at_home, home_namespace
from watcher.inforce import InForce, Process, in_force
from watcher.listener import Listener, Page
from watcher.logs import set_up
from watcher.looknow import LookNow
from watcher.loop import EVERYTHING, Loop, Pulse
from watcher.metrics import Metrics, TickResult
from watcher.notice import Notice
from watcher.pages import exposition, healthz, readyz, status
from watcher.reload import ReloadWatch, WatchedFiles
from watcher.settings import Settings
from watcher.settings_http import Http

_log = logging.getLogger("layerwatch.service")
_TICK_ENDS_WITHIN_SECONDS = 5.0
_LEASE_BACK_WITHIN_SECONDS = 3.0
_LAST_WORDS_SECONDS = 0.5


def serve(config: Path, flags: RunFlags) -> int:
    """Run until told to end. Returns the exit code; what cannot begin is raised, or logged where programs read."""
    set_up(flags.log_format, flags.log_level)
    files = WatchedFiles([config])  # before it is read, so that no change is missed
    try:
        return Service(config, files, flags).run(load(config))
    except LayerwatchError as error:
        if flags.log_format != "json":
            raise
        _log.error("%s", error, extra={"reason": error.reason})
        return int(error.exit_code)


class Service:
    """One process of `layerwatch run`."""

    def __init__(self, config: Path, files: WatchedFiles, flags: RunFlags) -> None:
        self._config = config
        self._files = files
        self._flags = flags
        self._told_to_end = Notice()
        self._election: Election | None = None
        self._current: InForce | None = None
        self._fault: LayerwatchError | None = None
        self._elected_by: object = None
        self._http = Http()
        self._ticks_left = flags.ticks
        self._metrics = Metrics(our_version())
        self._clockwork = Clockwork()
        self._pulse = Pulse(steady_clock, is_busy)
        self._identity = new_identity()
        self._bell = Bell(steady_clock)
        self._reload = ReloadWatch(files, self._read_again)
        self._loop = Loop(
            self._bell,
            self._begin,
            pulse=self._pulse,
            may_tick=self._is_leader,
            ended=self._ticked,
            refused=self._refused,
        )
        self._process = Process(
            bell=self._bell,
            clockwork=self._clockwork,
            metrics=self._metrics,
            may_act=self._may_act,
            beat=self._pulse.beat,
            clock=steady_clock,
            now=lambda: datetime.now(UTC),
            identity=self._identity,
            dry_run=flags.dry_run,
        )

    def run(self, settings: Settings) -> int:
        """Until a signal, or until the Lease is lost. Raises LayerwatchError when `settings` cannot be put in force."""
        self._elected_by = _election_of(settings)
        with ExitStack() as opened:
            self._http = settings.http
            address = self._flags.listen or self._http.listen
            if address is not None:
                asked = LookNow(lambda: self._http, self._clockwork.look_in, steady_clock)
                listener = opened.enter_context(Listener(address, self._pages(), asked))
                _log.info("listening on %s", listener.address)
            elif self._http.look is not None or self._http.hooks:
                _log.warning("nobody can ask for a look: neither --listen nor http.listen says where to listen")
            if self._flags.leader_elect and not self._flags.dry_run:
                self._election = opened.enter_context(
                    election_at_home(settings, self._identity, won=self._won, lost=self._lost)
                )
            self._take_signals()
            self._follow(settings)
            self._loop.put_in_force(settings)
            self._start()
            self._told_to_end.wait_for_it()
            self._end()
        if self._fault is not None:
            raise self._fault
        return int(ExitCode.DONE)

    def _pages(self) -> Mapping[str, Page]:
        return {
            "/healthz": lambda: healthz(self._pulse),
            "/readyz": lambda: readyz(is_ready=self._is_ready()),
            "/metrics": lambda: exposition(self._metrics),
            "/status": lambda: status(self._current),
        }

    def _start(self) -> None:
        self._metrics.leads(is_leader=self._election is None)
        self._metrics.reloaded(is_good=True)
        self._loop.start()
        self._reload.start()
        if self._election is not None:
            _log.info("standing by until the lease is ours, as %s", self._identity)
            self._election.start()

    def _take_signals(self) -> None:
        def end(number: int, frame: FrameType | None) -> None:
            self._told_to_end.set()

        def read_again(number: int, frame: FrameType | None) -> None:
            self._reload.now()

        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
        signal.signal(signal.SIGHUP, read_again)

    def _end(self) -> None:
        """Stop acting, then give the Lease back, then leave; nothing that hangs keeps us."""
        _log.info("ending")
        self._reload.stop()
        self._clockwork.close()
        end_all()  # a build under way: whatever it left can be built again, and its caller comes back at once
        has_ended = self._loop.close(_TICK_ENDS_WITHIN_SECONDS)
        if self._election is not None and has_ended:
            resign = threading.Thread(target=self._election.resign, daemon=True)
            resign.start()
            resign.join(_LEASE_BACK_WITHIN_SECONDS)
            has_ended = not resign.is_alive()
        if not has_ended:
            _log.warning("something still hangs; leaving without it, and a lease of ours ends by itself")
            _leave(ExitCode.DONE)

    def _ticked(self, result: TickResult, seconds: float) -> None:
        self._metrics.ticked(result, seconds)
        if self._ticks_left is not None:
            self._ticks_left -= 1
            if self._ticks_left <= 0:
                self._told_to_end.set()

    def _is_leader(self) -> bool:
        return self._election is None or self._election.may_act()

    def _is_ready(self) -> bool:
        return self._loop.has_ticked.is_set() or not self._is_leader()

    def _may_act(self) -> bool:
        return not self._told_to_end.is_set() and self._is_leader()

    def _won(self) -> None:
        _log.info("the leader now")
        self._metrics.leads(is_leader=True)
        self._bell.ring(EVERYTHING)

    def _lost(self, why: str) -> None:
        """End at once, whatever the other threads do: somebody else may act from now on."""
        code = ExitCode.DONE if self._told_to_end.is_set() else ExitCode.UNAVAILABLE
        _leave_soon(code)
        end_all()
        _log.error("not the leader any more: %s; ending", why)
        _leave(code)

    @contextmanager
    def _begin(self, settings: Settings) -> Iterator[InForce]:
        with in_force(settings, self._process, self._current) as current:
            self._current = current
            self._metrics.reloaded(is_good=True)
            yield current

    def _read_again(self) -> None:
        try:
            settings = load(self._config)
        except LayerwatchError as error:
            self._stays(error)
            return
        if self._election is not None and _election_of(settings) != self._elected_by:
            _log.warning("the home cluster and the leader election change with the next start of the process")
        if settings.http.listen != self._http.listen:
            _log.warning("http.listen changes with the next start of the process")
        self._http = settings.http
        self._metrics.reloaded(is_good=True)
        self._follow(settings)
        self._loop.put_in_force(settings)

    def _refused(self, error: LayerwatchError) -> None:
        """It was read, and cannot be put in force; with none before it there is nothing to run."""
        if self._current is None:
            self._fault = error
            self._told_to_end.set()
        else:
            self._stays(error)

    def _stays(self, error: LayerwatchError) -> None:
        """The configuration before is still the one in force."""
        self._metrics.reloaded(is_good=False)
        known = {"reason": Reason.CONFIG_INVALID}
        _log.error("%s: the configuration before stays in force: %s", Reason.CONFIG_INVALID, error, extra=known)

    def _follow(self, settings: Settings) -> None:
        access = settings.registry_access
        beside = (access.auth_file, access.ca_file, access.mirrors, *access.release_signatures.keys)
        self._files.follow([self._config, *(file for file in beside if isinstance(file, Path))])


def _election_of(settings: Settings) -> object:
    """What the election was begun with; it is the same for the life of a process."""
    return settings.home, home_namespace(settings), settings.daemon.leader_election


def _leave(code: int) -> None:
    """End the process without waiting for any thread."""
    end_all()
    logging.shutdown()
    os._exit(code)


def _leave_soon(code: int) -> None:
    """However long it takes to say why."""
    timer = threading.Timer(_LAST_WORDS_SECONDS, os._exit, (code,))
    timer.daemon = True
    timer.start()
