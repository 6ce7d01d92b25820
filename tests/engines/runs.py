"""PipelineRuns and TaskRuns as an API server gives them, an image that Tekton builds, and its request."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from layering.platform import Platform
from layering.reference import ImageReference
from layering.request import RebuildRequest, SourceEntry
from watcher.settings_image import ImageSettings

KEY, OTHER_KEY = "0a1b2c3d4e5f" + "0" * 52, "f" * 64
CREATED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FINISHED = datetime(2026, 3, 1, 12, 10, tzinfo=UTC)
Document = dict[str, Any]


def image(name: str = "worker-os", **build: Any) -> ImageSettings:
    return ImageSettings.model_validate(
        {
            "name": name,
            "base": {"image": "quay.io/fedora/fedora-coreos:stable"},
            "source": {"git": "https://git.example.com/acme/os-images.git"},
            "target": f"registry.example.com/acme/{name}",
            "build": {"engine": "tekton", **build},
        }
    )


def request(
    name: str = "worker-os",
    key: str | None = KEY,
    release: str | None = "4.19.2",
    build_args: Mapping[str, str] | None = None,
) -> RebuildRequest:
    return RebuildRequest(
        apiVersion="layerwatch/v1alpha1",
        kind="RebuildRequest",
        image=name,
        base=ImageReference.parse_pinned("quay.io/openshift/os:4.19@sha256:" + "1" * 64),
        release=release,
        platforms=(Platform("linux", "amd64"),),
        source=SourceEntry(git="https://git.example.com/acme/os-images.git", commit="c" * 40),
        buildArgs=build_args or {},
        target=ImageReference.parse(f"registry.example.com/acme/{name}:4.19.2-{(key or KEY)[:12]}"),
        key=key,
    )


def condition(status: str, reason: str, message: str = "") -> Document:
    return {"conditions": [{"type": "Succeeded", "status": status, "reason": reason, "message": message}]}


def stamp(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def run(
    attempt: int = 1,
    status: Mapping[str, Any] | None = None,
    *,
    key: str = KEY,
    name: str | None = None,
    created: datetime = CREATED,
    finished: datetime | None = FINISHED,
    asked_to_end: str | None = None,
    superseded_by: str | None = None,
) -> Document:
    """A run; `status` is empty for one that Tekton has not seen, and gets a completion time when it is finished."""
    ended = bool(status) and status["conditions"][0]["status"] != "Unknown" if status else False
    return {
        "metadata": {
            "name": name or f"worker-os-{key[:12]}-{attempt}",
            "uid": f"uid-{name or attempt}",
            "creationTimestamp": stamp(created),
            "labels": {
                "app.kubernetes.io/managed-by": "layerwatch",
                "layerwatch/image": "worker-os",
                "layerwatch/build-key": key[:12],
                "layerwatch/attempt": str(attempt),
            },
            "annotations": {
                "layerwatch/build-key": key,
                **({"layerwatch/superseded-by": superseded_by} if superseded_by else {}),
            },
        },
        "spec": {"status": asked_to_end} if asked_to_end else {},
        "status": {**(status or {}), **({"completionTime": stamp(finished)} if ended and finished else {})},
    }


def failed(attempt: int = 1, reason: str = "Failed", **more: Any) -> Document:
    return run(attempt, condition("False", reason, "Tasks Completed: 1 (Failed: 1, Cancelled 0), Skipped: 2"), **more)


def succeeded(attempt: int = 1, **more: Any) -> Document:
    return run(attempt, condition("True", "Succeeded"), **more)


def superseded(attempt: int = 1, **more: Any) -> Document:
    ended = {"asked_to_end": "CancelledRunFinally", "superseded_by": OTHER_KEY}
    return failed(attempt, "Cancelled", **{**ended, **more})
