"""Composes an image at the registry: the base's layers as they are, one new layer, a new configuration.

The base is never pulled; the names in its layers are read once and remembered. What cannot be proved to equal buildah's
image is refused with every reason. Nothing is written to the registry here: publish.py does.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from layering.containerfile_text import Instruction, read_text
from layering.layer import LayerEntry, write_layer
from layering.layerfacts import LookUp
from layering.platform import Platform
from layering.reference import ImageReference
from layering.registry.client import RegistryClient
from layering.registry.manifest import DOCKER_MANIFEST, ImageConfig
from pipeline.builders.basetree import BaseTree, FactsCache
from pipeline.builders.filetree import Origin, apply_steps
from pipeline.builders.ignorefile import NOTHING_IGNORED, read_ignore_file
from pipeline.builders.image import BuildRequest, BuiltImage, NewLayer, PlatformBase, rfc3339
from pipeline.builders.imageconfig import ConfigState, render_config, scratch_config, start_config, triggers
from pipeline.builders.interpreter import Reading, interpret
from pipeline.builders.refusal import Refusal, RefusalReason, Refused
from pipeline.builders.stages import Stages, StageTree, lay_out, split_stages

_STAGES_MAX = 50


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a composed image has on top of its base."""

    entries: tuple[LayerEntry, ...]
    state: ConfigState


class Composer:
    """The builder for Containerfiles that only copy files and set configuration."""

    def __init__(self, client: RegistryClient, cache: FactsCache, say: Callable[[str], None]) -> None:
        self._client = client
        self._cache = cache
        self._say = say

    def compose(self, request: BuildRequest, directory: Path) -> tuple[BuiltImage, ...] | tuple[Refusal, ...]:
        """The images, one per platform, with their layers in `directory`; or every reason against composing.

        Raises InputError for a Containerfile that no builder can build, and registry errors.
        """
        plans = []
        for base in request.bases:
            tree = BaseTree(self._client, request.base.repository, base.manifest, self._cache, self._say)
            planned = plan(request, base, tree.look_up, directory)
            if not isinstance(planned, Plan):
                return planned
            plans.append(planned)
        return tuple(
            _built(request, base, planned, directory) for base, planned in zip(request.bases, plans, strict=True)
        )


def plan(request: BuildRequest, base: PlatformBase, look_up: LookUp, scratch: Path) -> Plan | tuple[Refusal, ...]:
    """The plan, or every reason against it. The base's files are asked for only when nothing else stands against it.

    Archives are expanded into `scratch`. Raises InputError for a source that the context does not have.
    """
    try:
        state = start_config(base.config)
        triggered = triggers(base.config, docker=base.manifest.media_type == DOCKER_MANIFEST)
        ignored = read_ignore_file(request.ignore_file) if request.ignore_file else NOTHING_IGNORED
    except Refused as refused:
        return (refused.at(0),)
    stages = split_stages(read_text(request.text, request.containerfile_name).instructions)
    arguments = {**_platform_args(base.platform), **request.build_args}
    from_base = _FromBase(
        reference=request.base,
        config=base.config,
        triggers=read_text(triggered, "the base's ONBUILD").instructions,
        look_up=look_up,
    )
    reading = interpret(
        stages.instructions(stages.last),
        state,
        arguments,
        base=from_base.reference,
        triggers=from_base.triggers,
        labelled=bool(request.labels),
    )
    if reading.refusals:
        return reading.refusals
    origin = Origin(context=request.context, scratch=scratch, ignored=ignored)
    earlier = _EarlierStages(stages=stages, origin=origin, arguments=arguments, from_base=from_base)
    entries, refusals = apply_steps(reading.steps, origin, look_up, earlier.before(stages.last))
    if refusals:
        return tuple(refusals)
    state.add_labels(request.labels)
    return Plan(entries=entries, state=state)


@dataclass(frozen=True, kw_only=True)
class _FromBase:
    """What a stage FROM the base begins with."""

    reference: ImageReference
    config: ImageConfig
    triggers: Sequence[Instruction]
    look_up: LookUp


@dataclass(frozen=True, kw_only=True)
class _EarlierStages:
    """The stages that are copied from, each composed once, on its first mention."""

    stages: Stages
    origin: Origin
    arguments: Mapping[str, str]
    from_base: _FromBase
    made: dict[int, StageTree] = field(default_factory=dict)

    def before(self, number: int) -> Callable[[str], StageTree]:
        """What gives a stage before that one by its name. It raises Refused for what cannot be composed."""
        return lambda name: self._tree(self.stages.number_of(name, number))

    def _tree(self, number: int) -> StageTree:
        if number not in self.made:
            self.made[number] = self._composed(number)
        return self.made[number]

    def _composed(self, number: int) -> StageTree:
        if number >= _STAGES_MAX:
            raise Refused(RefusalReason.SEVERAL_STAGES, f"it has more than {_STAGES_MAX} stages")
        reading, base_at = self._read(number)
        refusals: Sequence[Refusal] = reading.refusals
        if not refusals:
            entries, refusals = apply_steps(reading.steps, self.origin, base_at or _nothing, self.before(number))
        for refusal in refusals:
            raise Refused(refusal.reason, refusal.detail, refusal.line)
        return lay_out(entries, Path(tempfile.mkdtemp(dir=self.origin.scratch)), base_at)

    def _read(self, number: int) -> tuple[Reading, LookUp | None]:
        """What a stage does, and what is below that; None when it is FROM scratch, or from something else."""
        base, instructions = self.from_base, self.stages.instructions(number)
        on_scratch = interpret(instructions, scratch_config(), self.arguments, base=None)
        if not on_scratch.is_of_another_base:
            return on_scratch, None
        state = start_config(base.config)
        on_base = interpret(instructions, state, self.arguments, base=base.reference, triggers=base.triggers)
        return (on_scratch, None) if on_base.is_of_another_base else (on_base, base.look_up)


def _nothing(path: str) -> None:
    """What scratch has at a path."""


def _platform_args(platform: Platform) -> dict[str, str]:
    """What `--platform` sets in buildah (imagebuildah/build.go)."""
    return {"TARGETPLATFORM": str(platform), "TARGETOS": platform.os, "TARGETARCH": platform.architecture}


def _built(request: BuildRequest, base: PlatformBase, planned: Plan, directory: Path) -> BuiltImage:
    file = directory / f"{str(base.platform).replace('/', '-')}.tar.gz"
    with file.open("wb") as out:
        written = write_layer(planned.entries, out, mtime=request.epoch)
    config = render_config(
        base.config,
        planned.state,
        diff_id=written.diff_id,
        created=rfc3339(request.created),
        comment=f"composed FROM {request.base}",
    )
    return BuiltImage(base=base, config=config, layers=(NewLayer(file=file, written=written),))
