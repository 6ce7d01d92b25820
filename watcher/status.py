"""`layerwatch status`: look at everything once, and tell it. It decides nothing by itself and writes nothing."""

import sys
from pathlib import Path

from layering.outcome import answer
from watcher.configuration import load
from watcher.overview import status_of
from watcher.report import Verdict
from watcher.status_document import as_json
from watcher.status_table import as_table
from watcher.watch import utc_now, watching


def status(config: Path, *, json_output: bool) -> int:
    """Look, and print what is there. Exit code 0, whatever it is: `check` is the one that judges."""
    settings = load(config)
    with watching(settings) as watch:
        verdicts = watch.look_and_tick(_silence, dry_run=True)
        found = status_of(settings, verdicts, watch.clusters.known, utc_now(), watch.orphans())
    answer(as_json(found) if json_output else as_table(found, colour=sys.stdout.isatty()), is_json=json_output)
    return 0


def _silence(verdict: Verdict) -> None:
    """Everything is told at the end."""
