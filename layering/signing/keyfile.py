"""A private key in a file: PKCS #8 as openssl writes it, or the form that `cosign generate-key-pair` gives."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key

from layering.errors import InputError
from layering.secrets import Secret
from layering.signing.publickey import KINDS, PublicKey
from layering.signing.sealedkey import unseal

_BYTES_MAX = 64 * 1024
_SEALED = re.compile(rb"-----BEGIN ENCRYPTED (SIGSTORE|COSIGN) PRIVATE KEY-----(.+?)-----END ", re.DOTALL)
_Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True, kw_only=True, slots=True)
class FileKey:
    """A SigningKey that this process holds."""

    public: PublicKey
    _key: _Key = field(repr=False)

    def sign(self, message: bytes) -> bytes:
        """See SigningKey."""
        if isinstance(self._key, ec.EllipticCurvePrivateKey):
            return self._key.sign(message, ec.ECDSA(hashes.SHA256()))
        if isinstance(self._key, rsa.RSAPrivateKey):
            return self._key.sign(message, padding.PKCS1v15(), hashes.SHA256())
        return self._key.sign(message)


def read_key(path: Path, password: Secret | None) -> FileKey:
    """The key in a file; `password` is for one that is encrypted. Raises InputError when it cannot be used."""
    where = str(path)
    try:
        with path.open("rb") as stream:
            text = stream.read(_BYTES_MAX)
    except OSError as error:
        raise InputError(f"the private key cannot be read: {error.strerror}", where=where) from None
    sealed = _SEALED.search(text)
    try:
        key: object = (
            load_der_private_key(unseal(sealed[2], password, where), password=None)
            if sealed
            else load_pem_private_key(text, password=None)
        )
    except TypeError:
        raise InputError(
            "a key with a passphrase in a form that is not read here",
            where=where,
            next_step="take the passphrase off, or `cosign import-key-pair` it",
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise InputError(
            "no private key is in it", where=where, next_step=f"give one in PEM form: {KINDS}, or cosign's own form"
        ) from None
    if not isinstance(key, _Key):
        raise InputError(
            "a private key of a kind that images are not signed with", where=where, next_step=f"give one of {KINDS}"
        )
    return FileKey(public=PublicKey.of(key.public_key(), where), _key=key)
