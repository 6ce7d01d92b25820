"""`check` and `run`: put the parts together from a configuration, and tick.

Nothing is decided here. Decisions go to stdout (`check`, `run --once`) or to the log on stderr (the daemon).
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from layering.errors import InputError
from layering.githubactions import is_runner, output
from layering.outcome import answer, say
from watcher.configuration import load
from watcher.flags import RunFlags
from watcher.report import Verdict, as_json, as_table, check_exit_code, document, log_line, tick_exit_code
from watcher.watch import watching


def check(config: Path, *, json_output: bool) -> int:
    """Observe and decide. Exit code 0, 10 or 11."""
    with watching(load(config)) as watch:
        verdicts = watch.look_and_tick(_silence, dry_run=True)
    _print("Check", verdicts, json_output=json_output)
    return _told("layerwatch check", verdicts, check_exit_code(verdicts))


def run_once(config: Path, *, dry_run: bool, json_output: bool) -> int:
    """One tick. Exit code 0, or 11 when something is in the way."""
    with watching(load(config), stays=False) as watch:
        verdicts = watch.look_and_tick(lambda verdict: say(log_line(verdict)), dry_run=dry_run)
    _print("Tick", verdicts, json_output=json_output)
    output({"decisions": document("Tick", verdicts)})
    return _told("layerwatch run", verdicts, tick_exit_code(verdicts))


def _told(command: str, verdicts: Sequence[Verdict], exit_code: int) -> int:
    """`exit_code`, once the runner of GitHub Actions was told what it means."""
    if is_runner():
        from watcher.jobsummary import tell

        tell(command, verdicts)
    return exit_code


def run_daemon(config: Path, flags: RunFlags) -> int:
    """Tick on schedule, and whenever a cluster changes, until SIGTERM."""
    try:
        from watcher.service import serve
    except ModuleNotFoundError as error:
        raise InputError(
            f"the daemon needs the {error.name} package",
            where="run",
            next_step="install the extra `watcher` (pip install '.[watcher]' in the checkout), or look with --once",
        ) from None
    return serve(config, flags)


def _silence(verdict: Verdict) -> None:
    """`check` reports at the end only."""


def _print(kind: str, verdicts: Sequence[Verdict], *, json_output: bool) -> None:
    text = as_json(kind, verdicts) if json_output else as_table(verdicts, colour=sys.stdout.isatty())
    answer(text, is_json=json_output)
