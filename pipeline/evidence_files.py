"""What earlier steps said about the image that is proposed: `--evidence STEP=FILE`, each FILE the JSON of one step.

Only what stands in the files is told. A file about another image than the proposed one is refused; nothing is asked of
a registry.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from layering.comparison import Comparison, LabelChanges, LayerChanges
from layering.errors import InputError
from layering.evidence import Evidence
from layering.findings import Finding, Severity
from layering.platform import Platform
from layering.reference import ImageReference
from pipeline.textfile import read_text

STEPS = ("resolve-base", "build-image", "check-image", "compare-images")
_BYTES_MAX = 16 * 1024 * 1024
_NO_EVIDENCE = Evidence()
_T = TypeVar("_T")

Document = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class StepEvidence:
    """What the files say; None where none of them says it. `version` is the release's, or the base's own.

    `built`: build-image says that it made the image.
    """

    base: ImageReference | None = None
    version: str | None = None
    old_image: str | None = None
    evidence: Evidence = _NO_EVIDENCE
    built: bool = False


def read_evidence(flags: Sequence[str], image: ImageReference) -> StepEvidence:
    """Read the files that `flags` (STEP=FILE) name. Raises InputError."""
    files = _files(flags)
    base = _told(files, "resolve-base", _base)
    built = _told(files, "build-image", _built)
    findings = _told(files, "check-image", read_findings)
    comparison = _told(files, "compare-images", read_comparison)
    for step, other in (("build-image", built), ("compare-images", comparison.new if comparison else None)):
        if other is not None and other.digest != image.digest:
            raise InputError(f"it is about another image, {other}", where=f"--evidence {step}={files[step]}")
    return StepEvidence(
        base=base[0] if base else None,
        version=base[1] if base else None,
        old_image=str(comparison.old) if comparison else None,
        evidence=Evidence(findings=findings, comparison=comparison),
        built=built is not None,
    )


def _files(flags: Sequence[str]) -> Mapping[str, Path]:
    files: dict[str, Path] = {}
    for flag in flags:
        step, equals, name = flag.partition("=")
        if not equals or not name or step not in STEPS:
            raise InputError(
                f"{flag!r} is not STEP=FILE", where="--evidence", next_step=f"STEP is one of {', '.join(STEPS)}"
            )
        if step in files:
            raise InputError(f"{step} is given twice", where="--evidence")
        files[step] = Path(name)
    return files


def _told(files: Mapping[str, Path], step: str, convert: Callable[[Document], _T]) -> _T | None:
    """What one step's file says, or None when there is none."""
    if step not in files:
        return None
    where = f"--evidence {step}={files[step]}"
    text = read_text(files[step], size_max=_BYTES_MAX)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise InputError("this is not JSON", where=where) from None
    try:
        return convert(document)
    except InputError as error:
        raise InputError(error.what, where=where, next_step=error.next_step) from None
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InputError(f"this is not what {step} prints", where=where) from None


def _base(document: Document) -> tuple[ImageReference, str | None]:
    version = document["release"] or document["version"]
    return ImageReference.parse_pinned(document["base"]), _text(version) if version else None


def _built(document: Document) -> ImageReference:
    return ImageReference.parse_pinned(document["image"])


def read_findings(document: Document) -> tuple[Finding, ...]:
    """What check-image found. Raises KeyError, TypeError and ValueError for what it does not print."""
    return tuple(
        Finding(rule=_text(found["rule"]), severity=Severity(found["severity"]), message=_text(found["message"]))
        for found in document["findings"]
    )


def read_comparison(document: Document) -> Comparison:
    """What compare-images found. Raises InputError, KeyError, TypeError and ValueError for what it does not print."""
    old, new = document["versions"]
    labels = document["labels"]
    return Comparison(
        old=ImageReference.parse_pinned(document["old"]),
        new=ImageReference.parse_pinned(document["new"]),
        versions=(_text(old) if old else None, _text(new) if new else None),
        labels=LabelChanges(
            added=_texts(labels["added"]),
            removed=_texts(labels["removed"]),
            changed={_text(name): (_text(was), _text(now)) for name, (was, now) in labels["changed"].items()},
        ),
        layers=tuple(_layers(entry) for entry in document["layers"]),
        same_content=bool(document["same_content"]),
    )


def _layers(entry: Document) -> LayerChanges:
    return LayerChanges(
        platform=Platform.parse(_text(entry["platform"])),
        shared=int(entry["shared"]),
        added=int(entry["added"]),
        removed=int(entry["removed"]),
        fetch_bytes=int(entry["fetch_bytes"]),
    )


def _texts(entries: Document) -> Mapping[str, str]:
    return {_text(name): _text(value) for name, value in entries.items()}


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(type(value).__name__)
    return value
