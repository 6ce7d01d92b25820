"""All steps of one rebuild, from a RebuildRequest: fetch, resolve, pin, build and push, check, compare, propose.

Each step can be repeated safely, and so can the whole. Proposals are made when the request has some; a request that the
watcher sends has none (docs/decisions/0005).
"""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from layering.base import Base, FollowedImage, resolve_base
from layering.buildkey import BuildInputs, BuildKey, build_key
from layering.comparison import Comparison
from layering.containerfile import Match
from layering.errors import ExitCode, InputError
from layering.evidence import Evidence, gather
from layering.findings import passed
from layering.forge.forge import Forge, Proposal
from layering.forge.forges import open_forge
from layering.forge.settings import Kind
from layering.proposal import Facts, body, title
from layering.reference import Digest, ImageReference
from layering.registry.settings import RegistrySettings
from layering.request import ProposalEntry, RebuildRequest
from layering.secrets import redact
from layering.source import Checkout, checked_out
from pipeline.artifact import Artifact
from pipeline.buildah_flags import add_buildah_arguments
from pipeline.builders.basetree import default_cache_directory
from pipeline.builders.choose import Choice
from pipeline.forge_flags import kind_of, usual_forge
from pipeline.git_access import git_access
from pipeline.mirrornotes import MirrorNotes
from pipeline.mounted import given_path
from pipeline.registry_flags import registry_settings, step_client
from pipeline.request_flag import add_request_argument, read_request
from pipeline.steps import build_image, prepare_source
from pipeline.steps.fetch_source import add_git_credentials
from pipeline.steps.open_pull_request import told

SUMMARY = "All steps of one rebuild, from a RebuildRequest."
EXAMPLE = "layerwatch-step run --request request.json"

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The request, how its source and the registries are reached, and what RHEL content needs.

    `fetched` is a repository that holds the commit already.
    """

    request: RebuildRequest
    fetched: Path | None
    git_credentials: Path | None
    storage_driver: str | None
    entitlement: Path | None
    registries: RegistrySettings
    now: datetime


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What most readers want; `target` is the name with the tag. And what each step gave, by step.

    These are `resolve-base`, `prepare-source`, `build-image`, `check-image`, `compare-images` (null without an image
    before), and, of all proposals, `update-machineconfig` and `open-pull-request`.
    """

    image: ImageReference
    digest: Digest
    target: ImageReference
    key: str
    passed: bool
    source: dict[str, str]
    base_artifact: Artifact
    steps: dict[str, Any] = field(metadata={"inlined": True})

    @property
    def exit_code(self) -> ExitCode:
        """7 when the image was built and is not fit; it is not proposed then."""
        return ExitCode.DONE if self.passed else ExitCode.CHECK_SAID_NO


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The step's flags."""
    add_request_argument(parser)
    parser.add_argument(
        "--fetched",
        type=given_path,
        metavar="DIR",
        help="a repository that has the source's commit, as fetch-source leaves it; the source is not asked then",
    )
    add_git_credentials(parser)
    add_buildah_arguments(parser)


def read_inputs(arguments: argparse.Namespace) -> Inputs:
    """Raises InputError that names every fault of the request."""
    request = read_request(arguments)
    for entry in request.proposals:
        usual_forge(kind_of(entry.forge))
    return Inputs(
        request=request,
        fetched=arguments.fetched,
        git_credentials=arguments.git_credentials,
        storage_driver=arguments.storage_driver,
        entitlement=arguments.entitlement,
        registries=registry_settings(arguments),
        now=datetime.now(UTC),
    )


def run(inputs: Inputs, say: Say) -> Outputs:
    """Do all of it. What is done already is found and not done again."""
    request = inputs.request
    say(f"{request.image}: rebuild FROM {request.base}")
    with step_client(inputs.registries, MirrorNotes(say)) as registry:
        base = resolve_base(registry, FollowedImage(request.base), request.platforms)
    with _source(inputs) as checkout:
        key = _key(request, base, checkout)
        prepared = _prepare(request, checkout, say)
        built = build_image.run(_build_inputs(inputs, checkout, key), say)
    with step_client(inputs.registries, MirrorNotes(say)) as registry:
        previous = _previous(request.proposals)
        evidence = gather(registry, built.image, request.base, request.platforms, previous)
    findings = evidence.findings or ()
    for finding in findings:
        say(f"{finding.severity}: {finding.rule}: {finding.message}")
    good = passed(findings)
    proposed = [_propose(inputs, entry, base, built.image, key, evidence, say) for entry in request.proposals if good]
    return Outputs(
        image=built.image,
        digest=built.digest,
        target=built.target,
        key=str(key),
        passed=good,
        source={"git": redact(request.source.git), "commit": request.source.commit},
        base_artifact=built.base_artifact,
        steps={
            "resolve-base": {
                **_fields(base),
                "base": base.reference,
                "digest": base.digest,
                "release": request.release,
            },
            "prepare-source": prepared,
            "build-image": built,
            "check-image": {"passed": good, "findings": findings},
            "compare-images": _comparison(evidence.comparison),
            "update-machineconfig": [change for change, _ in proposed],
            "open-pull-request": [proposal for _, proposal in proposed],
        },
    )


@contextmanager
def _source(inputs: Inputs) -> Iterator[Checkout]:
    source = inputs.request.source
    with (
        git_access(inputs.git_credentials, inputs.registries.ca_file, source.git) as env,
        checked_out(
            source.git, source.commit, source.context, source.containerfile, fetched=inputs.fetched, env=env
        ) as checkout,
    ):
        yield checkout


def _key(request: RebuildRequest, base: Base, checkout: Checkout) -> BuildKey:
    """The key of this request. Raises InputError when the request says another."""
    facts = checkout.facts
    key = build_key(
        BuildInputs(
            base=base.platforms,
            tree=facts.tree,
            containerfile=facts.containerfile,
            containerfile_blob=facts.containerfile_blob,
            build_args=request.build_args,
            builder=request.builder,
            matches=tuple(str(Match.parse(text)) for text in request.match),
        )
    )
    if request.key is not None and request.key != str(key):
        raise InputError(
            f"the request's key is {request.key[:12]}, its inputs give {key.short}",
            where="request: key",
            next_step="leave the key out, or make the request anew",
        )
    return key


def _prepare(request: RebuildRequest, checkout: Checkout, say: Say) -> dict[str, Any]:
    """Pin the base in our own checkout; the path that is told is the source's."""
    outputs = prepare_source.run(
        prepare_source.Inputs(
            containerfile=checkout.directory / request.source.containerfile,
            base=request.base,
            matches=tuple(map(Match.parse, request.match)),
            build_args=request.build_args,
            in_place=True,
            shown_as=request.source.containerfile,
        ),
        say,
    )
    return {
        "containerfile": request.source.containerfile,
        "changes": outputs.changes,
        "build_args": outputs.build_args,
    }


def _build_inputs(inputs: Inputs, checkout: Checkout, key: BuildKey) -> build_image.Inputs:
    request = inputs.request
    return build_image.Inputs(
        context=(checkout.directory / request.source.context).resolve(),
        containerfile=(checkout.directory / request.source.containerfile).resolve(),
        base=request.base.without_tag(),
        target=request.target,
        builder=Choice(request.builder),
        build_args=request.build_args,
        matches=tuple(map(Match.parse, request.match)),
        platforms=request.platforms,
        push=True,
        key=key,
        base_name=str(ImageReference(request.base.repository, request.base.tag)),
        base_version=request.release,
        source_url=redact(request.source.git),
        source_revision=request.source.commit,
        created=checkout.committed,
        storage_driver=inputs.storage_driver,
        entitlement=inputs.entitlement,
        storage_root=None,
        cache_directory=default_cache_directory(),
        registries=inputs.registries,
    )


@contextmanager
def _forge(entry: ProposalEntry) -> Iterator[Forge]:
    """The forge of one proposal, by its kind. Raises InputError."""
    forge = open_forge(usual_forge(kind_of(entry.forge)))
    try:
        yield forge
    finally:
        forge.close()


def _previous(entries: tuple[ProposalEntry, ...]) -> ImageReference | None:
    """The image that git pins now for the first proposal, when it is pinned."""
    for entry in entries[:1]:
        with _forge(entry) as forge:
            pinned = forge.observe(entry.target, "", None).pinned
        try:
            return ImageReference.parse_pinned(pinned) if pinned else None
        except InputError:
            return None
    return None


def _propose(
    inputs: Inputs, entry: ProposalEntry, base: Base, image: ImageReference, key: BuildKey, evidence: Evidence, say: Say
) -> tuple[dict[str, Any], dict[str, Any]]:
    with _forge(entry) as forge:
        before = forge.observe(entry.target, str(key), image).pinned
        facts = Facts(
            cluster=entry.cluster,
            pool=entry.pool,
            image=image,
            key=str(key),
            name=inputs.request.image,
            old_image=before,
            version=inputs.request.release or base.version,
            base=base.reference,
            source=redact(inputs.request.source.git),
            commit=inputs.request.source.commit,
            evidence=evidence,
            branch_only=kind_of(entry.forge) is Kind.LOCAL,
        )
        proposed = forge.propose(
            Proposal(
                target=entry.target,
                image=image,
                key=str(key),
                title=title(facts),
                body=partial(body, facts),
                when=inputs.now,
            )
        )
    for warning in proposed.warnings:
        say(f"warning: {warning}")
    change = {"changed": before != str(image), "file": entry.file, "old": before, "new": image}
    return change, {**_fields(proposed), "reason": told(proposed.reason)}


def _comparison(comparison: Comparison | None) -> dict[str, Any] | None:
    if comparison is None:
        return None
    return {"packages": None, **_fields(comparison)}


def _fields(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__dataclass_fields__}
