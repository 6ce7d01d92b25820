"""What a flag's text says, and errors that name the flag."""

from collections.abc import Callable
from typing import TypeVar

from layering.errors import InputError

_T = TypeVar("_T")


def flag_value(flag: str, parse: Callable[[str], _T], text: str) -> _T:
    """What `parse` makes of the text. Raises InputError that names the flag."""
    try:
        return parse(text)
    except InputError as error:
        error.where = flag
        raise
