"""Objects with one thing changed: what a slip of the pen would make of a file of ours."""

import copy
from typing import Any

from tests.tekton.files import Document

GONE = object()  # in place of a value: the key, or the item, is taken out


def edited(document: Document, path: str, value: Any) -> Document:
    """A copy with `value` at `path` (keys and indices, dots between; `+` appends to a list)."""
    made = copy.deepcopy(document)
    *way, last = [int(part) if part.isdecimal() else part for part in path.split(".")]
    holder: Any = made
    for part in way:
        holder = holder[part]
    if last == "+":
        holder.append(value)
    elif value is GONE:
        del holder[last]
    else:
        holder[last] = value
    return made
