"""Private keys as cosign keeps them: made by cosign itself, opened with the password and with nothing else."""

import base64
import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from layering.errors import InputError
from layering.secrets import Secret
from layering.signing.keyfile import read_key
from layering.signing.publickey import PublicKey
from tests.parts import require
from tests.signing.keys import write_key

PASSWORD = "pl4nted-secret"
_PEM = re.compile(r"(-----BEGIN [A-Z ]+-----\n)(.*?)(-----END)", re.DOTALL)


def cosign(directory: Path, *words: str, password: str = PASSWORD) -> None:
    environment = {**os.environ, "HOME": str(directory), "COSIGN_PASSWORD": password}
    subprocess.run([require("cosign"), *words], cwd=directory, env=environment, check=True, capture_output=True)


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pair that cosign made."""
    home = tmp_path_factory.mktemp("cosign")
    cosign(home, "generate-key-pair")
    return home / "cosign.key"


def test_opens_with_its_password(sealed: Path) -> None:
    public = PublicKey.parse(sealed.with_suffix(".pub").read_bytes(), "k")
    assert public.verifies(read_key(sealed, Secret(PASSWORD)).sign(b"message"), b"message")


@pytest.mark.parametrize("kind", ["RSA", "EC P-384"])
def test_opens_what_cosign_took_in(tmp_path: Path, kind: str) -> None:
    cosign(tmp_path, "import-key-pair", "--key", str(write_key(tmp_path, kind)), password="")
    public = PublicKey.parse((tmp_path / "import-cosign.pub").read_bytes(), "k")
    assert public.verifies(read_key(tmp_path / "import-cosign.key", Secret("")).sign(b"message"), b"message")


def test_a_password_that_is_no_text(tmp_path: Path) -> None:
    password = b"p\xffw".decode(errors="surrogateescape")
    cosign(tmp_path, "generate-key-pair", password=password)
    assert read_key(tmp_path / "cosign.key", Secret(password)).public is not None


def test_the_older_name_of_the_same_form(sealed: Path, tmp_path: Path) -> None:
    (tmp_path / "old.key").write_text(sealed.read_text().replace("SIGSTORE", "COSIGN"))
    assert read_key(tmp_path / "old.key", Secret(PASSWORD)).public == read_key(sealed, Secret(PASSWORD)).public


@pytest.mark.parametrize(
    ("password", "said"),
    [
        pytest.param(Secret("pl4nted-secreT"), "does not open", id="another"),
        pytest.param(Secret(""), "does not open", id="an empty one"),
        pytest.param(None, "is encrypted", id="none"),
    ],
)
def test_another_password(sealed: Path, password: Secret | None, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        read_key(sealed, password)
    assert "COSIGN_PASSWORD" in str(caught.value)
    assert "pl4nted" not in str(caught.value)


def _kdf(document: dict[str, Any], **over: Any) -> None:
    document["kdf"]["params"].update(over)


UNKNOWN, BROKEN = "in a way not known here", "that is broken"
FAULTS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "rounds that take a day": (lambda document: _kdf(document, N=1 << 30), UNKNOWN),
    "fewer rounds than anybody uses": (lambda document: _kdf(document, N=2), UNKNOWN),
    "no rounds": (lambda document: _kdf(document, N=0), UNKNOWN),
    "rounds as text": (lambda document: _kdf(document, N="65536"), UNKNOWN),
    "rounds that are no whole number": (lambda document: _kdf(document, N=65536.0), UNKNOWN),
    "memory that is not there": (lambda document: _kdf(document, r=1 << 20), UNKNOWN),
    "another derivation": (lambda document: document["kdf"].update(name="pbkdf2"), UNKNOWN),
    "another cipher": (lambda document: document["cipher"].update(name="aes"), UNKNOWN),
    "a short nonce": (lambda document: document["cipher"].update(nonce="AAAA"), UNKNOWN),
    "a nonce that is no text": (lambda document: document["cipher"].update(nonce=[1]), BROKEN),
    "no content": (lambda document: document.pop("ciphertext"), BROKEN),
    "content that is not base64": (lambda document: document.update(ciphertext="!"), BROKEN),
    "content that is short": (lambda document: document.update(ciphertext="AAAA"), "does not open"),
    "no derivation": (lambda document: document.pop("kdf"), BROKEN),
}


@pytest.mark.parametrize(("spoil", "said"), FAULTS.values(), ids=FAULTS)
def test_broken_ones(sealed: Path, tmp_path: Path, spoil: Callable[[dict[str, Any]], object], said: str) -> None:
    match = _PEM.fullmatch(sealed.read_text().rpartition("-----END")[0] + "-----END")
    assert match is not None
    document = json.loads(base64.b64decode(match[2]))
    spoil(document)
    body = base64.b64encode(json.dumps(document).encode()).decode()
    (tmp_path / "key").write_text(f"{match[1]}{body}\n{match[3]} ENCRYPTED SIGSTORE PRIVATE KEY-----\n")
    with pytest.raises(InputError, match=said):
        read_key(tmp_path / "key", Secret(PASSWORD))
