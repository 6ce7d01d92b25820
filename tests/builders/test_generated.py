"""Generated Containerfiles through compose and buildah: the same image, or a refusal with a reason."""

import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings

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
from tests.builders.comparing import difference
from tests.builders.generated import Case, generated
from tests.builders.generated_world import make_contexts, push_bases

_CASES_MAX = 300
_EXAMPLES_PER_CASE = 8  # twelve of them in the usual profile, all of them in the fuzz profile


@pytest.fixture(scope="module")
def registry() -> Iterator[str]:
    with RegistryServer() as server:
        yield server.address


@dataclass(kw_only=True)
class Tally:
    """What became of the cases."""

    taken: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    built_nowhere: int = 0
    faults: list[str] = field(default_factory=list)
    left_over: list[str] = field(default_factory=list)
    needing_nothing: int = 0
    needing_nothing_taken: int = 0

    def __str__(self) -> str:
        cases = self.taken + self.refused.total() + self.built_nowhere
        refused = ", ".join(f"{reason} {count}" for reason, count in sorted(self.refused.items()))
        return (
            f"compose took {self.taken} of {cases} generated Containerfiles, and {self.needing_nothing_taken} of the "
            f"{self.needing_nothing} that need no contents of the base; {self.built_nowhere} build nowhere; "
            f"refused: {refused or 'none'}"
        )


@dataclass(frozen=True, kw_only=True)
class World:
    """All that cases are built with."""

    client: RegistryClient
    bases: Mapping[str, ImageReference]
    contexts: Mapping[str, Path]
    composer: Composer
    buildah: Buildah

    def request(self, case: Case) -> BuildRequest:
        base = self.bases[case.base]
        manifest = self.client.image(base)
        config = self.client.config(base.repository, manifest)
        request = build_request(
            f"ARG G=global\nFROM {base}\n{case.body}\n",
            context=self.contexts[case.context],
            bases=(PlatformBase(platform=config.platform, manifest=manifest, config=config),),
            build_args={"GIVEN": "$yes", "M": "0750"},
            labels={"k": "v"},
        )
        return replace(request, base=base)

    def try_case(self, case: Case, directory: Path, tally: Tally) -> None:
        request = self.request(case)
        composed = self._composed(request, directory)
        if isinstance(composed, Refusal) and case.needs_contents:
            tally.refused[composed.reason] += 1
            return
        try:
            (directory / "built").mkdir()
            (built,) = self.buildah.build(request, directory / "built")
        except LayerwatchError as error:
            tally.built_nowhere += 1
            if isinstance(composed, BuiltImage):
                tally.faults.append(f"only buildah says no ({error})\n{case}")
            return
        tally.needing_nothing += not case.needs_contents
        if isinstance(composed, BuiltImage):
            tally.taken += 1
            tally.needing_nothing_taken += not case.needs_contents
            if said := difference(composed, built):
                tally.faults.append(f"{said}\n{case}")
        elif isinstance(composed, Refusal):
            tally.refused[composed.reason] += 1
            tally.left_over.append(f"{composed}\n{case}")
        else:
            tally.faults.append(f"only compose says no ({composed})\n{case}")

    def _composed(self, request: BuildRequest, directory: Path) -> BuiltImage | Refusal | LayerwatchError:
        try:
            return self.composer.compose(request, directory)[0]
        except LayerwatchError as error:
            return error


@pytest.fixture(scope="module")
def world(registry: str, storage_root: Path, shell: bytes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    settings = RegistrySettings(insecure=frozenset({registry}))
    with RegistryClient(settings) as client:
        yield World(
            client=client,
            bases=push_bases(client, registry, shell),
            contexts=make_contexts(tmp_path_factory.mktemp("contexts")),
            composer=Composer(client, FactsCache(tmp_path_factory.mktemp("facts")), lambda note: None),
            buildah=Buildah(settings=settings, storage_root=storage_root, say=lambda note: None),
        )


@pytest.mark.hypothesis
def test_generated_containerfiles(world: World, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    tally = Tally()
    for seed in range(min(_CASES_MAX, hypothesis_settings().max_examples // _EXAMPLES_PER_CASE)):
        directory = tmp_path / str(seed)
        directory.mkdir()
        world.try_case(generated(seed), directory, tally)
    with capfd.disabled():
        print(f"\n{tally}", file=sys.stderr)
    assert not tally.faults, "\n\n".join(tally.faults)
    assert not tally.left_over, "\n\n".join(tally.left_over)
