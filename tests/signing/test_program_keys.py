"""A key that a program keeps: what it is asked, and what is made of one that fails, hangs or prints rubbish."""

import sys
from pathlib import Path

import pytest

from layering.errors import ContentError, InputError, LayerwatchError, RefusedError, UnavailableError
from layering.signing.programkey import ProgramKey
from layering.signing.signingkey import signed
from tests.signing.keys import write_key

SECRET = "pl4nted-secret"
PROGRAM = """#!{python}
import base64, json, os, sys, time
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

assert sys.argv[1:] in (["public-key"], ["sign"]), sys.argv
if sys.argv[1] == "public-key":
    {public_key}
else:
    {sign}
"""
PRINT_KEY = "print(open({public!r}).read())"
SIGN = (
    "print(base64.b64encode(load_pem_private_key(open({private!r}, 'rb').read(), None)"
    ".sign(sys.stdin.buffer.read(), ec.ECDSA(hashes.SHA256()))).decode())"
)
FAIL = f"print('{SECRET}'); print('{SECRET}', file=sys.stderr); sys.exit(3)"


def program(directory: Path, *, public_key: str = PRINT_KEY, sign: str = SIGN) -> str:
    """A program that keeps a new key; its path."""
    private = write_key(directory, "EC P-256")
    paths = {"private": str(private), "public": str(private.with_suffix(".pub"))}
    path = directory / "kms; touch never"  # no shell reads it
    path.write_text(
        PROGRAM.format(python=sys.executable, public_key=public_key.format(**paths), sign=sign.format(**paths))
    )
    path.chmod(0o755)
    return str(path)


def test_its_signature_verifies_with_its_public_key(tmp_path: Path) -> None:
    key = ProgramKey(program(tmp_path))
    assert key.public.verifies(signed(key, b"\0message\xff"), b"\0message\xff")
    assert not (tmp_path / "never").exists()


PRINT_OTHER_SIGNATURE = (
    "print('MEUCIQDtzkcyNDO4W4nPuDbfqt0hxqxNU0X8xGyUmHWfG0kQUAIgbJ0lQ2x3N1o7sHk3QxkQbQ6Zb8mJ1G0pQfY=')"
)


@pytest.mark.parametrize(
    ("words", "kind", "said"),
    [
        pytest.param({"public_key": FAIL}, RefusedError, "ended with 3", id="public-key fails"),
        pytest.param({"public_key": f"print('{SECRET}')"}, ContentError, "no public key", id="public-key is none"),
        pytest.param({"public_key": "pass"}, ContentError, "no public key", id="public-key says nothing"),
        pytest.param({"sign": FAIL}, RefusedError, "ended with 3", id="sign fails"),
        pytest.param({"sign": f"print('{SECRET} !')"}, ContentError, "not base64", id="sign prints rubbish"),
        pytest.param({"sign": "sys.stdout.buffer.write(bytes(range(256)))"}, ContentError, "base64", id="raw bytes"),
        pytest.param({"sign": "pass"}, ContentError, "not base64", id="sign says nothing"),
        pytest.param({"sign": PRINT_OTHER_SIGNATURE}, ContentError, "does not verify", id="another signature"),
        pytest.param({"sign": "print('TUVVQ' * 100_000)"}, ContentError, "more than 65536 bytes", id="sign talks"),
        pytest.param({"sign": "time.sleep(60)"}, UnavailableError, "did not end", id="sign hangs"),
        pytest.param({"public_key": "time.sleep(60)"}, UnavailableError, "did not end", id="public-key hangs"),
    ],
)
def test_what_goes_wrong(tmp_path: Path, words: dict[str, str], kind: type[LayerwatchError], said: str) -> None:
    key = ProgramKey(program(tmp_path, **words), timeout_seconds=1.0 if said == "did not end" else 30.0)
    with pytest.raises(kind, match=said) as caught:
        signed(key, b"message")
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(caught.value.__dict__)


@pytest.mark.parametrize("name", ["", "no-such-program-here", "/"])
def test_a_program_that_cannot_be_run(name: str) -> None:
    with pytest.raises(InputError):
        signed(ProgramKey(name), b"message")
