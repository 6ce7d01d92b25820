"""What is in a release payload: its version, and the image behind each of its tags.

A payload is an image whose last layer holds `release-manifests/image-references` and `release-metadata` (openshift/oc,
pkg/cli/admin/release/new.go, `writePayload`). The last layer is read first, to its end, because a file must not stand
in it twice; if they are not there, the layers below it are tried, the newest first. Every byte read is checked against
its digest. Which tag is the right one is not decided here (base.py), and nothing newer is ever looked for.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from layering.errors import ContentError, InputError
from layering.layertar import tar_of
from layering.platform import Platform
from layering.reasons import Reason
from layering.reference import ImageReference
from layering.registry.client import RegistryClient
from layering.registry.manifest import Descriptor, ImageConfig, ImageIndex, ImageManifest, parse_object
from layering.suggestion import did_you_mean
from layering.tarheaders import TarHeader, read_members

RELEASE_LABEL = "io.openshift.release"
_DIRECTORY = "release-manifests"
_REFERENCES = f"{_DIRECTORY}/image-references"
_METADATA = f"{_DIRECTORY}/release-metadata"
_LAYER_BYTES_MAX = 32 * 1024 * 1024
_INFLATED_BYTES_MAX = 128 * 1024 * 1024
_ALL_INFLATED_BYTES_MAX = 4 * _INFLATED_BYTES_MAX  # of the layers of one payload: a thousand small bombs are one
_FILE_BYTES_MAX = 16 * 1024 * 1024
_TAR_DIRECTORY = "5"
_NAME_LENGTH_MAX = 253  # of a tag, as of any name in Kubernetes
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_-]{0,127}")
_PREFERRED = Platform("linux", "amd64")
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}  # as uname(1) has it, where that differs


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleasePayload:
    """One release. `reference` is the payload by its digest; `images` has the pull spec of each tag, by digest.

    `platform` is that of the image that was read, `architecture` what the release itself says: "multi", or nothing.
    """

    reference: ImageReference
    version: str
    images: Mapping[str, ImageReference] = field(repr=False)
    platform: Platform
    architecture: str | None = None

    @property
    def name(self) -> str:
        """The tag that it is published under: `4.19.2-x86_64`, `4.19.2-multi`."""
        machine = _MACHINES.get(self.platform.architecture, self.platform.architecture)
        return f"{self.version}-{self.architecture or machine}"

    def image(self, tag: str) -> ImageReference:
        """The image behind one tag. Raises InputError (BaseNotFound) that lists the tags with a similar name."""
        if tag in self.images:
            return self.images[tag]
        systems = [name for name in self.images if "coreos" in name and not name.endswith("-extensions")]
        hint = did_you_mean(tag, self.images) or f"its OS images are: {', '.join(sorted(systems)) or 'none'}"
        raise InputError(
            f"there is no tag {tag!r} in release {self.version}",
            where=str(self.reference),
            next_step=hint,
            reason=Reason.BASE_NOT_FOUND,
        )


def read_release(registry: RegistryClient, reference: ImageReference) -> ReleasePayload:
    """Read a payload.

    Raises InputError when the image is no payload, ContentError when its content is broken, contradicts itself or names
    an image without a digest, and the registry's errors.
    """
    found = registry.manifest(reference)
    pinned = reference.repository.at(found.digest)
    manifest = _one_of(registry, pinned, found)
    config = registry.config(reference.repository, manifest)
    if RELEASE_LABEL not in config.labels:
        raise InputError(
            f"not a release payload: it has no label {RELEASE_LABEL}",
            where=str(pinned),
            next_step="name a payload such as quay.io/openshift-release-dev/ocp-release:4.19.2-x86_64; "
            "an OS image is followed with --image",
        )
    files = _read_files(registry, pinned, manifest)
    return _payload(pinned, config, files)


def _one_of(registry: RegistryClient, pinned: ImageReference, found: ImageManifest | ImageIndex) -> ImageManifest:
    """One manifest of a `-multi` payload: all of them name the same images, so any will do; amd64 if it is there."""
    if isinstance(found, ImageManifest):
        return found
    offered = sorted({entry.platform for entry in found.manifests if entry.platform and entry.platform.os == "linux"})
    if not offered:
        raise InputError("not a release payload: an index without a linux image", where=str(pinned))
    return registry.image(pinned, _PREFERRED if _PREFERRED in offered else offered[0])


def _read_files(registry: RegistryClient, pinned: ImageReference, manifest: ImageManifest) -> Mapping[str, bytes]:
    """Both files, each from the newest layer that has it."""
    files: dict[str, bytes] = {}
    gone: set[str] = set()
    inflated = _Inflated()
    for layer in reversed(manifest.layers):
        where = f"{pinned.repository}@{layer.digest}"
        found, removed = _read_layer(registry, pinned, layer, inflated, where)
        for name, content in found.items():
            if name not in gone:
                files.setdefault(name, content)
        gone |= removed
        if _REFERENCES in files and _METADATA in files:
            return files
    missing = _REFERENCES if _REFERENCES not in files else _METADATA
    removed_text = " (a later layer removes it)" if missing in gone else ""
    raise InputError(f"not a release payload: it has no {missing}{removed_text}", where=str(pinned))


def _read_layer(
    registry: RegistryClient, pinned: ImageReference, layer: Descriptor, inflated: "_Inflated", where: str
) -> tuple[dict[str, bytes], set[str]]:
    """The wanted files of one layer, and the wanted names that it takes away from the layers below."""
    if layer.size > _LAYER_BYTES_MAX:  # it may take away what is below, so that it cannot be passed over
        raise ContentError(f"the layer is larger than {_LAYER_BYTES_MAX} bytes", where=where)
    found: dict[str, bytes] = {}
    removed: set[str] = set()
    with registry.stream_blob(pinned.repository, layer) as compressed:
        tar = inflated.bounded(tar_of(compressed, layer, where), where)
        for header, content in read_members(tar, _is_wanted, file_bytes_max=_FILE_BYTES_MAX, where=where):
            removed |= _removed_by(header)
            if header.path not in (_REFERENCES, _METADATA):
                continue
            if content is None or header.path in found:
                raise ContentError(f"{header.path} is not one regular file", where=where)
            found[header.path] = content
    return found, removed


class _Inflated:
    """What the layers of one payload have inflated to, in bytes."""

    def __init__(self) -> None:
        self._all = 0

    def bounded(self, chunks: Iterable[bytes], where: str) -> Iterator[bytes]:
        """The chunks of one more layer. Raises ContentError when it, or all of them, are too large."""
        total = 0
        for chunk in chunks:
            total += len(chunk)
            self._all += len(chunk)
            if total > _INFLATED_BYTES_MAX:
                raise ContentError(f"the layer inflates to more than {_INFLATED_BYTES_MAX} bytes", where=where)
            if self._all > _ALL_INFLATED_BYTES_MAX:
                raise ContentError(f"the layers inflate to more than {_ALL_INFLATED_BYTES_MAX} bytes", where=where)
            yield chunk


def _is_wanted(header: TarHeader) -> bool:
    return header.path in (_REFERENCES, _METADATA)


def _removed_by(header: TarHeader) -> set[str]:
    """Whiteouts (image-spec, layer.md): of one file, of the directory, or of all that was in it."""
    if header.path in (f"{_DIRECTORY}/.wh..wh..opq", f".wh.{_DIRECTORY}", ".wh..wh..opq"):
        return {_REFERENCES, _METADATA}
    if header.path == _DIRECTORY and header.flag != _TAR_DIRECTORY:
        return {_REFERENCES, _METADATA}  # a file or link in the directory's place
    directory, _, name = header.path.rpartition("/")
    if directory == _DIRECTORY and name.startswith(".wh."):
        return {f"{_DIRECTORY}/{name.removeprefix('.wh.')}"}
    return set()


def _payload(pinned: ImageReference, config: ImageConfig, files: Mapping[str, bytes]) -> ReleasePayload:
    where = str(pinned)
    stream = parse_object(files[_REFERENCES], f"{where}: image-references")
    metadata = parse_object(files[_METADATA], f"{where}: release-metadata")
    version = config.labels[RELEASE_LABEL]
    versions = {
        "image-references": _text(stream.get("metadata"), "name"),
        "release-metadata": _text(metadata, "version"),
        f"label {RELEASE_LABEL}": version,
    }
    if set(versions.values()) != {version}:
        said = ", ".join(f"{source} says {(said or '')[:100]!r}" for source, said in versions.items())
        raise ContentError(f"the payload contradicts itself about its version: {said}", where=where)
    if not _VERSION.fullmatch(version):
        raise ContentError(f"the payload's version is none: {version[:100]!r}", where=where)
    return ReleasePayload(
        reference=pinned,
        version=version,
        images=parse_image_references(stream, where),
        platform=config.platform,
        architecture=_text(metadata.get("metadata"), "release.openshift.io/architecture"),
    )


def _text(document: Any, key: str) -> str | None:
    value = document.get(key) if isinstance(document, dict) else None
    return value if isinstance(value, str) else None


def parse_image_references(stream: Mapping[str, Any], where: str) -> Mapping[str, ImageReference]:
    """The images of an ImageStream by tag. Raises ContentError for another document, a doubled tag, an unpinned image.

    Tags that are not of kind DockerImage name no image and are left out.
    """
    if stream.get("kind") != "ImageStream" or stream.get("apiVersion") != "image.openshift.io/v1":
        raise ContentError("image-references is not an ImageStream of image.openshift.io/v1", where=where)
    spec = stream.get("spec")
    tags = spec.get("tags") if isinstance(spec, dict) else None
    if not isinstance(tags, list):
        raise ContentError("image-references has no spec.tags", where=where)
    images: dict[str, ImageReference] = {}
    names: set[str] = set()
    for tag in tags:
        name, source = (tag.get("name"), tag.get("from")) if isinstance(tag, dict) else (None, None)
        if not isinstance(name, str) or not name.isprintable() or not isinstance(source, dict):
            raise ContentError("image-references has a tag without name or from", where=where)
        if len(name) > _NAME_LENGTH_MAX:
            raise ContentError(f"image-references has a tag of more than {_NAME_LENGTH_MAX} letters", where=where)
        if name in names:
            raise ContentError(f"image-references has the tag {name} twice", where=where)
        names.add(name)
        if source.get("kind") != "DockerImage":
            continue
        images[name] = _pinned(name, source.get("name"), where)
    return images


def _pinned(tag: str, text: Any, where: str) -> ImageReference:
    try:
        return ImageReference.parse_pinned(text if isinstance(text, str) else "")
    except InputError as error:
        raise ContentError(f"tag {tag} of the payload: {error.what}", where=where) from None
