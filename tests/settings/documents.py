"""A small valid configuration, and how to write a changed one into a file."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml


def proposal(**keys: Any) -> dict[str, Any]:
    return {"cluster": "prod", "pool": "worker", "repository": "config.git", "file": "os.yaml", **keys}


def image(*, without: Iterable[str] = (), **keys: Any) -> dict[str, Any]:
    document = {
        "name": "worker-os",
        "base": {"cluster": "prod", "tag": "rhel-coreos"},
        "source": {"git": "os-images.git"},
        "target": "registry.example.com/acme/worker-os",
        "proposals": [proposal()],
        **keys,
    }
    return {key: value for key, value in document.items() if key not in set(without)}


def cluster(**keys: Any) -> dict[str, Any]:
    return {"name": "prod", "access": {"file": "clusterversion.yaml"}, **keys}


def document(**keys: Any) -> dict[str, Any]:
    return {
        "apiVersion": "layerwatch/v1alpha1",
        "kind": "WatchConfig",
        "clusters": [cluster()],
        "images": [image()],
        **keys,
    }


def written(directory: Path, content: Mapping[str, Any] | str | bytes) -> Path:
    file = directory / "layerwatch.yaml"
    if isinstance(content, Mapping):
        content = yaml.safe_dump(dict(content), sort_keys=False)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file
