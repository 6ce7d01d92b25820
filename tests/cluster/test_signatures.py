"""The signatures of releases that a cluster holds, read from ConfigMaps on a real API server."""

import pytest

from layering.cluster.api import ClusterApi
from layering.cluster.signatures import ClusterStore
from layering.errors import ContentError, UnavailableError
from layering.reference import Digest
from layering.registry.deadline import Deadline
from tests.kubernetes.openshift import OpenShiftPlay

DIGEST, OTHER = Digest("sha256", "a" * 64), Digest("sha256", "b" * 64)


def key(number: object, digest: Digest = DIGEST) -> str:
    return f"{digest.algorithm}-{digest.hex}-{number}"


def read(api: ClusterApi) -> list[bytes]:
    return list(ClusterStore(api).signatures(DIGEST, Deadline.after(20)))


def test_there_are_none(api: ClusterApi, openshift: OpenShiftPlay) -> None:
    assert read(api) == []


def test_of_all_that_are_labelled_by_number(api: ClusterApi, openshift: OpenShiftPlay) -> None:
    openshift.release_signatures("a", {key(2): b"two", key(10): b"ten", key(1, OTHER): b"another image's"})
    openshift.release_signatures("b", {key(0): b"zero", key(1): b"two", "sha256-1": b"no key", key("x"): b"no number"})
    openshift.release_signatures("c", {key(3): b"not meant for this"}, labelled=False)
    assert read(api) == [b"zero", b"two", b"ten"]


def test_no_more_than_nine(api: ClusterApi, openshift: OpenShiftPlay) -> None:
    openshift.release_signatures("a", {key(number): f"{number}".encode() for number in range(12)})
    assert read(api) == [f"{number}".encode() for number in range(9)]


def test_one_that_is_too_long(api: ClusterApi, openshift: OpenShiftPlay) -> None:
    openshift.release_signatures("a", {key(1): bytes(70 * 1024)})
    with pytest.raises(ContentError, match="longer than 65536") as caught:
        read(api)
    assert caught.value.where == "prod: ConfigMap/a in openshift-config-managed"


def test_after_its_time(api: ClusterApi, openshift: OpenShiftPlay) -> None:
    with pytest.raises(UnavailableError):
        list(ClusterStore(api).signatures(DIGEST, Deadline.after(0)))
