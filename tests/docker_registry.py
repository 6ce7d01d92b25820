"""Debian's docker-registry for tests: TLS with a certificate of its own, and a password."""

import base64
import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from layering.registry.settings import RegistrySettings
from tests.parts import require
from tests.ports import free_port

PASSWORD = "correct horse"


@contextmanager
def docker_registry(home: Path, auth: str = "") -> Iterator[tuple[str, RegistrySettings]]:
    """Its address, and how to reach it. `auth` replaces the password file: YAML, one mapping in a line."""
    serve = require("docker-registry")
    certificate, key = make_certificate(home)
    (home / "htpasswd").write_text(htpasswd_line("joe", PASSWORD))
    address = f"127.0.0.1:{free_port()}"
    (home / "config.yml").write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {home}/data}}, delete: {{enabled: true}}}}\n"
        f"http: {{addr: '{address}', secret: x, tls: {{certificate: {certificate}, key: {key}}}}}\n"
        f"auth: {auth or f'{{htpasswd: {{realm: test, path: {home}/htpasswd}}}}'}\n"
    )
    auth_file = write_auth_file(home / "auth.json", address, "joe", PASSWORD)
    with (home / "log").open("wb") as log:
        process = subprocess.Popen([serve, "serve", str(home / "config.yml")], stdout=log, stderr=log)
    try:
        wait_for(address, process)
        yield address, RegistrySettings(auth_file=auth_file, ca_file=certificate)
    finally:
        process.terminate()
        process.wait(timeout=10)


def make_certificate(home: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1, also by its name, and its key."""
    certificate, key = home / "ca.pem", home / "key.pem"
    subprocess.run(
        [require("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate,
         "-days", "2", "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key


def htpasswd_line(user: str, password: str) -> str:
    """A bcrypt line, made by Apache's own tool."""
    command = [require("htpasswd"), "-Bbn", user, password]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def write_auth_file(path: Path, address: str, user: str, password: str) -> Path:
    """An auth.json with one login."""
    secret = base64.b64encode(f"{user}:{password}".encode()).decode()
    path.write_text(json.dumps({"auths": {address: {"auth": secret}}}))
    return path


def wait_for(address: str, process: "subprocess.Popen[bytes]") -> None:
    """Until somebody listens there. Raises TimeoutError, at once when the process has ended."""
    host, _, port = address.rpartition(":")
    for _ in range(600):
        if process.poll() is not None:
            break
        with socket.socket() as probe:
            if probe.connect_ex((host, int(port))) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"nothing answers at {address}")
