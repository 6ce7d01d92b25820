"""DSSE envelopes and the statements in them: what is taken for one. That others verify ours is in test_cosign.py."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from layering.errors import ContentError
from layering.reference import ImageReference
from layering.signing.envelope import Envelope
from layering.signing.statement import SIGNED, is_about, statement
from tests.signing.keys import new_key

IMAGE = ImageReference.parse(f"registry.example.com/acme/os@sha256:{'a' * 64}")


def text(**over: Any) -> bytes:
    said = {
        "payload": base64.b64encode(b"{}").decode(),
        "payloadType": "application/vnd.in-toto+json",
        "signatures": [{"keyid": "", "sig": "AAAA"}],
        **over,
    }
    return json.dumps(said).encode()


def test_it_reads_what_it_writes(tmp_path: Path) -> None:
    key = new_key(tmp_path)
    written = Envelope.sealed(b'{"a": 1}', key)
    read = Envelope.parse(written.raw(), "")
    assert read == written
    assert read.is_by(key.public)
    assert not Envelope(statement=b'{"a": 2}', signatures=read.signatures).is_by(key.public)
    assert not Envelope(statement=read.statement, signatures=()).is_by(key.public)


def test_a_signature_of_the_bare_statement_is_none_of_the_envelope(tmp_path: Path) -> None:
    key = new_key(tmp_path)
    assert not Envelope(statement=b"{}", signatures=(key.sign(b"{}"),)).is_by(key.public)


def test_one_good_signature_among_others_is_enough(tmp_path: Path) -> None:
    key, written = new_key(tmp_path), Envelope.sealed(b"{}", new_key(tmp_path)).document()
    good = Envelope.sealed(b"{}", key).document()["signatures"]
    among = {**written, "signatures": [{"sig": "!"}, 1, {}, *written["signatures"], *good]}
    assert Envelope.read(among, "").is_by(key.public)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{}", id="an empty object"),
        pytest.param(text(payload="!"), id="a payload that is not base64"),
        pytest.param(text(payload=1), id="a payload that is no text"),
        pytest.param(text(payloadType="text/plain"), id="another payload type"),
        pytest.param(text(signatures=None), id="no signatures"),
        pytest.param(text(signatures={}), id="signatures that are no list"),
        pytest.param(text(signatures=[{"sig": "AAAA"}] * 17), id="more signatures than anybody needs"),
    ],
)
def test_what_is_no_envelope(raw: bytes) -> None:
    with pytest.raises(ContentError):
        Envelope.parse(raw, "")


def about(**over: Any) -> bytes:
    return json.dumps({**json.loads(statement(IMAGE, SIGNED, {})), **over}).encode()


DIGEST = {"sha256": "a" * 64}
OTHER = {"sha256": "b" * 64}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param(about(), True, id="ours"),
        pytest.param(about(_type="https://in-toto.io/Statement/v0.1"), True, id="the version before"),
        pytest.param(about(subject=[{"digest": DIGEST}]), True, id="no name, as cosign's"),
        pytest.param(about(subject=[{"digest": OTHER}, {"digest": DIGEST}]), True, id="one of two"),
        pytest.param(about(_type="https://example.com/Statement"), False, id="another kind of document"),
        pytest.param(about(predicateType="https://slsa.dev/provenance/v1"), False, id="another predicate"),
        pytest.param(about(subject=[{"digest": OTHER}]), False, id="another digest"),
        pytest.param(about(subject=[{"name": "x", "digest": DIGEST}]), False, id="another name"),
        pytest.param(about(subject=[{"digest": {"sha512": "a" * 64}}]), False, id="another algorithm"),
        pytest.param(about(subject=[{"digest": "a" * 64}]), False, id="a digest that is no map"),
        pytest.param(about(subject=["x"]), False, id="a subject that is none"),
        pytest.param(about(subject={}), False, id="subjects that are no list"),
        pytest.param(b"rubbish", False, id="no JSON"),
    ],
)
def test_what_a_statement_is_about(raw: bytes, expected: bool) -> None:
    assert is_about(raw, IMAGE, SIGNED) is expected
