"""The payload: what is signed, and what is taken for one."""

import json
from typing import Any

import pytest

from layering.errors import ContentError
from layering.reference import Digest, ImageReference, Repository
from layering.signing.payload import Claim, payload, read_payload

DIGEST = f"sha256:{'a' * 64}"
IMAGE = ImageReference.parse(f"registry.example.com:5000/acme/os@{DIGEST}")


def text(*, drop: str = "", **critical: Any) -> bytes:
    """A payload with other entries in `critical`, None leaves one out; `drop` one of the outermost."""
    said = {
        "identity": {"docker-reference": "registry.example.com:5000/acme/os"},
        "image": {"docker-manifest-digest": DIGEST},
        "type": "cosign container image signature",
        **critical,
    }
    document = {"critical": {name: value for name, value in said.items() if value is not None}, "optional": {"x": 1}}
    return json.dumps({name: value for name, value in document.items() if name != drop}).encode()


def test_it_names_digest_and_repository_and_no_tag() -> None:
    assert json.loads(payload(IMAGE)) == {
        "critical": {
            "identity": {"docker-reference": "registry.example.com:5000/acme/os"},
            "image": {"docker-manifest-digest": DIGEST},
            "type": "cosign container image signature",
        },
        "optional": None,
    }
    assert payload(ImageReference(IMAGE.repository, "tag", IMAGE.digest)) == payload(IMAGE)


@pytest.mark.parametrize(
    ("raw", "repository"),
    [
        pytest.param(payload(IMAGE), "registry.example.com:5000/acme/os", id="ours"),
        pytest.param(text(), "registry.example.com:5000/acme/os", id="with more in optional"),
        pytest.param(
            text(identity={"docker-reference": "quay.io/acme/os:4.19"}), "quay.io/acme/os", id="with a tag, as skopeo's"
        ),
        pytest.param(
            text(identity={"docker-reference": "index.docker.io/acme/os"}), "docker.io/acme/os", id="cosign's docker.io"
        ),
    ],
)
def test_what_it_says(raw: bytes, repository: str) -> None:
    assert read_payload(raw) == Claim(repository=Repository.parse(repository), digest=Digest.parse(DIGEST))


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'{"critical": []}', id="critical is a list"),
        pytest.param(text(drop="critical"), id="no critical"),
        pytest.param(text(type="atomic container signature"), id="of another kind"),
        pytest.param(text(type=None), id="no type"),
        pytest.param(text(more={}), id="more in critical"),
        pytest.param(text(image=None), id="no image"),
        pytest.param(text(image={}), id="no digest"),
        pytest.param(text(image={"docker-manifest-digest": DIGEST, "x": 1}), id="more in image"),
        pytest.param(text(image={"docker-manifest-digest": "sha256:a"}), id="no digest but something"),
        pytest.param(text(identity={"docker-reference": "Not A Name"}), id="no name"),
        pytest.param(text(identity={"docker-reference": 1}), id="a number for a name"),
        pytest.param(payload(IMAGE)[:-1] + b',"x":1}', id="more beside critical"),
        pytest.param(payload(IMAGE)[:-1] + b',"critical":{}}', id="critical twice"),
    ],
)
def test_what_is_no_payload(raw: bytes) -> None:
    with pytest.raises(ContentError):
        read_payload(raw)
