"""Which of two versions is older, where that can be told.

Releases are semantic versions (`4.19.2`); OS images carry dotted numbers (`9.6.20250603-0`, `418.94.202502100215-0`).
Anything else is not compared: "cannot tell" is not "older".
"""

import re

import semver

_NUMBERS = re.compile(r"[0-9]+([.-][0-9]+)*")


def is_older(version: str, *, than: str) -> bool:
    """Whether `version` is certainly older. False when the two cannot be compared."""
    if _NUMBERS.fullmatch(version) and _NUMBERS.fullmatch(than):
        return _numbers(version) < _numbers(than)
    try:
        return semver.Version.parse(version) < semver.Version.parse(than)
    except ValueError:
        return False


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.split(r"[.-]", version))
