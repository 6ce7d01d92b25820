"""Builds with buildah: any Containerfile, in a chroot, reproducibly.

The argv is a pure function of the request. The image is taken out of buildah's storage without its base: a layout that
already "has" the base's layers makes buildah write only the new ones, so nothing is compressed twice and base layers
keep their digests wherever the image is pushed. The build leaves nothing in the storage but the images it pulled.
"""

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from layering.commands import Completed, run
from layering.errors import ContentError, InputError
from layering.layer import WrittenLayer
from layering.reasons import Reason
from layering.reference import Digest
from layering.registry.manifest import ImageManifest, parse_config, parse_manifest
from layering.registry.settings import RegistrySettings, in_files, proxy_environment
from pipeline.builders.buildah_failure import buildah_failure
from pipeline.builders.buildah_registries import registries_environment, registry_flags
from pipeline.builders.entitlement import entitlement_flags
from pipeline.builders.image import BuildRequest, BuiltImage, NewLayer, PlatformBase

_BUILD_TIMEOUT_SECONDS = 2 * 60 * 60.0
_QUICK_TIMEOUT_SECONDS = 10 * 60.0
_LAYOUT_NAME = "image"


@dataclass(frozen=True, kw_only=True)
class Buildah:
    """The builder. `storage_root`: a container storage of its own; None is the user's usual one.

    `storage_driver`: None is what buildah is configured for (it obeys $STORAGE_DRIVER only beside a storage.conf).
    `entitlement`: a directory of RHEL entitlement certificates, which RUN lines see and images never hold.
    """

    settings: RegistrySettings
    storage_root: Path | None
    say: Callable[[str], None]
    storage_driver: str | None = None
    entitlement: Path | None = None

    def build(self, request: BuildRequest, directory: Path) -> tuple[BuiltImage, ...]:
        """One image per platform, their layers in `directory`.

        Raises CheckError for a RUN that fails, InputError for a Containerfile that cannot be built, RefusedError and
        UnavailableError for images it names that cannot be pulled.
        """
        settings = in_files(self.settings, directory)
        environment = {**proxy_environment(settings), **registries_environment(settings, directory)}
        common = (*registry_flags(settings, directory), *entitlement_flags(self.entitlement, directory))
        images = []
        for number, base in enumerate(request.bases):
            own = directory / str(number)
            own.mkdir()
            (own / "Containerfile").write_text(text_for(request, base), encoding="utf-8", newline="")
            name = f"localhost/layerwatch/{secrets.token_hex(8)}:build"
            argv = bud_argv(request, base, name, own / "Containerfile", common)
            with self._removed_afterwards(name):
                self._checked((*self._program(), *argv), environment)
                images.append(self._taken_out(name, base, own))
        return tuple(images)

    def _program(self) -> tuple[str, ...]:
        return ("buildah", *storage_flags(self.storage_root, self.storage_driver))

    def _checked(self, argv: tuple[str, ...], environment: Mapping[str, str]) -> Completed:
        completed = run(
            argv, env=environment, timeout_seconds=_BUILD_TIMEOUT_SECONDS, say=lambda line: self.say(f"buildah: {line}")
        )
        if not completed.succeeded:
            raise buildah_failure(completed.stdout.decode("utf-8", "replace"), completed.message)
        return completed

    def _quick(self, *arguments: str) -> Completed:
        completed = run((*self._program(), *arguments), timeout_seconds=_QUICK_TIMEOUT_SECONDS)
        if not completed.succeeded:
            raise buildah_failure("", completed.message)
        return completed

    @contextmanager
    def _removed_afterwards(self, name: str) -> Iterator[None]:
        """Take the name away whatever happens; the image goes with its last name."""
        try:
            yield
        finally:
            run((*self._program(), "rmi", name), timeout_seconds=_QUICK_TIMEOUT_SECONDS)

    def _taken_out(self, name: str, base: PlatformBase, directory: Path) -> BuiltImage:
        layout = directory / "layout"
        inspected = json.loads(self._quick("inspect", "--type", "image", name).stdout)
        diff_ids = tuple(Digest.parse(text) for text in inspected["OCIv1"]["rootfs"]["diff_ids"])
        _refuse_other_base(base.config.diff_ids, diff_ids)
        pretend_to_have(layout, set(base.config.diff_ids) - set(diff_ids[len(base.config.diff_ids) :]))
        self._quick("push", "--quiet", "--format", "oci", name, f"oci:{layout}:{_LAYOUT_NAME}")
        return read_layout(layout, base)


def bud_argv(
    request: BuildRequest, base: PlatformBase, name: str, containerfile: Path, common: tuple[str, ...]
) -> tuple[str, ...]:
    """The arguments of one `buildah bud`."""
    arguments = [f"--build-arg={key}={value}" for key, value in sorted(_args_for(request, base).items())]
    labels = [f"--label={key}={value}" for key, value in sorted(request.labels.items())]
    return (
        "bud",
        "--isolation=chroot",
        "--format=oci",
        "--layers=false",
        "--force-rm",
        f"--timestamp={request.epoch}",
        f"--platform={base.platform}",
        *common,
        *arguments,
        *labels,
        *((f"--ignorefile={request.ignore_file}",) if request.ignore_file else ()),
        f"--file={containerfile}",
        f"--tag={name}",
        str(request.context),
    )


def text_for(request: BuildRequest, base: PlatformBase) -> str:
    """The Containerfile with the one platform's manifest where the index is named, so that nothing can be mistaken."""
    return request.text.replace(str(request.base.pinned), str(base.manifest.digest))


def _args_for(request: BuildRequest, base: PlatformBase) -> dict[str, str]:
    old, new = str(request.base.pinned), str(base.manifest.digest)
    return {key: value.replace(old, new) for key, value in request.build_args.items()}


def storage_flags(root: Path | None, driver: str | None = None) -> tuple[str, ...]:
    """buildah's global flags; for a storage of its own it wants all three."""
    if root is None:
        return ("--storage-driver", driver) if driver else ()
    return ("--root", str(root), "--runroot", str(root / "run"), "--storage-driver", driver or "overlay")


def pretend_to_have(layout: Path, diff_ids: set[Digest]) -> None:
    """Empty files in place of blobs: buildah does not write a blob that is there (image-spec, image-layout.md)."""
    for diff_id in diff_ids:
        blob = layout / "blobs" / diff_id.algorithm / diff_id.hex
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.touch()


def read_layout(layout: Path, base: PlatformBase) -> BuiltImage:
    """What buildah wrote into the layout: the configuration, and the layers that the base does not have."""
    index = json.loads((layout / "index.json").read_bytes())
    raw = _blob(layout, Digest.parse(index["manifests"][0]["digest"])).read_bytes()
    manifest = parse_manifest(raw, None, where=str(layout))
    if not isinstance(manifest, ImageManifest):
        raise ContentError("buildah wrote an index where one image was asked for", where=str(layout))
    config = _blob(layout, manifest.config.digest).read_bytes()
    diff_ids = parse_config(config).diff_ids
    inherited = len(base.config.diff_ids)
    new = zip(manifest.layers[inherited:], diff_ids[inherited:], strict=True)
    layers = tuple(
        NewLayer(
            file=_blob(layout, layer.digest),
            written=WrittenLayer(digest=layer.digest, size=layer.size, diff_id=diff_id),
        )
        for layer, diff_id in new
    )
    return BuiltImage(base=base, config=config, layers=layers)


def _blob(layout: Path, digest: Digest) -> Path:
    return layout / "blobs" / digest.algorithm / digest.hex


def _refuse_other_base(base: tuple[Digest, ...], built: tuple[Digest, ...]) -> None:
    if built[: len(base)] != base:
        raise InputError(
            "the last stage of the Containerfile is not FROM the base",
            next_step="let the last stage start FROM the base image",
            reason=Reason.BUILD_MISCONFIGURED,
        )
