"""Who signed a message: pysequoia (the extra `verify`) says it, or else the program gpgv.

The only module that verifies OpenPGP. Both are asked the same: one message of one signature, one keyring; both refuse
what is expired, revoked or made with SHA-1. What the message says is not looked at.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from layering import commands
from layering.errors import ContentError
from layering.releasesignatures.keyring import Keyring
from layering.releasesignatures.packets import Packet, signed_message

if TYPE_CHECKING:
    import pysequoia

_GPGV_SECONDS = 30.0
_STATUS = "[GNUPG:] "
_ONCE_EACH = ("NEWSIG", "GOODSIG", "VALIDSIG")  # GnuPG, doc/DETAILS
_NEVER = {"BADSIG", "ERRSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG", "NODATA", "FAILURE"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Signed:
    """What a key of a keyring signed. `fingerprint` is the primary key's, in upper case; `created` is in UTC."""

    content: bytes = field(repr=False)
    fingerprint: str
    created: datetime | None


def verify(signature: bytes, keyring: Keyring) -> Signed:
    """What the signature is of, when a key of `keyring` made it.

    Raises ContentError when none did, InputError when there is nothing to verify with, or an unusable key.
    """
    message, packet = signed_message(signature)
    is_there = find_spec("pysequoia") is not None
    return _by_sequoia(message, packet, keyring) if is_there else _by_gpgv(message, keyring)


def _by_sequoia(message: bytes, packet: Packet, keyring: Keyring) -> Signed:
    """Sequoia asks whether a key was alive when it signed, so that it is alive now is asked here."""
    import pysequoia  # a look at a thousand tags verifies nothing, and need not hold it

    try:
        certificates = [one for one in pysequoia.Cert.split_bytes(keyring.data) if _is_valid_now(one)]
        result = pysequoia.verify(bytes=message, store=lambda ids: certificates)
        created = pysequoia.Sig.from_bytes(bytes(packet)).created
    except Exception as error:  # noqa: BLE001 it has no errors of its own
        raise _not_signed(keyring, str(error).splitlines()) from None
    if len(result.valid_sigs) != 1 or result.bytes is None:
        raise _not_signed(keyring, ())
    return Signed(content=result.bytes, fingerprint=result.valid_sigs[0].certificate.upper(), created=created)


def _is_valid_now(certificate: "pysequoia.Cert") -> bool:
    """Not so for one that Sequoia's policy refuses; the others of its keyring still count."""
    try:
        expiration = certificate.expiration
        return not certificate.is_revoked and (expiration is None or expiration > datetime.now(UTC))
    except Exception:  # noqa: BLE001 it has no errors of its own
        return False


def _by_gpgv(message: bytes, keyring: Keyring) -> Signed:
    with tempfile.TemporaryDirectory(prefix="layerwatch-gpgv-") as name:
        directory = Path(name)
        keys, signed, content = directory / "keys.gpg", directory / "signed", directory / "content"
        keys.write_bytes(keyring.data)
        signed.write_bytes(message)
        argv = ["gpgv", "--homedir", name, "--keyring", str(keys), "--weak-digest", "SHA1"]
        argv += ["--status-fd", "1", "--output", str(content), str(signed)]
        ended = commands.run(argv, env={"LC_ALL": "C"}, timeout_seconds=_GPGV_SECONDS)
        said = [
            line.removeprefix(_STATUS).split()
            for line in ended.stdout.decode("utf-8", "replace").splitlines()
            if line.startswith(_STATUS)
        ]
        words = [line[0] for line in said if line]
        if not ended.succeeded or _NEVER & set(words) or any(words.count(word) != 1 for word in _ONCE_EACH):
            raise _not_signed(keyring, ended.message.splitlines()[-1:])
        valid = next(line for line in said if line[0] == "VALIDSIG")
        return Signed(content=content.read_bytes(), fingerprint=valid[-1], created=_moment(valid[3]))


def _moment(text: str) -> datetime | None:
    return datetime.fromtimestamp(int(text), UTC) if text.isdecimal() else None


def _not_signed(keyring: Keyring, why: Sequence[str]) -> ContentError:
    """`why` is the verifier's own words."""
    said = f" ({why[0].strip()[:200]})" if why else ""
    return ContentError(f"not signed by a key of {keyring.name} that is valid now{said}")
