"""`layerwatch validate`: every fault of a configuration."""

import json
from pathlib import Path

from layering.errors import ExitCode
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
        faults = [
            {"path": fault.path, "line": fault.line, "message": fault.message, "suggestion": fault.suggestion}
            for fault in error.faults
        ]
        print(json.dumps({"apiVersion": API_VERSION, "kind": "Validation", "faults": faults}, indent=2))
        return int(ExitCode.BAD_INPUT)
    if json_output:
        print(json.dumps({"apiVersion": API_VERSION, "kind": "Validation", "faults": []}, indent=2))
    else:
        pools = sum(len(image.proposals) for image in settings.images)
        print(f"{config}: {len(settings.clusters)} clusters, {len(settings.images)} images, {pools} pools: no faults")
    return 0
