"""The keys that flags name: `--key FILE|exec:PROGRAM` to sign with, a file with a public key to check with.

A directory is a Secret that `cosign generate-key-pair k8s://NAMESPACE/NAME` made, mounted. Needs the extra `sign`, and
says so.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from layering.errors import InputError
from layering.secrets import Secret
from pipeline.mounted import read_mounted

if TYPE_CHECKING:
    from layering.signing.publickey import PublicKey
    from layering.signing.signingkey import SigningKey

_PROGRAM = "exec:"
_KEY_NAME, _PASSWORD_NAME = "cosign.key", "cosign.password"


def signing_key(text: str) -> "SigningKey":
    """What `--key` names. Raises InputError when it cannot be used."""
    try:
        from layering.signing.keyfile import read_key
        from layering.signing.programkey import ProgramKey
        from layering.signing.sealedkey import PASSWORD_VARIABLE
    except ImportError:
        raise _missing("--key") from None
    if text.startswith(_PROGRAM):
        return ProgramKey(text.removeprefix(_PROGRAM))
    path, password = Path(text), os.environ.get(PASSWORD_VARIABLE)
    if path.is_dir():
        if password is None and (path / _PASSWORD_NAME).is_file():
            password = read_mounted(path / _PASSWORD_NAME, "--key").decode(errors="surrogateescape")
        path /= _KEY_NAME
    return read_key(path, None if password is None else Secret(password))


def public_key(path: Path, flag: str) -> "PublicKey":
    """The public key in a file. Raises InputError when there is none."""
    try:
        from layering.signing.publickey import PublicKey
    except ImportError:
        raise _missing(flag) from None
    try:
        return PublicKey.parse(path.read_bytes(), f"{flag}: {path}")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", where=flag) from None


def _missing(flag: str) -> InputError:
    return InputError(
        "nothing here can make or check signatures", where=flag, next_step="pip install '.[sign]' in the checkout"
    )
