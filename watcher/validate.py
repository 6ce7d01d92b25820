"""`layerwatch validate`: every fault of a configuration."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from layering.errors import ExitCode
from layering.githubactions import failed
from layering.outcome import answer, shown
from layering.request import API_VERSION
from watcher.configuration import load
from watcher.settings_faults import ConfigurationError


def validate(config: Path, *, json_output: bool) -> int:
    """Say what is wrong, or that nothing is. Exit code 0 or 2."""
    try:
        settings = load(config)
    except ConfigurationError as error:
        if not json_output:
            raise
        _answer_json(
            {"path": fault.path, "line": fault.line, "message": fault.message, "suggestion": fault.suggestion}
            for fault in error.faults
        )
        failed("layerwatch validate", shown(str(error)))
        return int(ExitCode.BAD_INPUT)
    if json_output:
        _answer_json([])
    else:
        pools = sum(len(image.proposals) for image in settings.images)
        held = ", ".join(
            _counted(*pair)
            for pair in ((len(settings.clusters), "cluster"), (len(settings.images), "image"), (pools, "pool"))
        )
        answer(f"{config}: {held}: the file has no faults; `layerwatch check` tries what it names\n")
    return 0


def _answer_json(faults: Iterable[Mapping[str, object]]) -> None:
    document = {"apiVersion": API_VERSION, "kind": "Validation", "faults": list(faults)}
    answer(json.dumps(document, indent=2) + "\n", is_json=True)


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
