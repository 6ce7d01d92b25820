"""What a configuration will be able to say in a later version: told as that, not as a mistake.

Such a form is replaced by one that this version takes, so that the rest of the configuration is read all the same and
all its faults come out together. When a form arrives in the models, its line goes from here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from watcher.settings_faults import Fault, Location

_ANY = object()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Later:
    """`where` is a place (`_ANY`: each item of a list); `fault_at` is added to it for the fault's path."""

    where: tuple[object, ...]
    is_meant: Callable[[Any], bool]
    message: str
    suggestion: str
    instead: object
    fault_at: Location = ()


_LATER = (
    _Later(
        where=("images", _ANY, "build"),
        is_meant=lambda value: isinstance(value, dict) and value.get("engine") == "githubActions",
        message="this version builds on this machine, or with Tekton",
        suggestion="write engine: local or tekton, without the engine's other keys",
        instead={},
        fault_at=("engine",),
    ),
    _Later(
        where=("images", _ANY, "proposals", _ANY, "forge"),
        is_meant=lambda value: value in ("github", "gitlab", "gitea"),
        message="this version proposes in a git repository on this machine only",
        suggestion="write forge: local, and the repository's path",
        instead="local",
    ),
)


def set_aside(document: Any) -> list[Fault]:
    """Replace the later forms in `document`, which is plain values and is changed. Gives one fault for each."""
    faults = []
    for later in _LATER:
        for holder, at in list(_places(document, later.where, ())):
            key = at[-1]
            if later.is_meant(holder[key]):
                faults.append(Fault(at=(*at, *later.fault_at), message=later.message, suggestion=later.suggestion))
                holder[key] = later.instead
    return faults


def _places(value: Any, where: tuple[object, ...], at: Location) -> Iterator[tuple[Any, Location]]:
    """What holds each place that `where` names, and the place; places that are not there, or odd, give nothing."""
    part, rest = where[0], where[1:]
    if part is _ANY:
        keys: list[Any] = list(range(len(value))) if isinstance(value, list) else []
    else:
        keys = [part] if isinstance(value, dict) and part in value else []
    for key in keys:
        if rest:
            yield from _places(value[key], rest, (*at, key))
        else:
            yield value, (*at, key)
