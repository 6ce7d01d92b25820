"""gitlab-ci/layerwatch.yml as GitLab and its runner take it: inputs put into the text, jobs extended, scripts run.

docs.gitlab.com/ci/inputs (interpolation comes before YAML), /ci/yaml (extends), /ci/variables (expansion; `expand`).
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

DIRECTORY = Path(__file__).parents[2] / "gitlab-ci"
TEMPLATE = DIRECTORY / "layerwatch.yml"
IMAGE = f"registry.example.com/acme/layerwatch@sha256:{'a' * 64}"
_INPUT = re.compile(r"\$\[\[ inputs\.([a-z-]+) \]\]")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")
_TYPES: Mapping[str, type | tuple[type, ...]] = {"string": str, "boolean": bool, "number": (int, float), "array": list}

Document = dict[str, Any]


def parts() -> tuple[str, str]:
    """The header, and what inputs are put into."""
    header, _, body = TEMPLATE.read_text().partition("\n---\n")
    return header, body


def inputs() -> dict[str, Document]:
    """Name and specification of each input."""
    return dict(yaml.safe_load(parts()[0])["spec"]["inputs"])


def included(**given: Any) -> Document:
    """The file as a pipeline has it that includes it with these inputs (`_` for `-`). Raises ValueError as GitLab."""
    values = {"container-image": IMAGE, **{name.replace("_", "-"): value for name, value in given.items()}}
    if unknown := values.keys() - inputs().keys():
        raise ValueError(f"unknown: {unknown}")
    texts = {name: _text(name, spec, values) for name, spec in inputs().items()}
    return dict(yaml.safe_load(_INPUT.sub(lambda match: texts[match[1]], parts()[1])))


def _text(name: str, spec: Document, values: Mapping[str, Any]) -> str:
    value, kind = values.get(name, spec.get("default")), spec.get("type", "string")
    if not isinstance(value, _TYPES[kind]):
        raise ValueError(f"{name} is no {kind}")  # noqa: TRY004 one error for all that GitLab refuses
    if "regex" in spec and not re.search(spec["regex"].replace(r"\z", r"\Z"), str(value)):
        raise ValueError(f"{name} does not match")
    return value if isinstance(value, str) else json.dumps(value)


def job(document: Document, name: str) -> Document:
    """A job with all that it extends: maps are merged, everything else is replaced."""
    own = document[name]
    return _merged(job(document, own["extends"]), own) if "extends" in own else own


def _merged(below: Document, above: Document) -> Document:
    return {
        key: _merged(below[key], above[key])
        if isinstance(below.get(key), dict) and isinstance(above.get(key), dict)
        else above.get(key, below.get(key))
        for key in {**below, **above}
    }


def environment(job: Document, project: Mapping[str, str]) -> dict[str, str]:
    """The job's variables as its script sees them; `project`, those of the project and of jobs before, count more."""
    own: dict[str, str] = {}
    for name, entry in job["variables"].items():
        value = entry if isinstance(entry, str) else entry["value"]
        raw = isinstance(entry, dict) and entry.get("expand") is False
        own[name] = value if raw else _VARIABLE.sub(lambda found: project.get(found[1] or found[2], ""), value)
    return {**own, **project}


def run(job: Document, directory: Path, project: Mapping[str, str] = {}) -> subprocess.CompletedProcess[str]:
    """The job's script in a shell, where `layerwatch` and `layerwatch-step` are ours unless `project` has a PATH."""
    path = os.pathsep.join([project.get("PATH", str(Path(sys.executable).parent)), os.environ["PATH"]])
    script = "\n".join(["set -eo pipefail", *job["script"]])
    return subprocess.run(
        ["bash", "-c", script],
        cwd=directory,
        env={"HOME": str(directory), **environment(job, project), "PATH": path},
        capture_output=True,
        text=True,
    )
