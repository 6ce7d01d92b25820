"""Who may use the embedded registry: an htpasswd file with bcrypt lines, as docker-registry takes it."""

import re
from collections.abc import Callable
from pathlib import Path

from layering.errors import InputError

_BCRYPT = re.compile(r"\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}")


def read_htpasswd(path: Path) -> Callable[[str, str], bool]:
    """A check of user name and password. Raises InputError for a file that is none, or without the `registry` extra."""
    try:
        import bcrypt
    except ImportError:
        raise InputError(
            "htpasswd files need the bcrypt package",
            next_step="install layerwatch with its extra `registry`: pip install '.[registry]' in its checkout",
        ) from None
    hashes = _hashes(path)

    def check(username: str, password: str) -> bool:
        expected = hashes.get(username)
        return expected is not None and bcrypt.checkpw(password.encode()[:72], expected)

    return check


def _hashes(path: Path) -> dict[str, bytes]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read: {type(error).__name__}", where=str(path)) from None
    found = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        username, colon, hashed = line.strip().partition(":")
        if not colon or not username or not _BCRYPT.fullmatch(hashed):
            raise InputError(
                "not a bcrypt line", where=f"{path}, line {number}", next_step="make it with htpasswd -B -n USER"
            )
        found[username] = hashed.encode()
    return found
