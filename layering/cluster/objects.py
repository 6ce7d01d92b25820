"""Reading objects that an API server checked little of: what is missing, or of another type, reads as nothing.

Which fields matter, and whether nothing is a fault, is for those who read them.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any


def mapping(value: Any) -> Mapping[str, Any]:
    """An object; any other value is an empty one."""
    return value if isinstance(value, dict) else {}


def mappings(value: Any) -> tuple[Mapping[str, Any], ...]:
    """The objects of a list; what is none in it is left out."""
    return tuple(item for item in value if isinstance(item, dict)) if isinstance(value, list) else ()


def text(value: Any) -> str:
    """A text; any other value is an empty one."""
    return value if isinstance(value, str) else ""


def texts(value: Any) -> tuple[str, ...]:
    """The texts of a list."""
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def number(value: Any) -> int:
    """A whole number; any other value is 0."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def moment(value: Any) -> datetime | None:
    """metav1.Time, RFC 3339 with an offset."""
    try:
        time = datetime.fromisoformat(text(value))
    except ValueError:
        return None
    return time if time.tzinfo is not None else None


def name_of(body: Mapping[str, Any]) -> str:
    """`metadata.name`."""
    return text(mapping(body.get("metadata")).get("name"))


def labels(body: Mapping[str, Any]) -> Mapping[str, str]:
    """`metadata.labels`."""
    return _words(mapping(body.get("metadata")).get("labels"))


def annotations(body: Mapping[str, Any]) -> Mapping[str, str]:
    """`metadata.annotations`."""
    return _words(mapping(body.get("metadata")).get("annotations"))


def is_observed(body: Mapping[str, Any]) -> bool:
    """Whether the status is about the spec as it stands: `status.observedGeneration` against `metadata.generation`."""
    generation = number(mapping(body.get("metadata")).get("generation"))
    return number(mapping(body.get("status")).get("observedGeneration")) >= generation


def conditions(body: Mapping[str, Any]) -> Mapping[str, tuple[bool, str]]:
    """`status.conditions`: for each type whether it is True, and its message."""
    entries = mappings(mapping(body.get("status")).get("conditions"))
    return {text(entry.get("type")): (entry.get("status") == "True", text(entry.get("message"))) for entry in entries}


def _words(value: Any) -> Mapping[str, str]:
    return {key: item for key, item in mapping(value).items() if isinstance(item, str)}
