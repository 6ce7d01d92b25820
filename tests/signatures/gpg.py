"""Real keys and real signatures, made by GnuPG in a home of its own; and the documents that are signed."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.daemon.process import eventually

IDENTITY = "quay.io/openshift-release-dev/ocp-release"
LONG_AGO = "20200201T000000"  # as gpg reads a time that it shall take for now


class Gpg:
    """One GnuPG home. Keys are called by their user id. A context manager, which ends the agent that gpg starts."""

    def __init__(self, program: str) -> None:
        self._program = program
        self._home = Path(tempfile.mkdtemp(prefix="gpg-"))  # short: the agent's socket lies in it

    def make(self, name: str, *, algorithm: str = "ed25519", expires: str = "never", at: str = "") -> None:
        """A key that signs."""
        self._run(["--passphrase", "", "--quick-gen-key", name, algorithm, "sign", expires], at=at)

    def add_signing_subkey(self, name: str) -> None:
        fingerprint = self.fingerprint(name)
        self._run(["--passphrase", "", "--quick-add-key", fingerprint, "ed25519", "sign", "never"])

    def revoke(self, name: str) -> None:
        """With the certificate that gpg makes for each key; a colon keeps it from being used by mistake."""
        certificate = self._home / "openpgp-revocs.d" / f"{self.fingerprint(name)}.rev"
        self._run(["--import"], stdin=certificate.read_bytes().replace(b":-----BEGIN", b"-----BEGIN"))

    def fingerprint(self, name: str) -> str:
        listed = self._run(["--with-colons", "--list-keys", f"={name}"]).decode()
        return next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:"))

    def public(self, *names: str, armored: bool = False) -> bytes:
        return self._run(["--export", *(["--armor"] if armored else []), *(f"={name}" for name in names)])

    def secret(self, name: str) -> bytes:
        return self._run(["--passphrase", "", "--export-secret-keys", f"={name}"])

    def sign(self, content: bytes, *names: str, at: str = "", options: Sequence[str] = ()) -> bytes:
        """One message, signed by each of them."""
        users = [word for name in names for word in ("--local-user", f"={name}")]
        return self._run([*options, *users, "--sign"], stdin=content, at=at)

    def _run(self, arguments: Sequence[str], *, stdin: bytes = b"", at: str = "") -> bytes:
        argv = [
            self._program,
            "--homedir",
            str(self._home),
            "--batch",
            "--yes",
            "--quiet",
            "--pinentry-mode",
            "loopback",
        ]
        argv += ["--faked-system-time", at] if at else []
        done = subprocess.run([*argv, *arguments], input=stdin, capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        agent = ["gpg-connect-agent", "--homedir", str(self._home), "--no-autostart", "killagent", "/bye"]
        subprocess.run(agent, capture_output=True, timeout=30)
        eventually("the agent removed its sockets", lambda: not list(self._home.glob("S.*")))  # it answers before that
        shutil.rmtree(self._home)


def claim(digest: object, name: str = f"{IDENTITY}:4.19.2-x86_64", **over: Any) -> bytes:
    """The document that is signed. `over` replaces keys of `critical`."""
    critical: Mapping[str, Any] = {
        "type": "atomic container signature",
        "image": {"docker-manifest-digest": str(digest)},
        "identity": {"docker-reference": name},
        **over,
    }
    return json.dumps({"critical": critical, "optional": {"creator": "Acme Signing 1.0", "timestamp": 1}}).encode()
