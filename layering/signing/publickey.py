"""A public key: which signatures are its own.

As cosign and containers/image judge them: ECDSA and RSA (PKCS #1 v1.5) over SHA-256, whatever the size of the key, and
Ed25519 over the message itself.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from layering.errors import InputError

KINDS = "EC (P-256, P-384, P-521), RSA of 2048 bits or more, or Ed25519"
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_RSA_BITS_MIN = 2048
_RSA_BITS_MAX = 16384  # a check must not take minutes
_Key = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey


@dataclass(frozen=True, slots=True, repr=False)
class PublicKey:
    """One key that images may be signed with."""

    _key: _Key

    @classmethod
    def parse(cls, pem: bytes, where: str) -> "PublicKey":
        """Read `BEGIN PUBLIC KEY`. Raises InputError for anything else."""
        try:
            return cls.of(load_pem_public_key(pem), where)
        except (ValueError, UnsupportedAlgorithm):
            raise InputError("no public key in PEM form", where=where, next_step=f"give one of {KINDS}") from None

    @classmethod
    def of(cls, key: object, where: str) -> "PublicKey":
        """Take a key of `cryptography`. Raises InputError for a kind that images are not signed with."""
        is_ec = isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES)
        is_rsa = isinstance(key, rsa.RSAPublicKey) and _RSA_BITS_MIN <= key.key_size <= _RSA_BITS_MAX
        if not (is_ec or is_rsa or isinstance(key, ed25519.Ed25519PublicKey)):
            raise InputError(
                "a key of a kind that images are not signed with", where=where, next_step=f"give one of {KINDS}"
            )
        return cls(key)  # type: ignore[arg-type]  # is_ec and is_rsa have narrowed it

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether this very key signed this very message."""
        try:
            if isinstance(self._key, ec.EllipticCurvePublicKey):
                self._key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
            elif isinstance(self._key, rsa.RSAPublicKey):
                self._key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
            else:
                self._key.verify(signature, message)
        except InvalidSignature:
            return False
        return True

    @property
    def fingerprint(self) -> str:
        """SHA-256 of its DER form, in hex."""
        return self._sha256().hex()

    @property
    def hint(self) -> str:
        """The same in base64: how a bundle says which key it is by."""
        return base64.b64encode(self._sha256()).decode()

    def _sha256(self) -> bytes:
        der = self._key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return hashlib.sha256(der).digest()

    def __repr__(self) -> str:
        return f"PublicKey({self.fingerprint})"


def decoded(text: object) -> bytes | None:
    """Standard base64 as signatures travel in; None for anything else."""
    try:
        return base64.b64decode(text, validate=True) if isinstance(text, str) else None
    except (binascii.Error, ValueError):
        return None
