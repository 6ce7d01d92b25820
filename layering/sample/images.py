"""Base OS images and release payloads that look like the real ones, only small: labels, layers, indexes, manifests.

Labels as seen on RHCOS node images of 4.19 and later, payloads as `oc adm release new` writes them (openshift/oc,
pkg/cli/admin/release/new.go). Everything is deterministic: the same arguments push the same digests.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from layering.platform import Platform
from layering.reference import ImageReference, Repository
from layering.registry.client import RegistryClient
from layering.registry.manifest import OCI_CONFIG, OCI_INDEX, OCI_LAYER_GZIP, OCI_MANIFEST, Descriptor, sha256
from layering.sample.layers import SampleFile, SampleLayer, directory, sample_layer

_CREATED = "2025-06-03T12:00:00Z"
_AMD64 = Platform("linux", "amd64")


def push_os_image(
    registry: RegistryClient,
    repository: Repository,
    tag: str,
    *,
    version: str,
    seed: str,
    platforms: Sequence[Platform] = (_AMD64,),
    openshift_version: str = "4.19",
    stream: str = "rhel-9",
    extra_labels: Mapping[str, str] | None = None,
) -> ImageReference:
    """Push a base OS image, as an index when there are several platforms; its pull spec by digest.

    Images with the same `stream` share their lower layers; `seed` makes the upper ones.
    """
    labels = {
        "containers.bootc": "1",
        "ostree.bootable": "true",
        "ostree.linux": "true",
        "io.openshift.build.versions": f"machine-os={version}",
        "io.openshift.os.streamclass": stream,
        "org.opencontainers.image.source": "https://github.com/openshift/os",
        "org.opencontainers.image.version": version,
        "version": version,
        "com.coreos.osname": "rhcos",
        **(extra_labels or {}),
    }

    def one(platform: Platform) -> Descriptor:
        layers = [
            sample_layer(_base_files(stream, platform)),
            sample_layer(_kernel_files(seed, platform)),
            sample_layer(_node_files(version, openshift_version, seed)),
        ]
        return _push_image(registry, repository, platform, layers, labels)

    return _push_tag(registry, repository, tag, [one(platform) for platform in platforms])


def push_release(
    registry: RegistryClient,
    repository: Repository,
    tag: str,
    *,
    version: str,
    images: Mapping[str, ImageReference],
    platforms: Sequence[Platform] = (_AMD64,),
    files: Mapping[str, bytes] | None = None,
) -> ImageReference:
    """Push a payload that names `images`; its pull spec by digest. `files` replaces or adds to its manifests."""
    manifests = {**_release_manifests(version, images, multi=len(platforms) > 1), **(files or {})}
    labels = {"io.openshift.release": version, "io.openshift.release.base-image-digest": f"sha256:{'b' * 64}"}

    def one(platform: Platform) -> Descriptor:
        operator = sample_layer(
            [directory("usr"), directory("usr/bin"), _file("usr/bin/cluster-version-operator", "#")]
        )
        return _push_image(registry, repository, platform, [operator, release_layer(manifests)], labels)

    return _push_tag(registry, repository, tag, [one(platform) for platform in platforms])


def release_layer(manifests: Mapping[str, bytes]) -> SampleLayer:
    """The last layer of a payload: `release-manifests/` with these files in this order."""
    entries = [SampleFile(path=f"release-manifests/{name}", content=data) for name, data in manifests.items()]
    return sample_layer([directory("release-manifests"), *entries])


def push_image(
    registry: RegistryClient, reference: ImageReference, layers: Sequence[SampleLayer], labels: Mapping[str, str]
) -> ImageReference:
    """Push any image for linux/amd64 under a tag; its pull spec by digest."""
    entry = _push_image(registry, reference.repository, _AMD64, layers, labels)
    return _push_tag(registry, reference.repository, reference.tag or "latest", [entry])


def _release_manifests(version: str, images: Mapping[str, ImageReference], *, multi: bool) -> Mapping[str, bytes]:
    filler = next(iter(images.values()))
    tags = {
        **dict.fromkeys(
            ("cli", "cluster-version-operator", "ironic-machine-os-downloader", "machine-config-operator"), filler
        ),
        **images,
    }
    stream = {
        "kind": "ImageStream",
        "apiVersion": "image.openshift.io/v1",
        "metadata": {"name": version, "creationTimestamp": _CREATED},
        "spec": {"lookupPolicy": {"local": False}, "tags": [_tag(name, tags[name]) for name in sorted(tags)]},
        "status": {"dockerImageRepository": ""},
    }
    metadata: dict[str, Any] = {
        "kind": "cincinnati-metadata-v0",
        "version": version,
        "previous": ["4.18.20"],
        "metadata": {},
    }
    if multi:
        metadata["metadata"]["release.openshift.io/architecture"] = "multi"
    namespace = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: openshift-cluster-version\n"
    return {
        "image-references": json.dumps(stream, indent=2).encode(),
        "release-metadata": json.dumps(metadata).encode(),
        "0000_00_cluster-version-operator_00_namespace.yaml": namespace.encode(),
    }


def _tag(name: str, image: ImageReference) -> dict[str, Any]:
    return {
        "name": name,
        "annotations": {"io.openshift.build.commit.id": "", "io.openshift.build.versions": ""},
        "from": {"kind": "DockerImage", "name": str(image.without_tag())},
        "generation": None,
        "importPolicy": {},
        "referencePolicy": {"type": ""},
    }


def _push_image(
    registry: RegistryClient,
    repository: Repository,
    platform: Platform,
    layers: Sequence[SampleLayer],
    labels: Mapping[str, str],
) -> Descriptor:
    config = {
        "created": _CREATED,
        "architecture": platform.architecture,
        "os": platform.os,
        **_variant(platform),
        "config": {
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"],
            "Cmd": ["/sbin/init"],
            "Labels": dict(labels),
        },
        "rootfs": {"type": "layers", "diff_ids": [str(layer.diff_id) for layer in layers]},
        "history": [{"created": _CREATED, "created_by": f"layer {number}"} for number in range(len(layers))],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": _push(registry, repository, json.dumps(config).encode(), OCI_CONFIG),
        "layers": [_push(registry, repository, layer.data, OCI_LAYER_GZIP) for layer in layers],
    }
    raw = json.dumps(manifest).encode()
    digest = registry.push_manifest(repository.at(sha256(raw)), raw, OCI_MANIFEST)
    return Descriptor(media_type=OCI_MANIFEST, digest=digest, size=len(raw), platform=platform)


def _push_tag(
    registry: RegistryClient, repository: Repository, tag: str, entries: Sequence[Descriptor]
) -> ImageReference:
    """One manifest gets the tag itself; several get an index."""
    if len(entries) == 1:
        raw = registry.manifest(repository.at(entries[0].digest)).raw
        return repository.at(registry.push_manifest(repository.tagged(tag), raw, OCI_MANIFEST))
    index = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [
            {
                "mediaType": entry.media_type,
                "digest": str(entry.digest),
                "size": entry.size,
                "platform": {
                    "os": entry.platform.os,
                    "architecture": entry.platform.architecture,
                    **_variant(entry.platform),
                },
            }
            for entry in entries
            if entry.platform is not None
        ],
    }
    return repository.at(registry.push_manifest(repository.tagged(tag), json.dumps(index).encode(), OCI_INDEX))


def _variant(platform: Platform) -> dict[str, str]:
    return {"variant": platform.variant} if platform.variant else {}


def _push(registry: RegistryClient, repository: Repository, data: bytes, media_type: str) -> dict[str, Any]:
    digest = registry.push_blob(repository, data)
    return {"mediaType": media_type, "digest": str(digest), "size": len(data)}


def _base_files(stream: str, platform: Platform) -> Sequence[SampleFile]:
    """What all releases of a stream share."""
    return [
        *(directory(path) for path in ("etc", "usr", "usr/bin", "usr/lib", "usr/share", "var", "var/home", "boot")),
        directory("root", 0o700),
        directory("tmp", 0o1777),
        SampleFile(path="home", link="var/home"),
        _file("etc/hostname", "localhost\n"),
        _file("usr/bin/bash", f"{stream} {platform}\n" * 200, mode=0o755),
    ]


def _kernel_files(seed: str, platform: Platform) -> Sequence[SampleFile]:
    kernel = _noise(f"{seed}/kernel/{platform}", 96 * 1024)
    return [
        directory("usr"),
        directory("usr/lib"),
        directory("usr/lib/modules"),
        SampleFile(path="usr/lib/modules/vmlinuz", content=kernel),
    ]


def _node_files(version: str, openshift_version: str, seed: str) -> Sequence[SampleFile]:
    release = f'NAME="Red Hat Enterprise Linux CoreOS"\nVERSION="{version}"\nOPENSHIFT_VERSION="{openshift_version}"\n'
    return [
        directory("usr"),
        directory("usr/bin"),
        directory("usr/lib"),
        _file("usr/lib/os-release", release),
        SampleFile(path="usr/bin/kubelet", content=_noise(f"{seed}/kubelet", 64 * 1024), mode=0o755),
    ]


def _file(path: str, text: str, mode: int = 0o644) -> SampleFile:
    return SampleFile(path=path, content=text.encode(), mode=mode)


def _noise(seed: str, size: int) -> bytes:
    """Bytes that do not compress and depend on `seed` alone."""
    return hashlib.shake_256(seed.encode()).digest(size)
