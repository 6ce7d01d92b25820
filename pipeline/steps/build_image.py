"""build-image: the layered image FROM the base, by the builder that can, under a tag that is never moved.

Without --push nothing is written to any registry and nothing is kept: the build is tried, and its digest is told. With
--push a build that is there already (same tag, same build key) is given back and nothing is built.
"""

import argparse
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from layering.buildkey import BuildInputs, BuildKey, build_key
from layering.containerfile import Match, pin_base
from layering.errors import InputError
from layering.platform import Platform
from layering.provenance import BUILDER
from layering.reasons import Reason
from layering.reference import Digest, ImageReference
from layering.registry.client import RegistryClient
from layering.registry.settings import RegistrySettings
from layering.secrets import redact
from layering.sourcetree import blob_id, tree_id
from pipeline.artifact import Artifact
from pipeline.build_arguments import add_build_arguments, read_build_arguments
from pipeline.buildah_flags import add_buildah_arguments
from pipeline.builders.basetree import FactsCache, default_cache_directory
from pipeline.builders.buildah import Buildah
from pipeline.builders.choose import Builders, Built, Choice
from pipeline.builders.compose import Composer
from pipeline.builders.image import BuildRequest, PlatformBase
from pipeline.builders.lock import target_lock
from pipeline.builders.publish import Assembled, assemble, publish
from pipeline.builders.taken import earlier_build
from pipeline.builders.traces import Traces, base_time
from pipeline.containerfile_path import find_containerfile
from pipeline.mirrornotes import MirrorNotes
from pipeline.mounted import given_path, given_text
from pipeline.platform_flags import add_platform_arguments, read_platforms
from pipeline.registry_flags import registry_settings, step_client
from pipeline.textfile import TEXT_BYTES_MAX, read_text

SUMMARY = "build the layered image FROM the base, and push it"
EXAMPLE = (
    "layerwatch-step build-image --context worker --containerfile Containerfile \\\n"
    "    --base quay.io/openshift-release-dev/ocp-v4.0-art-dev@sha256:… \\\n"
    "    --target registry.example.com/acme/worker-os:4.19.2-0123456789ab --push"
)
ALREADY_BUILT = "AlreadyBuilt"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the step's flags."""
    parser.add_argument("--context", type=Path, required=True, metavar="DIR", help="the build context")
    parser.add_argument(
        "--containerfile", type=given_path, metavar="FILE", help="default: Containerfile, then Dockerfile"
    )
    parser.add_argument("--base", required=True, metavar="PULLSPEC", help="the base image, REPOSITORY@sha256:…")
    parser.add_argument(
        "--target", required=True, metavar="REPO:TAG", help="where the image goes; the tag is not moved"
    )
    parser.add_argument(
        "--builder",
        choices=list(Choice),
        default=Choice.AUTO,
        help="auto: compose when it can prove its image, else buildah (default)",
    )
    add_build_arguments(parser)
    add_platform_arguments(parser)
    parser.add_argument(
        "--match", action="append", default=[], metavar="WHICH", help="which FROM is the base, as in prepare-source"
    )
    parser.add_argument("--push", action="store_true", help="push it; without, it is only tried")
    _add_traces(parser)
    add_buildah_arguments(parser)
    parser.add_argument(
        "--storage-root",
        type=Path,
        metavar="DIR",
        help="a container storage of its own for buildah (default: the user's)",
    )
    parser.add_argument(
        "--cache-dir", type=Path, metavar="DIR", help="what is known of base layers (default: ~/.cache/layerwatch)"
    )


def _add_traces(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what the image says of itself")
    group.add_argument(
        "--key", type=given_text, metavar="HEX", help="the build key (default: computed from the inputs)"
    )
    group.add_argument(
        "--base-name", type=given_text, metavar="NAME", help="under which the base is followed (default: --base's)"
    )
    group.add_argument(
        "--base-version", type=given_text, metavar="VERSION", help="the release it is of (default: its version label)"
    )
    group.add_argument("--source-url", type=given_text, metavar="URL", help="where the source came from")
    group.add_argument("--source-revision", type=given_text, metavar="SHA", help="its commit")
    group.add_argument(
        "--created",
        type=given_text,
        metavar="RFC3339",
        help="the time of everything in it: the commit's (default: the base's own)",
    )


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What the flags say. `created` is None for the base's own time."""

    context: Path
    containerfile: Path
    base: ImageReference
    target: ImageReference
    builder: Choice
    build_args: Mapping[str, str]
    matches: tuple[Match, ...]
    platforms: tuple[Platform, ...]
    push: bool
    key: BuildKey | None
    base_name: str
    base_version: str | None
    source_url: str | None
    source_revision: str | None
    created: datetime | None
    storage_driver: str | None
    entitlement: Path | None
    storage_root: Path | None
    cache_directory: Path
    registries: RegistrySettings


def read_inputs(arguments: argparse.Namespace) -> Inputs:
    """Parse the flags. Raises InputError."""
    base = ImageReference.parse_pinned(arguments.base)
    return Inputs(
        context=arguments.context.resolve(),
        containerfile=find_containerfile(arguments.context, arguments.containerfile).resolve(),
        base=base,
        target=_target(arguments.target),
        builder=Choice(arguments.builder),
        build_args=read_build_arguments(arguments),
        matches=tuple(Match.parse(text) for text in arguments.match),
        platforms=read_platforms(arguments),
        push=arguments.push,
        key=BuildKey(arguments.key) if arguments.key else None,
        base_name=arguments.base_name or str(ImageReference(base.repository, base.tag)),
        base_version=arguments.base_version,
        source_url=redact(arguments.source_url) if arguments.source_url else None,
        source_revision=arguments.source_revision,
        created=_time(arguments.created) if arguments.created else None,
        storage_driver=arguments.storage_driver,
        entitlement=arguments.entitlement,
        storage_root=arguments.storage_root.resolve() if arguments.storage_root else None,
        cache_directory=arguments.cache_dir or default_cache_directory(),
        registries=registry_settings(arguments),
    )


def _target(text: str) -> ImageReference:
    target = ImageReference.parse(text)
    if target.tag is None or target.digest is not None:
        raise InputError(f"{text} is not REPOSITORY:TAG", where="--target", next_step="a build is pushed to a tag")
    return target


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise InputError(f"{text!r} is not an RFC 3339 time", where="--created", next_step="like 2025-11-01T12:00:00Z")
    return time


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """The image by digest and by tag. `builder_reason` is a constant, and for a refusal of compose also its line."""

    image: ImageReference
    digest: Digest
    target: ImageReference
    base_artifact: Artifact
    builder: str
    builder_reason: str
    key: str


def run(inputs: Inputs, say: Callable[[str], None]) -> Outputs:
    """Build, and push when asked. Raises what registries, builders and target tags can (see the exit-code table)."""
    with target_lock(inputs.target, say), step_client(inputs.registries, MirrorNotes(say)) as client:
        bases = _bases(client, inputs)
        key = inputs.key or _key(inputs, bases)
        if (there := _there(client, inputs, key, say)) is not None:
            return there
        request = _request(inputs, bases, key)
        with tempfile.TemporaryDirectory(prefix="layerwatch-") as directory:
            built = _builders(client, inputs, say).build(inputs.builder, request, Path(directory))
            assembled = assemble(built.images, {**request.labels, BUILDER: built.builder})
            if (there := _there(client, inputs, key, say)) is not None:
                return there  # made by another pod in the meantime, for another cluster of the same release
            if inputs.push:
                _publish(client, inputs, built, assembled, say)
            else:
                say("built, and not pushed: no --push")
        return _outputs(inputs, assembled.digest, built.builder, built.reason, key)


def _there(client: RegistryClient, inputs: Inputs, key: BuildKey, say: Callable[[str], None]) -> Outputs | None:
    """This very build, when it is to be pushed and the tag holds it."""
    earlier = earlier_build(client, inputs.target, key) if inputs.push else None
    if earlier is None:
        return None
    say(f"{inputs.target} holds this very build already: nothing to do")
    return _outputs(inputs, earlier.digest, earlier.builder, ALREADY_BUILT, key)


def _publish(
    client: RegistryClient, inputs: Inputs, built: Built, assembled: Assembled, say: Callable[[str], None]
) -> None:
    publish(client, built.images, assembled, inputs.base.repository, inputs.target)
    say(f"pushed {inputs.target} ({assembled.digest}), built by {built.builder}")


def _outputs(inputs: Inputs, digest: Digest, builder: str, reason: str, key: BuildKey) -> Outputs:
    image = inputs.target.repository.at(digest)
    return Outputs(
        image=image,
        digest=digest,
        target=inputs.target,
        base_artifact=Artifact(uri=str(inputs.base.repository), digest=inputs.base.pinned),
        builder=builder,
        builder_reason=reason,
        key=key.hex,
    )


def _bases(client: RegistryClient, inputs: Inputs) -> tuple[PlatformBase, ...]:
    """The base for each platform that was asked for."""
    bases = []
    for platform in inputs.platforms:
        manifest = client.image(inputs.base, platform)
        config = client.config(inputs.base.repository, manifest)
        have = config.platform
        if (have.os, have.architecture) != (platform.os, platform.architecture):
            raise InputError(
                f"the base is for {have}, and {platform} is asked for",
                where=str(inputs.base),
                next_step="ask for its platform, or name an index that has both",
                reason=Reason.BASE_NOT_FOUND,
            )
        bases.append(PlatformBase(platform=platform, manifest=manifest, config=config))
    return tuple(bases)


def _key(inputs: Inputs, bases: Sequence[PlatformBase]) -> BuildKey:
    name = _place(inputs) or Path(inputs.containerfile.name)
    return build_key(
        BuildInputs(
            base={base.platform: base.manifest.digest for base in bases},
            tree=tree_id(inputs.context),
            containerfile=name.as_posix(),
            containerfile_blob=blob_id(inputs.containerfile.read_bytes()),
            build_args=inputs.build_args,
            builder=inputs.builder,
            matches=tuple(map(str, inputs.matches)),
        )
    )


def _place(inputs: Inputs) -> Path | None:
    """Where the Containerfile is below the context; None when it is elsewhere."""
    inside = inputs.containerfile.is_relative_to(inputs.context)
    return inputs.containerfile.relative_to(inputs.context) if inside else None


def _request(inputs: Inputs, bases: tuple[PlatformBase, ...], key: BuildKey) -> BuildRequest:
    text = read_text(inputs.containerfile, size_max=TEXT_BYTES_MAX)
    pinned = pin_base(text, inputs.base, inputs.matches, inputs.build_args, where=str(inputs.containerfile))
    created = inputs.created or base_time(bases[0])
    traces = Traces(
        base=inputs.base,
        base_name=inputs.base_name,
        base_version=inputs.base_version,
        key=key,
        created=created,
        revision=inputs.source_revision,
        source=inputs.source_url,
    )
    return BuildRequest(
        context=inputs.context,
        text=pinned.text,
        containerfile_name=str(_place(inputs) or inputs.containerfile.absolute()),
        base=inputs.base,
        bases=bases,
        build_args={**inputs.build_args, **pinned.build_args},
        created=created,
        labels=traces.labels(bases[0].config.labels),
    )


def _builders(client: RegistryClient, inputs: Inputs, say: Callable[[str], None]) -> Builders:
    return Builders(
        composer=Composer(client, FactsCache(inputs.cache_directory), say),
        buildah=Buildah(
            settings=inputs.registries,
            storage_root=inputs.storage_root,
            storage_driver=inputs.storage_driver,
            entitlement=inputs.entitlement,
            say=say,
        ),
        say=say,
        apart=client.paused,
    )
