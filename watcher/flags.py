"""What is said to one process of `layerwatch run` and stands in no configuration, because replicas differ in it."""

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
