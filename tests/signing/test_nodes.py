"""What nodes do: containers/image decides by policy.json, as docs/signing.md has it, whether an image may run."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from layering.reference import ImageReference, Repository
from layering.registry.manifest import OCI_MANIFEST, ImageManifest
from layering.signing.keyfile import FileKey
from layering.signing.signer import Signer
from tests.images.conftest import ARM64, Place
from tests.parts.oracle_client import Oracle, Refused
from tests.signing.keys import KINDS, new_key, write_key

DOCUMENT = (Path(__file__).parents[2] / "docs" / "signing.md").read_text()
SCOPE = "registry.example.com/acme/worker-os"
KEY_DATA = "BASE64_OF_COSIGN_PUB"
_BLOCK = re.compile(r"```(json|yaml)\n(.*?)```", re.DOTALL)


def block(language: str, word: str) -> str:
    """The block of the document that has this word in it."""
    (found,) = (text for kind, text in _BLOCK.findall(DOCUMENT) if kind == language and word in text)
    return str(found)


def policy(image: ImageReference, public_key: Path) -> str:
    """The document's policy.json, for this repository and key, and for nothing else at all."""
    data = base64.b64encode(public_key.read_bytes()).decode()
    said = block("json", "sigstoreSigned").replace(SCOPE, str(image.repository)).replace(KEY_DATA, data)
    document: dict[str, Any] = {**json.loads(said), "default": [{"type": "reject"}]}
    return json.dumps(document)


def refusal(oracle: Oracle, image: ImageReference, public_key: Path) -> str:
    """Why a node refuses the image; nothing when it runs it."""
    registries = block("yaml", "use-sigstore-attachments").replace(SCOPE, str(image.repository))
    try:
        oracle.runs(str(image), policy(image, public_key), registries)
    except Refused as refused:
        return str(refused)
    return ""


def sign(place: Place, image: ImageReference, key: FileKey) -> None:
    Signer(registry=place.client, key=key, sleep=lambda seconds: None).sign(image)


@pytest.mark.parametrize("kind", KINDS)
def test_a_node_runs_what_was_signed(
    place: Place, index: ImageReference, tmp_path: Path, oracle: Oracle, kind: str
) -> None:
    public = write_key(tmp_path, "EC P-256", "other").with_suffix(".pub")
    key = new_key(tmp_path, "key", kind)
    child = index.repository.at(place.client.image(index, ARM64).digest)
    for image in (index, child):
        assert "no signature exists" in refusal(oracle, image, tmp_path / "key.pub")
    sign(place, index, key)
    for image in (index, child):
        assert refusal(oracle, image, tmp_path / "key.pub") == ""
        assert "verification failed" in refusal(oracle, image, public)


def test_a_node_runs_what_one_of_two_keys_signed(
    place: Place, image: ImageReference, tmp_path: Path, oracle: Oracle
) -> None:
    for name in ("one", "two"):
        sign(place, image, new_key(tmp_path, name))
    for name in ("one", "two"):
        assert refusal(oracle, image, tmp_path / f"{name}.pub") == ""


def test_a_node_refuses_a_signature_that_was_copied_to_another_repository(
    place: Place, image: ImageReference, tmp_path: Path, oracle: Oracle
) -> None:
    sign(place, image, new_key(tmp_path))
    elsewhere = Repository(image.repository.domain, "acme/other")
    tag = f"sha256-{image.pinned.hex}.sig"
    for source, target in (
        (image, elsewhere.at(image.pinned)),
        (image.repository.tagged(tag), elsewhere.tagged(tag)),
    ):
        found = place.client.manifest(source)
        assert isinstance(found, ImageManifest)
        for blob in (found.config, *found.layers):
            place.client.copy_blob(image.repository, elsewhere, blob)
        place.client.push_manifest(target, found.raw, OCI_MANIFEST)
    assert refusal(oracle, image, tmp_path / "key.pub") == ""
    said = refusal(oracle, elsewhere.at(image.pinned), tmp_path / "key.pub")
    assert said == f'Signature for identity "{image.repository}" is not accepted'


def test_a_node_with_the_default_match_policy_refuses_it(
    place: Place, image: ImageReference, tmp_path: Path, oracle: Oracle
) -> None:
    """Which is why the document says to write another."""
    sign(place, image, new_key(tmp_path))
    rules = policy(image, tmp_path / "key.pub").replace("matchRepository", "matchRepoDigestOrExact")
    registries = block("yaml", "use-sigstore-attachments").replace(SCOPE, str(image.repository))
    with pytest.raises(Refused, match="is not accepted"):
        oracle.runs(str(image), rules, registries)


def test_the_policy_of_the_cluster_says_the_same() -> None:
    (said,) = yaml.safe_load_all(block("yaml", "ClusterImagePolicy"))
    rule = json.loads(block("json", "sigstoreSigned"))["transports"]["docker"][SCOPE]
    assert said["spec"]["scopes"] == [SCOPE]
    trusted = said["spec"]["policy"]["rootOfTrust"]
    assert trusted == {"policyType": "PublicKey", "publicKey": {"keyData": rule[0]["keyData"]}}
    matched = said["spec"]["policy"]["signedIdentity"]["matchPolicy"]
    assert matched[0].lower() + matched[1:] == rule[0]["signedIdentity"]["type"]
