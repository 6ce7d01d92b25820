"""Both builders on the bases and contexts of `generated_world`, with a registry and a storage of their own."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from layering.errors import LayerwatchError
from layering.reference import ImageReference
from layering.registry.client import RegistryClient
from layering.registry.server import RegistryServer
from layering.registry.settings import RegistrySettings
from pipeline.builders.basetree import FactsCache
from pipeline.builders.buildah import Buildah
from pipeline.builders.compose import Composer
from pipeline.builders.image import BuildRequest, BuiltImage, PlatformBase
from pipeline.builders.refusal import Refusal
from tests.builders.building import build_request
from tests.builders.generated_world import make_contexts, push_bases


@dataclass(frozen=True, kw_only=True)
class BothBuilders:
    """All that a Containerfile is built with, twice."""

    client: RegistryClient
    bases: Mapping[str, ImageReference]
    contexts: Mapping[str, Path]
    composer: Composer
    buildah: Buildah

    def request(self, body: str, base: str = "oci", context: str = "plain") -> BuildRequest:
        """A build of `body` on the base of that name, `{base}` in it; its first line is the third."""
        image = self.bases[base]
        manifest = self.client.image(image)
        config = self.client.config(image.repository, manifest)
        request = build_request(
            f"ARG G=global\nFROM {image}\n{body.replace('{base}', str(image))}\n",
            context=self.contexts[context],
            bases=(PlatformBase(platform=config.platform, manifest=manifest, config=config),),
            build_args={"GIVEN": "$yes", "M": "0750"},
            labels={"k": "v"},
        )
        return replace(request, base=image)

    def composed(self, request: BuildRequest, directory: Path) -> BuiltImage | Refusal | LayerwatchError:
        """compose's image, its first reason against it, or what it says when no builder could build it."""
        try:
            return self.composer.compose(request, directory)[0]
        except LayerwatchError as error:
            return error

    def built(self, request: BuildRequest, directory: Path) -> BuiltImage | LayerwatchError:
        """buildah's image, or why it cannot be built."""
        directory = directory / "built"
        directory.mkdir()
        try:
            return self.buildah.build(request, directory)[0]
        except LayerwatchError as error:
            return error


@contextmanager
def both_builders(storage_root: Path, shell: bytes, directory: Path) -> Iterator[BothBuilders]:
    """Both builders, with the registry that holds their bases."""
    with RegistryServer() as server:
        settings = RegistrySettings(insecure=frozenset({server.address}))
        with RegistryClient(settings) as client:
            yield BothBuilders(
                client=client,
                bases=push_bases(client, server.address, shell),
                contexts=make_contexts(directory / "contexts"),
                composer=Composer(client, FactsCache(directory / "facts"), lambda note: None),
                buildah=Buildah(settings=settings, storage_root=storage_root, say=lambda note: None),
            )
