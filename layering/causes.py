"""What is behind an error: libraries that wrap others hide causes in several places."""

from typing import Any

_CAUSES_MAX = 20


def causes(error: BaseException) -> list[BaseException]:
    """The error and what is behind it, outermost first; urllib3 hides causes in args and `reason`."""
    found: list[BaseException] = []
    queue: list[Any] = [error]
    while queue and len(found) < _CAUSES_MAX:
        current = queue.pop(0)
        if isinstance(current, BaseException) and current not in found:
            found.append(current)
            queue += [getattr(current, "reason", None), current.__cause__, current.__context__, *current.args]
    return found
