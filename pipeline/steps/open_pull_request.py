"""Propose an image in a git repository: one branch, one commit and one pull request per cluster and pool."""

import argparse
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from layering.errors import InputError
from layering.fields import cluster_name, inside_path, proposing_cluster
from layering.forge.forge import Proposal, ProposalTarget, State
from layering.forge.forges import open_forge
from layering.forge.manners import Manners
from layering.forge.settings import ForgeSettings, Kind
from layering.proposal import Facts, body, title
from layering.reasons import Reason
from layering.reference import ImageReference
from pipeline.evidence_files import STEPS, StepEvidence, read_evidence
from pipeline.flag_value import flag_value
from pipeline.forge_flags import (
    add_connection_arguments,
    add_manners_arguments,
    forge_settings,
    kind_of,
    manners,
    repository_of,
)
from pipeline.this_run import ThisRun, this_run

SUMMARY = "Propose the digest: one branch, one commit and one pull request for this pool of this cluster."
EXAMPLE = (
    "GITHUB_TOKEN=… layerwatch-step open-pull-request --forge github --repository acme/cluster-config \\\n"
    "    --file clusters/prod/99-worker-osimageurl.yaml --image registry.example.com/acme/worker-os@sha256:… \\\n"
    "    --cluster prod --pool worker --key … --label os-image"
)
_KEY_LENGTH = 64
_KEY = re.compile(rf"[0-9a-f]{{{_KEY_LENGTH}}}")


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """One proposal, and where it goes. `manners` and `facts` make what a person reads."""

    target: ProposalTarget
    image: ImageReference
    key: str
    forge: ForgeSettings
    manners: Manners
    facts: Facts
    when: datetime


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """`pull_request` is the page a person opens (the local forge's branch), or null when there is nothing to open.

    `commit` is the head of `branch`, null when it is gone.
    """

    pull_request: str | None
    state: State
    branch: str
    commit: str | None
    number: int | None
    key: str
    reason: Reason


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The step's flags."""
    parser.add_argument(
        "--forge",
        default="local",
        metavar="NAME|KIND",
        help="github, gitlab, gitea (Forgejo, too), local: a repository on this machine (default), or any name, whose "
        "kind --forge-url tells",
    )
    parser.add_argument(
        "--repository", required=True, help="OWNER/NAME; GitLab: the full path; of the local forge: its path here"
    )
    parser.add_argument("--branch", default="main", help="the branch it is proposed into (default: main)")
    parser.add_argument("--file", required=True, help="the MachineConfig, relative to the repository's root")
    parser.add_argument("--image", required=True, metavar="PULLSPEC", help="REPOSITORY@sha256:…")
    parser.add_argument("--cluster", required=True, metavar="NAME", help="the name of the cluster")
    parser.add_argument("--pool", required=True, metavar="POOL", help="the MachineConfigPool")
    parser.add_argument("--name", help="the MachineConfig's name, when the file has several")
    parser.add_argument("--create", action="store_true", help="make the file or the key when it is missing")
    parser.add_argument("--key", metavar="HEX", help="the build key (local: default is the image's digest)")
    parser.add_argument(
        "--evidence",
        action="append",
        default=[],
        metavar="STEP=FILE",
        help=f"JSON that a step printed (repeatable), what the text is made of; STEP is {', '.join(STEPS)}",
    )
    add_connection_arguments(parser)
    add_manners_arguments(parser)


def read_inputs(arguments: argparse.Namespace) -> Inputs:
    """Raises InputError."""
    kind = kind_of(arguments.forge, arguments.forge_url)
    image = flag_value("--image", ImageReference.parse_pinned, arguments.image)
    key = _key_of(arguments.key, kind, image)
    target = ProposalTarget(
        repository=repository_of(arguments.repository, kind),
        branch=arguments.branch,
        file=flag_value("--file", inside_path, arguments.file),
        cluster=flag_value("--cluster", proposing_cluster, arguments.cluster),
        pool=flag_value("--pool", cluster_name, arguments.pool),
        name=arguments.name,
        create=arguments.create,
    )
    return Inputs(
        target=target,
        image=image,
        key=key,
        forge=forge_settings(arguments, kind),
        manners=manners(arguments, kind, {"cluster": target.cluster, "pool": target.pool}),
        facts=replace(
            _facts(target, image, key, read_evidence(arguments.evidence, image)),
            branch_only=kind is Kind.LOCAL,
        ),
        when=datetime.now(UTC),
    )


def run(inputs: Inputs, say: Callable[[str], None]) -> Outputs:
    """Look, and propose what is not proposed."""
    forge = open_forge(inputs.forge)
    try:
        proposed = forge.propose(
            Proposal(
                target=inputs.target,
                image=inputs.image,
                key=inputs.key,
                title=title(inputs.facts, inputs.manners.title),
                body=partial(body, inputs.facts),
                when=inputs.when,
                manners=inputs.manners,
            )
        )
    finally:
        forge.close()
    for warning in proposed.warnings:
        say(f"warning: {warning}")
    reason = told(proposed.reason)
    say(f"{proposed.branch}: {proposed.state} ({reason})")
    return Outputs(
        pull_request=proposed.pull_request,
        state=proposed.state,
        branch=proposed.branch,
        commit=proposed.commit,
        number=proposed.number,
        key=proposed.key,
        reason=reason,
    )


def told(reason: Reason) -> Reason:
    """What the watcher calls an open proposal is, to who proposes, one that waits for a person."""
    return Reason.AWAITING_APPROVAL if reason is Reason.PROPOSAL_OPEN else reason


def _key_of(given: str | None, kind: Kind, image: ImageReference) -> str:
    if given is None and kind is not Kind.LOCAL:
        raise InputError(
            "a pull request is found again by its key",
            where="--key",
            next_step="give the build key: `key` of build-image's output",
        )
    key = image.pinned.hex[:_KEY_LENGTH] if given is None else given
    if not _KEY.fullmatch(key):
        raise InputError("a key is 64 lower-case hex digits", where="--key")
    return key


def with_run(facts: Facts, run: ThisRun | None) -> Facts:
    """The same, and which run built the image."""
    return replace(facts, build=run.name, build_url=run.url) if run else facts


def _facts(target: ProposalTarget, image: ImageReference, key: str, told: StepEvidence) -> Facts:
    facts = Facts(
        cluster=target.cluster,
        pool=target.pool,
        image=image,
        key=key,
        old_image=told.old_image,
        version=told.version,
        base=told.base,
        evidence=told.evidence,
    )
    return with_run(facts, this_run(os.environ) if told.built else None)
