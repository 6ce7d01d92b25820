"""What is said to one `layerwatch run` and stands in no configuration, because replicas differ in it."""

import argparse
from dataclasses import dataclass

from layering.errors import InputError
from watcher.listenaddress import ListenAddress


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFlags:
    """The flags of the daemon. `dry_run` sends no write at all, not even a Lease; after so many `ticks` it ends."""

    listen: ListenAddress | None = None
    leader_elect: bool = False
    log_format: str = "text"
    log_level: str = "info"
    dry_run: bool = False
    ticks: int | None = None


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `run` beside those that other commands have, too."""
    parser.add_argument("--once", action="store_true", help="one tick, then exit")
    parser.add_argument("--ticks", type=int, metavar="N", help="end after N ticks")
    parser.add_argument("--dry-run", action="store_true", help="decide and report, act on nothing")
    parser.add_argument(
        "--listen",
        metavar="HOST:PORT",
        help="serve /healthz, /readyz, /metrics and /status there (default: http.listen)",
    )
    parser.add_argument("--leader-elect", action="store_true", help="act only while holding the Lease; others stand by")
    parser.add_argument("--log-format", choices=["text", "json"], default="text", help="of the log on stderr")
    parser.add_argument(
        "--log-level", choices=["debug", "info", "warning", "error"], default="info", help="the least that is logged"
    )


def run_flags(arguments: argparse.Namespace) -> RunFlags:
    """The flags as they were given. Raises InputError for what is no address, and for what a single tick has not."""
    if arguments.once and (arguments.leader_elect or arguments.listen is not None or arguments.ticks is not None):
        raise InputError(
            "--leader-elect, --listen and --ticks are the daemon's; a single tick has none of them",
            where="run --once",
            next_step="leave out --once, or the other flag",
        )
    if arguments.ticks is not None and arguments.ticks < 1:
        raise InputError(f"{arguments.ticks} is no number of ticks", where="--ticks", next_step="name 1 or more")
    return RunFlags(
        listen=ListenAddress.parse(arguments.listen) if arguments.listen is not None else None,
        leader_elect=arguments.leader_elect,
        log_format=arguments.log_format,
        log_level=arguments.log_level,
        dry_run=arguments.dry_run,
        ticks=arguments.ticks,
    )
