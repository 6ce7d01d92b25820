"""How a cluster reaches registries: its pull secret, authorities, mirrors and proxy.

openshift/api config/v1 (Image, Proxy, ImageDigestMirrorSet, ImageTagMirrorSet), operator/v1alpha1
(ImageContentSourcePolicy). It is read and handed on; no registry is asked here, and nothing is written to a file.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from layering.cluster.api import ClusterApi
from layering.cluster.objects import mapping, name_of, text
from layering.cluster.resources import (
    CONFIG_MAPS,
    IMAGE_CONTENT_SOURCE_POLICIES,
    IMAGE_DIGEST_MIRROR_SETS,
    IMAGE_TAG_MIRROR_SETS,
    IMAGES,
    PROXIES,
    SECRETS,
    Resource,
)
from layering.errors import ContentError, InputError, NotFoundError
from layering.reasons import Reason
from layering.registry.mirrorrule import MirrorRule
from layering.registry.mirrorsets import parse_openshift
from layering.registry.settings import Proxy
from layering.secrets import Secret

_NAMESPACE = "openshift-config"
_PULL_SECRET = "pull-secret"  # noqa: S105 the object's name
_PULL_SECRET_KEY = ".dockerconfigjson"  # noqa: S105 the key's name
_CERTIFICATE = "-----BEGIN CERTIFICATE-----"
_CLUSTER = "cluster"
_MIRROR_SETS = (IMAGE_DIGEST_MIRROR_SETS, IMAGE_TAG_MIRROR_SETS, IMAGE_CONTENT_SOURCE_POLICIES)


def read_pull_secret(api: ClusterApi) -> Secret:
    """The cluster's global pull secret, a docker config as JSON text. Raises ContentError when there is none in it."""
    body = api.get(SECRETS, _PULL_SECRET, namespace=_NAMESPACE)
    where = f"{api.name}: Secret/{_PULL_SECRET} in {_NAMESPACE}"
    encoded = text(mapping(body.get("data")).get(_PULL_SECRET_KEY))
    try:
        document = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        document = ""
    if not document:
        raise ContentError(f"it has no {_PULL_SECRET_KEY} that could be read", where=where)
    return Secret(document)


def read_cas(api: ClusterApi) -> str:
    """The certificates that the cluster trusts besides its system's, as PEM; empty when it names none.

    Those of Image/cluster are meant for one registry each; here they are trusted for all.
    """
    names = (
        _name_in(_spec(_get_if_there(api, IMAGES)), "additionalTrustedCA"),
        _name_in(_spec(_get_if_there(api, PROXIES)), "trustedCA"),
    )
    bodies = [api.get(CONFIG_MAPS, name, namespace=_NAMESPACE) for name in dict.fromkeys(filter(None, names))]
    values = [text(value) for body in bodies for _, value in sorted(mapping(body.get("data")).items())]
    return "".join(f"{value.strip()}\n" for value in dict.fromkeys(values) if _CERTIFICATE in value)


def read_mirrors(api: ClusterApi) -> tuple[MirrorRule, ...]:
    """The mirrors of IDMS, ITMS and ICSP, by kind and name. Raises ContentError for a rule that makes no sense."""
    found = [
        {**body, "kind": resource.kind}
        for resource in _MIRROR_SETS
        for body in sorted(_all_if_there(api, resource), key=name_of)
    ]
    try:
        return parse_openshift(found, where=api.name)
    except InputError as error:
        raise ContentError(error.what, where=error.where, next_step="oc get idms,itms,icsp -o yaml") from None


def read_proxy(api: ClusterApi) -> Proxy | None:
    """The proxy that the cluster's own components use (`Proxy/cluster` status); None when it has none."""
    status = mapping(mapping(_get_if_there(api, PROXIES)).get("status"))
    http, https = text(status.get("httpProxy")), text(status.get("httpsProxy"))
    if not http and not https:
        return None
    return Proxy(
        http=Secret(http) if http else None,
        https=Secret(https) if https else None,
        no_proxy=text(status.get("noProxy")),
    )


def _spec(body: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return mapping(mapping(body).get("spec"))


def _name_in(spec: Mapping[str, Any], field: str) -> str:
    return text(mapping(spec.get(field)).get("name"))


def _get_if_there(api: ClusterApi, resource: Resource) -> Mapping[str, Any] | None:
    """The object called `cluster`; None where there is no such API or object."""
    try:
        return api.get(resource, _CLUSTER)
    except NotFoundError:
        return None


def _all_if_there(api: ClusterApi, resource: Resource) -> tuple[Mapping[str, Any], ...]:
    try:
        return api.list(resource).items
    except NotFoundError as error:
        if error.reason is not Reason.API_MISSING:
            raise
        return ()
