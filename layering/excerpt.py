"""The end of a log, short enough for a report and without what could be a secret; the beginning of a list of faults.

What people's builds print is not ours: tokens, passwords and keys of the usual shapes are taken out, and characters
that would command a terminal. A secret of no known shape cannot be told from other text.
"""

import re
from collections.abc import Sequence
from itertools import accumulate

from layering.secrets import redact

LINES_MAX = 30
CHARACTERS_MAX = 2000

_HIDDEN = "***"
_LOOKED_AT = 4  # times what is shown
_COMMANDS = re.compile(r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-?]*[ -/]*[@-~]|\x1b.")  # ECMA-48: OSC, CSI, others
_KEY_BEGUN = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----(?:\s+[A-Za-z0-9+/=]+)*(?:\s+-----END [A-Z0-9 ]*PRIVATE KEY-----)?"
)
_KEY_ENDED = re.compile(r"(?:^[A-Za-z0-9+/=]{16,}\s+)*-----END [A-Z0-9 ]*PRIVATE KEY-----", re.MULTILINE)
_TOKEN = re.compile(
    r"\b(?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}|xox[abprs]-[\w-]{10,}|hv[sb]\.[\w-]{16,}"
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}|sha256~[\w-]{16,}|eyJ[\w-]{8,}(?:\.[\w-]*){0,2})"
)
_NAMED = re.compile(
    r"""(?ix)
    (?P<name> (?: passw(?:or)?d | passphrase | secret(?:[_-]?key)? | token | credentials? | auth | authorization
                | (?:api|access|private)[_-]?key )["']? \s*[=:]\s* | --(?:password|token|creds?)[ ]+ )
    (?P<value> "[^"\n]*"? | '[^'\n]*'? | [^\s"',;}]+ )
    """
)


def beginning(lines: Sequence[str], characters: int) -> list[str]:
    """The first lines, so many characters together at most; the last one says how many more there are."""
    shown = [line for line, end in zip(lines, accumulate(map(len, lines)), strict=True) if end <= characters]
    return [*shown, f"and {len(lines) - len(shown)} more"] if len(shown) < len(lines) else shown


def excerpt(log: str, lines: int = LINES_MAX, characters: int = CHARACTERS_MAX) -> str:
    """The last lines of `log`, at most so many and so long; what is left out at the front is shown by an ellipsis."""
    end = _end(log, _LOOKED_AT * characters)
    kept = [line for line in without_secrets(end).splitlines() if line]
    text = "\n".join(kept[-lines:])
    cut = text[-characters:]
    return f"…{cut}" if len(end) < len(log) or len(kept) > lines or len(cut) < len(text) else cut


def _end(log: str, characters: int) -> str:
    """The end of a long log: none takes long to read. It begins with a line or a word: half a secret has no shape."""
    if len(log) <= characters:
        return log
    end = log[-characters:]
    _, line_end, whole = end.partition("\n")
    return whole if line_end else re.sub(r"^\S*", "", end)


def without_secrets(text: str) -> str:
    """`text` without what could be a credential, and without what commands a terminal. Lines end with "\n"."""
    text = "\n".join(_COMMANDS.sub("", text).splitlines())  # a bare \r too: progress is drawn with it
    text = "".join(character if character.isprintable() or character == "\n" else " " for character in text)
    for shape in (_KEY_BEGUN, _KEY_ENDED, _TOKEN):
        text = shape.sub(_HIDDEN, text)
    return redact(_NAMED.sub(rf"\g<name>{_HIDDEN}", redact(text)))
