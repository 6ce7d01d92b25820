"""What can sign: a key in a file, or a program that asks a key management service."""

from typing import Protocol

from layering.errors import ContentError
from layering.signing.publickey import PublicKey


class SigningKey(Protocol):
    """A private key, wherever it is."""

    @property
    def public(self) -> PublicKey:
        """Its public half."""

    def sign(self, message: bytes) -> bytes:
        """Sign as PublicKey verifies. Raises what went wrong; never shows a secret."""


def signed(key: SigningKey, message: bytes) -> bytes:
    """The signature, verified once: nothing is published that nobody could verify. Raises ContentError."""
    public = key.public
    signature = key.sign(message)
    if not public.verifies(signature, message):
        raise ContentError(
            "what was signed does not verify with the key's own public half",
            where=f"key {public.fingerprint[:12]}",
            next_step="ECDSA and RSA (PKCS #1 v1.5) are over SHA-256, Ed25519 over the message itself",
        )
    return signature
