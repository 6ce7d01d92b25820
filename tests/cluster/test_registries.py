"""How a cluster reaches registries, read from the objects that say so on a real API server."""

from collections.abc import Callable

import pytest

from layering.cluster.api import ClusterApi
from layering.cluster.registries import read_cas, read_mirrors, read_proxy, read_pull_secret
from layering.cluster.resources import CONFIG_MAPS, IMAGES, SECRETS
from layering.errors import ContentError, NotFoundError
from layering.reasons import Reason
from layering.registry.mirrorrule import Mirror, MirrorRule
from layering.registry.settings import Proxy
from layering.secrets import Secret
from tests.kubernetes.openshift import OpenShiftPlay

CA = "-----BEGIN CERTIFICATE-----\nMIIB{0}\n-----END CERTIFICATE-----\n"
ONE, TWO = CA.format("one"), CA.format("two")


def test_the_pull_secret_is_a_secret(api: ClusterApi, openshift: OpenShiftPlay) -> None:
    openshift.pull_secret({"auths": {"registry.example.com": {"auth": "dXNlcjpwYXNzd29yZA=="}}})
    found = read_pull_secret(api)
    assert found.reveal() == '{"auths": {"registry.example.com": {"auth": "dXNlcjpwYXNzd29yZA=="}}}'
    assert "dXNlcj" not in repr(found)


@pytest.mark.parametrize("data", [{}, {".dockercfg": "e30="}, {".dockerconfigjson": "/w=="}])
def test_a_pull_secret_without_one_in_it(api: ClusterApi, openshift: OpenShiftPlay, data: dict[str, str]) -> None:
    openshift.pull_secret({})
    openshift.admin.delete(SECRETS, "pull-secret", namespace="openshift-config")
    body = {"metadata": {"name": "pull-secret"}, "data": data}
    openshift.admin.create(SECRETS, body, namespace="openshift-config")
    with pytest.raises(ContentError, match="dockerconfigjson") as caught:
        read_pull_secret(api)
    assert caught.value.where == "prod: Secret/pull-secret in openshift-config"


def test_no_pull_secret(api: ClusterApi, openshift: OpenShiftPlay) -> None:
    with pytest.raises(NotFoundError) as caught:
        read_pull_secret(api)
    assert caught.value.reason is Reason.NOT_FOUND


Play = Callable[[OpenShiftPlay], object]
AUTHORITIES: dict[str, tuple[tuple[Play, ...], str]] = {
    "none": ((), ""),
    "a registry's": ((lambda play: play.registry_cas({"registry.example.com..5000": ONE}),), ONE),
    "the proxy's": ((lambda play: play.proxy(ca=TWO),), TWO),
    "both, each once": (
        (lambda play: play.registry_cas({"b": TWO, "a": ONE}), lambda play: play.proxy(ca=TWO)),
        ONE + TWO,
    ),
    "none in a ConfigMap that is named": ((lambda play: play.registry_cas({"a": "not a certificate"}),), ""),
    "a proxy that names none": ((lambda play: play.proxy(https="http://proxy.example.com"),), ""),
}


@pytest.mark.parametrize(("change", "expected"), AUTHORITIES.values(), ids=AUTHORITIES)
def test_the_authorities(api: ClusterApi, openshift: OpenShiftPlay, change: tuple[Play, ...], expected: str) -> None:
    for step in change:
        step(openshift)
    assert read_cas(api) == expected


def test_a_configmap_that_is_named_and_not_there(api: ClusterApi, openshift: OpenShiftPlay) -> None:
    spec = {"additionalTrustedCA": {"name": "absent"}}
    openshift.admin.create(IMAGES, {"metadata": {"name": "cluster"}, "spec": spec})
    with pytest.raises(NotFoundError) as caught:
        read_cas(api)
    assert caught.value.where == f"prod: {CONFIG_MAPS.kind}/absent in openshift-config"


def test_the_mirrors(api: ClusterApi, openshift: OpenShiftPlay) -> None:
    assert read_mirrors(api) == ()
    release = "quay.io/openshift-release-dev"
    openshift.content_source_policy("old", {release: ["old.example.com/release"]})
    openshift.tag_mirrors("tags", {"*.example.org": ["mirror.example.com"]})
    openshift.digest_mirrors("b", {release: ["two.example.com/release"]})
    openshift.digest_mirrors("a", {release: ["one.example.com:5000/release"]}, never_contact_source=True)
    hosts = ("one.example.com:5000", "two.example.com", "old.example.com")
    digest = MirrorRule(
        source=release,
        mirrors=tuple(Mirror(location=f"{host}/release") for host in hosts),
        kind="digest",
        never_contact_source=True,
    )
    tag = MirrorRule(source="*.example.org", mirrors=(Mirror(location="mirror.example.com"),), kind="tag")
    assert read_mirrors(api) == (digest, tag)


def test_the_proxy(api: ClusterApi, openshift: OpenShiftPlay) -> None:
    assert read_proxy(api) is None
    openshift.proxy(https="http://user:pass@proxy.example.com:3128", no_proxy=".svc,10.0.0.0/16")
    found = read_proxy(api)
    assert found == Proxy(https=Secret("http://user:pass@proxy.example.com:3128"), no_proxy=".svc,10.0.0.0/16")
    assert "pass@" not in repr(found)


def test_a_proxy_that_is_none(api: ClusterApi, openshift: OpenShiftPlay) -> None:
    openshift.proxy(no_proxy=".svc")
    assert read_proxy(api) is None
