"""Keys of every kind that images are signed with, as files."""

from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from layering.signing.keyfile import FileKey, read_key

_Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | dsa.DSAPrivateKey
KINDS: dict[str, Callable[[], _Key]] = {
    "EC P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EC P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
}
OTHER_KINDS: dict[str, Callable[[], _Key]] = {
    "EC of a curve nobody verifies": lambda: ec.generate_private_key(ec.SECP256K1()),
    "RSA that is too short": lambda: rsa.generate_private_key(65537, 1024),
    "DSA": lambda: dsa.generate_private_key(2048),
}


def write_key(directory: Path, kind: str, name: str = "key") -> Path:
    """NAME.pem with a new private key, NAME.pub beside it."""
    private = {**KINDS, **OTHER_KINDS}[kind]()
    path = directory / f"{name}.pem"
    path.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    path.with_suffix(".pub").write_bytes(public)
    return path


def new_key(directory: Path, name: str = "key", kind: str = "EC P-256") -> FileKey:
    """A new key, read from its file."""
    return read_key(write_key(directory, kind, name), None)
