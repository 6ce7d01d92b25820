"""A token service for docker-registry, as small as it can be: it signs what a known user asks for.

Distribution's token specification (distribution/distribution docs/spec/auth/jwt.md): RS256, the certificate in `x5c`.
"""

import base64
import json
import re
import ssl
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from layering.registry.server import RegistryServer, one_of
from layering.registry.server_http import Answer, Asked
from layering.registry.settings import RegistrySettings
from tests.docker_registry import PASSWORD, docker_registry, make_certificate
from tests.parts import require

_ISSUER, _SERVICE = "test issuer", "test registry"
_SCOPE = re.compile(r"repository:(?P<name>[^:]+):(?P<actions>[a-z,*]+)")


@dataclass(frozen=True, kw_only=True)
class TokenService:
    """Answers `GET /token` of users whose password the server has checked."""

    certificate: Path
    key: Path

    def __call__(self, asked: Asked) -> Answer:
        scopes = parse_qs(urlsplit(asked.target).query).get("scope", [])
        access = [
            {"type": "repository", "name": match["name"], "actions": match["actions"].split(",")}
            for scope in scopes
            if (match := _SCOPE.fullmatch(scope))
        ]
        return Answer(status=200, body=json.dumps({"token": self._sign(access), "expires_in": 300}).encode())

    def _sign(self, access: list[dict[str, Any]]) -> str:
        now = int(time.time())
        chain = base64.b64encode(ssl.PEM_cert_to_DER_cert(self.certificate.read_text())).decode()
        header = {"typ": "JWT", "alg": "RS256", "x5c": [chain]}
        claims = {"iss": _ISSUER, "sub": "joe", "aud": _SERVICE, "exp": now + 300, "nbf": now - 10, "iat": now}
        content = f"{_part(header)}.{_part({**claims, 'jti': uuid.uuid4().hex, 'access': access})}"
        argv = [require("openssl"), "dgst", "-sha256", "-sign", str(self.key)]
        signature = subprocess.run(argv, input=content.encode(), capture_output=True, check=True).stdout
        return f"{content}.{_base64url(signature)}"


@contextmanager
def docker_registry_with_tokens(home: Path) -> Iterator[tuple[str, RegistrySettings]]:
    """docker-registry that takes tokens only, from a service on the same host and another port."""
    with docker_registry_and_tokens(home) as (address, settings, _):
        yield address, settings


@contextmanager
def docker_registry_and_tokens(
    home: Path, host: str = "127.0.0.1"
) -> Iterator[tuple[str, RegistrySettings, RegistryServer]]:
    """The same, and the server of its token service, which the registry names by `host`."""
    (home / "tokens").mkdir()
    certificate, key = make_certificate(home / "tokens")
    service = TokenService(certificate=certificate, key=key)
    with RegistryServer(tls=(certificate, key), check_password=one_of({"joe": PASSWORD}), intercept=service) as tokens:
        realm = tokens.url.replace("127.0.0.1", host) + "/token"
        auth = f"{{token: {{realm: '{realm}', service: {_SERVICE}, issuer: {_ISSUER}, rootcertbundle: {certificate}}}}}"
        with docker_registry(home, auth) as (address, settings):
            both = home / "both.pem"
            both.write_text(certificate.read_text() + (home / "ca.pem").read_text())
            yield address, RegistrySettings(auth_file=settings.auth_file, ca_file=both), tokens


def _part(document: dict[str, Any]) -> str:
    return _base64url(json.dumps(document).encode())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
