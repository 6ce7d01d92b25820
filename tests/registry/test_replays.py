"""The registries that people use, each as it is known: everything is read and pushed as it should be.

What each does is a table of facts with their sources, and replay.py does it. A registry's storage never hears a secret.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from layering.errors import LayerwatchError, NotFoundError, RefusedError
from layering.reference import Repository
from layering.registry.client import BlobCopy, RegistryClient
from layering.registry.manifest import OCI_MANIFEST, Descriptor, sha256
from layering.registry.server_http import Asked, error
from layering.registry.settings import RegistrySettings
from tests.docker_registry import make_certificate
from tests.registry.hostile.goods import BLOB, CONFIG, LAYER, MANIFEST, PUSHED, dumped, image, stored
from tests.registry.hostile.goods import descriptor as described
from tests.registry.replay import READABLE, SECRET, WRITABLE, Facts, Played, played

TAGS = tuple(f"4.{number}" for number in range(7))

REGISTRIES: Mapping[str, Facts] = {
    "Docker Hub": Facts(
        user="joe",
        # docs.docker.com/reference/api/registry/auth: a token service on another host, both names of the token
        challenge='Bearer realm="<tokens>/token",service="registry.docker.io",scope="<scope>"',
        # distribution docs/spec/auth/token.md: what is not there, and what is not allowed, are one answer
        refusal='Bearer realm="<tokens>/token",service="registry.docker.io",scope="<scope>",error="insufficient_scope"',
        has_token_host=True,
        token=("token", "access_token"),
        lifetime=300,
        storage=307,  # containerd/stargz-snapshotter#167: to a storage that is signed for GET only
        # docs.docker.com/docker-hub/usage/pulls: the answer when the limit is reached, and how much is left of it
        busy=(error(429, "TOOMANYREQUESTS", "You have reached your pull rate limit.", {"Retry-After": "1"}),),
        headers={"ratelimit-limit": "100;w=21600", "ratelimit-remaining": "76;w=21600"},
    ),
    "Quay": Facts(
        user="org+robot",  # docs.quay.io/glossary/robot-accounts.html
        # google/go-containerregistry#985: no scope in the challenge
        challenge='Bearer realm="<tokens>/v2/auth",service="quay.io"',
        token_path="/v2/auth",
        token=("token",),  # quay/quay endpoints/v2/v2auth.py: no lifetime, and the token lasts an hour
        storage=302,  # rpardini/docker-registry-proxy#33: to addresses that are signed for ten minutes
        page=3,  # deitch/docker_registry2#106: 100 at a time, and the link is a path
        busy=(error(429, "TOOMANYREQUESTS", "slow"),)
        * 2,  # quay/quay conf/nginx/rate-limiting.conf.jnj: no Retry-After
        location="<ours><path>",  # quay/quay endpoints/v2/blob.py
        headers={"Connection": "close"},  # quay/quay conf/nginx/server-base.conf.jnj: keepalive_timeout 0
    ),
    "GHCR": Facts(
        user="joe",
        challenge='Bearer realm="<tokens>/token",service="ghcr.io",scope="<scope>"',
        token=("token",),  # smg-project/smg#2348
        denied=403,  # keel-hq/keel#632
        storage=307,  # containerd/stargz-snapshotter#167
        page=3,  # meziantou/Meziantou.Framework#2190
        patch_bytes=4 << 20,  # oras-project/rust-oci-client#35: 416 for a larger one
        referrers=303,  # artifacthub/hub#4785: to github.com, which has no time (429)
    ),
    "ECR": Facts(
        user="AWS",  # docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html: a password for 12 hours
        challenge="",
        storage=307,  # docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html: layers are in S3
        page=3,  # meziantou/Meziantou.Framework#2190
        patched=201,  # openai/tart#273, jdx/mise#11376
        patch_least=5 << 20,  # docs.aws.amazon.com, LayerPartTooSmallException; dotnet/sdk-container-builds#279
        mounts=202,  # regclient/regclient#81
        referrers=404,  # aws/containers-roadmap#2783: not for manifests that refer to others
    ),
    "GAR": Facts(
        user="oauth2accesstoken",  # cloud.google.com/artifact-registry/docs/docker/authentication
        # oras-project/oras#157
        challenge='Bearer realm="<tokens>/v2/token",service="us-docker.pkg.dev",scope="<scope>"',
        token_path="/v2/token",
        storage=302,
        is_own_storage=True,  # sonatype/nexus-public#1061: by a path under /artifacts-downloads
        patches=1,  # cloud.google.com/artifact-registry/docs/reference/docker-api: chunked uploads are not supported
    ),
    "ACR": Facts(
        user="00000000-0000-0000-0000-000000000000",  # learn.microsoft.com, az acr login --expose-token
        # azure.github.io/acr/AAD-OAuth.html: POST with a refresh token, and only access_token in the answer
        challenge='Bearer realm="<tokens>/oauth2/token",service="example.azurecr.io",scope="<scope>"',
        token_path="/oauth2/token",
        token=("access_token",),
        is_form=True,
        storage=307,  # Azure/acr#217, Azure/azure-sdk-for-js#20957: the storage refuses the registry's token
        location="<path>?<state>",  # learn.microsoft.com/rest/api/containerregistry/blob/start-upload
    ),
    "Artifactory": Facts(
        user="joe",
        # containerd/containerd#3556, #6339: no scope, the path of its own API, and cookies of a balancer
        challenge='Bearer realm="<tokens>/artifactory/api/docker/local/v2/token",service="artifactory.local:443"',
        token_path="/artifactory/api/docker/local/v2/token",
        denied=403,  # heroku/docker-registry-client#43
        headers={"Set-Cookie": "AWSELB=xxx;PATH=/;MAX-AGE=600", "Docker-Distribution-Api-Version": "registry/2.0"},
    ),
    "Harbor": Facts(
        user="robot$project+layerwatch",  # goharbor.io/docs, "Create Project Robot Accounts"
        challenge='Bearer realm="<tokens>/service/token",service="harbor-registry",scope="<scope>"',
        token_path="/service/token",
        lifetime=1800,  # goharbor.io/docs, token expiration
        page=3,  # meziantou/Meziantou.Framework#2190
        location="<path>?<state>",  # distribution/distribution registry/handlers/hmac.go, which is behind it
        # goharbor/harbor#14404, #12676: a request with the session's cookie is refused
        headers={"Set-Cookie": "sid=0123456789; Path=/; HttpOnly"},
    ),
    "OpenShift": Facts(
        user="any",
        # openshift/image-registry pkg/dockerregistry/server/auth.go, token.go: no service, the token is the password,
        # which is taken by itself, too; what RBAC does not allow is a 401 that asks for a password; and a mount from
        # what may not be read becomes an upload
        challenge='Bearer realm="<tokens>/openshift/token"',
        refusal='Basic realm=openshift,error="access denied"',
        token_path="/openshift/token",
        token=("access_token", "token"),
        is_echo=True,
        mounts=202,
        referrers=404,  # distribution/distribution registry/api/v2: there is no such route
    ),
    "Red Hat": Facts(
        user="12345|layerwatch",  # access.redhat.com/articles/RegistryAuthentication
        challenge='Bearer realm="<tokens>/auth/realms/rhcc/protocol/redhat-docker-v2/auth",service="docker-registry"',
        token_path="/auth/realms/rhcc/protocol/redhat-docker-v2/auth",
        has_token_host=True,
        lifetime=300,
        storage=302,
        has_head_digest=False,  # crazy-max/diun#550, genuinetools/reg#161
        page=3,  # deitch/docker_registry2#106
    ),
}


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(params=REGISTRIES, ids=[name.replace(" ", "-") for name in REGISTRIES])
def place(request: pytest.FixtureRequest, tls: tuple[Path, Path]) -> Iterator[Played]:
    """A registry that holds one image under seven tags."""
    with played(REGISTRIES[request.param], stored(READABLE, *TAGS), tls) as found:
        yield found


@pytest.fixture
def client(place: Played, tmp_path: Path) -> Iterator[RegistryClient]:
    auth_file = tmp_path / "auth.json"
    auth_file.write_text(json.dumps({"auths": {place.server.address: place.server.facts.login}}))
    realms = {place.server.address: frozenset({"localhost"})} if place.server.facts.has_token_host else {}
    settings = RegistrySettings(auth_file=auth_file, ca_file=place.certificate, realms=realms)
    with RegistryClient(settings, sleep=lambda seconds: None) as made:
        yield made


def test_an_image_is_found_and_read(place: Played, client: RegistryClient) -> None:
    repository = Repository(place.server.address, READABLE)
    assert client.resolve(repository.tagged(TAGS[0])).digest == sha256(MANIFEST)
    assert client.tags(repository) == TAGS
    found = client.image(repository.tagged(TAGS[1]))
    assert str(client.config(repository, found).platform) == "linux/amd64"
    with client.stream_blob(repository, BLOB) as chunks:
        assert b"".join(chunks) == LAYER
    listed = client.referrers(repository.at(found.digest), "x/y")
    assert listed == (() if place.server.facts.referrers == 200 else None)
    if place.server.facts.storage and not place.server.facts.is_own_storage:
        assert place.storage
    check_secrets(place)


def test_an_image_is_pushed(place: Played, client: RegistryClient) -> None:
    source, target = (Repository(place.server.address, path) for path in (READABLE, WRITABLE))
    copied = client.copy_blob(source, target, BLOB)
    assert copied is (BlobCopy.MOUNTED if place.server.facts.mounts == 201 else BlobCopy.STREAMED)
    small = PUSHED[: 1 << 20]
    layer = Descriptor(media_type=BLOB.media_type, digest=sha256(small), size=len(small))
    client.push_blob(target, CONFIG)
    client.push_stream(target, lambda: [small], layer)
    raw = dumped(image([described(LAYER), described(small)]))
    assert client.push_manifest(target.tagged("new"), raw, OCI_MANIFEST) == sha256(raw)
    assert client.resolve(target.tagged("new")).digest == sha256(raw)
    with client.stream_blob(target, layer) as chunks:
        assert b"".join(chunks) == small
    check_secrets(place)


def test_a_layer_of_more_than_one_piece_is_pushed(place: Played, client: RegistryClient) -> None:
    """In pieces, and in one where those are refused."""
    target = Repository(place.server.address, WRITABLE)
    layer = Descriptor(media_type=BLOB.media_type, digest=sha256(PUSHED), size=len(PUSHED))
    client.push_stream(target, lambda: [PUSHED], layer)
    assert client.has_blob(target, layer.digest)
    check_secrets(place)


def test_what_is_not_there_is_told_as_it_is_said(place: Played, client: RegistryClient) -> None:
    """A tag that is not there is not there; a repository that nobody may read is refused, where that is told."""
    repository = Repository(place.server.address, READABLE)
    assert client.find(repository.tagged(TAGS[0])) is not None
    assert client.find(repository.tagged("none")) is None
    with pytest.raises(LayerwatchError) as caught:
        client.resolve(Repository(place.server.address, "other/secret").tagged("x"))
    assert type(caught.value) is (NotFoundError if not place.server.facts.challenge else RefusedError)
    assert SECRET not in str(caught.value)
    check_secrets(place)


def test_one_token_is_enough_for_all_that_is_read(place: Played, client: RegistryClient) -> None:
    repositories = [Repository(place.server.address, path) for path in (READABLE, WRITABLE)]
    client.expect(repository.tagged("x") for repository in repositories)
    for repository in repositories:
        for tag in TAGS:
            client.find(repository.tagged(tag))
    asked = len(place.server.issued)
    assert asked <= 2, place.server.issued  # another one to be sure of what is not there
    if not place.server.facts.challenge:
        assert asked == 0


def check_secrets(place: Played) -> None:
    """The storage heard no credential; cookies went nowhere; the password went where it belongs."""
    for asked in place.storage:
        assert "authorization" not in asked.headers
        assert SECRET not in asked.target
    for asked in (*place.storage, *place.server.heard, *place.tokens):
        assert "cookie" not in asked.headers
    assert all(_is_fine(place, asked) for asked in place.server.heard)


def _is_fine(place: Played, asked: Asked) -> bool:
    """A password is for the token service, where there is one."""
    facts, sent = place.server.facts, asked.headers.get("authorization", "")
    is_token = asked.target.startswith(facts.token_path)
    return not sent.startswith("Basic ") or not facts.challenge or is_token or facts.is_echo
