"""Propose an image in a git repository: one branch and one commit per cluster and pool."""

import argparse
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial

from layering.errors import InputError
from layering.fields import cluster_name, inside_path
from layering.forge.forge import Author, Proposal, ProposalTarget, State
from layering.forge.local import LocalForge
from layering.forge.settings import Kind
from layering.proposal import Facts, body, title
from layering.reasons import Reason
from layering.reference import ImageReference
from pipeline.evidence_files import STEPS, StepEvidence, read_evidence
from pipeline.mounted import given_text
from pipeline.this_run import ThisRun, this_run

SUMMARY = "Propose the digest: one branch and one commit for this pool of this cluster."
EXAMPLE = (
    "layerwatch-step open-pull-request --forge local --repository ../cluster-config.git --branch main \\\n"
    "    --file clusters/prod/99-worker-osimageurl.yaml --image registry.example.com/acme/worker-os@sha256:… \\\n"
    "    --cluster prod --pool worker"
)
_FORGES = ("local",)
_LATER_FORGES = ("github", "gitlab", "gitea")
_KEY_LENGTH = 64
_KEY = re.compile(rf"[0-9a-f]{{{_KEY_LENGTH}}}")
_AUTHOR = re.compile(r"([^<>]*\w[^<>]*?) <([^<>\s]+@[^<>\s]+)>")


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """One proposal. `title`, when it was given, and `facts` make what a person reads."""

    target: ProposalTarget
    image: ImageReference
    key: str
    author: Author
    title: str | None = None
    facts: Facts
    when: datetime


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """`pull_request` is what a person opens (the local forge's branch), or null when there is nothing to open."""

    pull_request: str | None
    state: State
    branch: str
    commit: str | None
    number: int | None
    key: str
    reason: Reason = field(default=Reason.PROPOSAL_OPEN)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The step's flags."""
    parser.add_argument("--forge", default="local", metavar="KIND", help="local: a repository on this machine")
    parser.add_argument("--repository", required=True, help="of the local forge: its path")
    parser.add_argument("--branch", default="main", help="the branch it is proposed into (default: main)")
    parser.add_argument("--file", required=True, help="the MachineConfig, relative to the repository's root")
    parser.add_argument("--image", required=True, metavar="PULLSPEC", help="REPOSITORY@sha256:…")
    parser.add_argument("--cluster", required=True, metavar="NAME")
    parser.add_argument("--pool", required=True, metavar="POOL")
    parser.add_argument("--name", help="the MachineConfig's name, when the file has several")
    parser.add_argument("--create", action="store_true", help="make the file or the key when it is missing")
    parser.add_argument("--key", metavar="HEX", help="the build key (local: default is the image's digest)")
    parser.add_argument("--author", metavar="NAME <MAIL>", help="of the commit (default: layerwatch)")
    parser.add_argument("--title", type=given_text, metavar="TEXT", help="the first line of the proposal")
    parser.add_argument(
        "--evidence",
        action="append",
        default=[],
        metavar="STEP=FILE",
        help=f"JSON that a step printed (repeatable), what the text is made of; STEP is {', '.join(STEPS)}",
    )


def read_inputs(arguments: argparse.Namespace) -> Inputs:
    """Raises InputError."""
    _check_forge(arguments.forge)
    image = ImageReference.parse_pinned(arguments.image)
    key = image.pinned.hex[:_KEY_LENGTH] if arguments.key is None else arguments.key
    if not _KEY.fullmatch(key):
        raise InputError("a key is 64 lower-case hex digits", where="--key")
    target = ProposalTarget(
        repository=arguments.repository,
        branch=arguments.branch,
        file=inside_path(arguments.file),
        cluster=cluster_name(arguments.cluster),
        pool=cluster_name(arguments.pool),
        name=arguments.name,
        create=arguments.create,
    )
    return Inputs(
        target=target,
        image=image,
        key=key,
        author=_author(arguments.author),
        title=_one_line(arguments.title),
        facts=replace(
            _facts(target, image, key, read_evidence(arguments.evidence, image)),
            branch_only=arguments.forge == Kind.LOCAL,
        ),
        when=datetime.now(UTC),
    )


def run(inputs: Inputs, say: Callable[[str], None]) -> Outputs:
    """Look, and propose what is not proposed."""
    proposed = LocalForge(inputs.author).propose(
        Proposal(
            target=inputs.target,
            image=inputs.image,
            key=inputs.key,
            title=inputs.title or title(inputs.facts),
            body=partial(body, inputs.facts),
            when=inputs.when,
        )
    )
    say(f"{proposed.branch}: {proposed.state} ({proposed.reason})")
    return Outputs(
        pull_request=proposed.pull_request,
        state=proposed.state,
        branch=proposed.branch,
        commit=proposed.commit,
        number=proposed.number,
        key=proposed.key,
        reason=proposed.reason,
    )


def _check_forge(name: str) -> None:
    if name in _FORGES:
        return
    later = " is not available in this version" if name in _LATER_FORGES else " is not a forge"
    raise InputError(f"{name}{later}", where="--forge", next_step="use --forge local")


def _author(text: str | None) -> Author:
    if text is None:
        return Author()
    match = _AUTHOR.fullmatch(text)
    if match is None or not text.isprintable():
        raise InputError("an author is NAME <MAIL>", where="--author")
    return Author(name=match[1], email=match[2])


def _one_line(text: str | None) -> str | None:
    if text is not None and (not text.strip() or not text.isprintable() or len(text) > 200):
        raise InputError("a title is one line of at most 200 characters", where="--title")
    return text


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
