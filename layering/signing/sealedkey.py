"""The form in which cosign keeps a private key: scrypt makes a key of a password, and NaCl's secretbox is opened by it.

secure-systems-lab/go-securesystemslib, encrypted/encrypted.go. It says nothing of what is inside.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import Any

from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

from layering.errors import ContentError, InputError
from layering.registry.manifest import parse_object
from layering.secrets import Secret

PASSWORD_VARIABLE = "COSIGN_PASSWORD"  # noqa: S105 the name of a variable
_ROUNDS = (1 << 15, 1 << 16, 1 << 17)  # those the original knows; others would only cost time and memory
_BLOCK, _LANES = 8, 1
_MEMORY_BYTES_MAX = 192 * 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class SealedKey:
    """One that can be opened: by the key that scrypt makes of a password with `salt` in so many `rounds`."""

    rounds: int
    salt: bytes
    nonce: bytes
    content: bytes

    @classmethod
    def parse(cls, text: bytes, where: str) -> "SealedKey":
        """From what stands between the PEM's two lines. Raises InputError."""
        try:
            document = parse_object(base64.b64decode(b"".join(text.split()), validate=True), where)
            kdf, cipher, params = document["kdf"], document["cipher"], document["kdf"]["params"]
            form = (kdf["name"], cipher["name"], params["r"], params["p"])
            salt, nonce, content = _bytes(kdf["salt"]), _bytes(cipher["nonce"]), _bytes(document["ciphertext"])
            rounds = params["N"]
        except (ContentError, binascii.Error, ValueError, KeyError, TypeError):
            raise InputError("an encrypted private key that is broken", where=where) from None
        known = form == ("scrypt", "nacl/secretbox", _BLOCK, _LANES) and type(rounds) is int and rounds in _ROUNDS
        if not known or len(nonce) != SecretBox.NONCE_SIZE:
            raise InputError("a private key that is encrypted in a way not known here", where=where)
        return cls(rounds=rounds, salt=salt, nonce=nonce, content=content)

    def opened(self, password: Secret, where: str) -> bytes:
        """What is inside (PKCS #8, DER). Raises InputError for another password."""
        secret = hashlib.scrypt(
            password.reveal().encode(errors="surrogateescape"),  # a variable may hold any bytes
            salt=self.salt,
            n=self.rounds,
            r=_BLOCK,
            p=_LANES,
            maxmem=_MEMORY_BYTES_MAX,
            dklen=SecretBox.KEY_SIZE,
        )
        try:
            return SecretBox(secret).decrypt(self.content, self.nonce)
        except CryptoError:
            raise InputError(
                f"the private key does not open with the password in {PASSWORD_VARIABLE}", where=where
            ) from None


def unseal(text: bytes, password: Secret | None, where: str) -> bytes:
    """What is inside, given what stands between the PEM's two lines. Raises InputError."""
    if password is None:
        raise InputError(
            "this private key is encrypted", where=where, next_step=f"set {PASSWORD_VARIABLE}, be it empty"
        )
    return SealedKey.parse(text, where).opened(password, where)


def _bytes(text: Any) -> bytes:
    return base64.b64decode(text, validate=True)
