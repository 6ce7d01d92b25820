"""The keys and certificates an API server needs, made anew for each; for 127.0.0.1 and localhost alone.

They are valid for ten years and protect nothing: the server listens on the loopback interface, for one test run.
"""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_VALID = datetime.timedelta(days=3650)
_CLOCK_SKEW = datetime.timedelta(hours=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class CertificateFiles:
    """PEM files. `service_account_key` signs the tokens of ServiceAccounts."""

    ca: Path
    server: Path
    server_key: Path
    service_account_key: Path


def write_certificates(directory: Path) -> CertificateFiles:
    """A certificate authority, a server certificate signed by it, and a key for tokens, as files in `directory`."""
    files = CertificateFiles(
        ca=directory / "ca.crt",
        server=directory / "tls.crt",
        server_key=directory / "tls.key",
        service_account_key=directory / "sa.key",
    )
    ca_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca_name = _name("layerwatch test authority")
    ca = _certificate(ca_name, ca_name, ca_key.public_key()).add_extension(x509.BasicConstraints(True, None), True)
    ca = ca.add_extension(_may_sign(), True)
    server = _certificate(_name("127.0.0.1"), ca_name, server_key.public_key())
    server = server.add_extension(x509.SubjectAlternativeName(_SERVER_NAMES), False)
    server = server.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
    files.ca.write_bytes(_signed(ca, ca_key))
    files.server.write_bytes(_signed(server, ca_key))
    files.server_key.write_bytes(_pem(server_key))
    files.service_account_key.write_bytes(_pem(rsa.generate_private_key(public_exponent=65537, key_size=2048)))
    return files


_SERVER_NAMES = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _certificate(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + _VALID)
    )


def _may_sign() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _signed(certificate: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey) -> bytes:
    return certificate.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
