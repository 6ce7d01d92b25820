"""Which known name did somebody mean?"""

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`did you mean x or y?`, nearest first, or an empty text when nothing is near."""
    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.7)
    return f"did you mean {' or '.join(near)}?" if near else ""
