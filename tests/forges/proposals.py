"""What the tests of forges propose: an image whose digest is one digit, for the workers of prod."""

from datetime import UTC, datetime
from functools import partial
from typing import Any

from layering.forge.forge import Proposal, ProposalTarget
from layering.forge.manners import Manners
from layering.reference import Digest, ImageReference, Repository

OS = Repository("registry.example.com", "acme/os")
WHEN = datetime(2026, 11, 26, 7, 0, tzinfo=UTC)
FILE, BRANCH = "worker.yaml", "layerwatch/prod/worker"
_CONFIG = """\
apiVersion: machineconfiguration.openshift.io/v1
kind: MachineConfig
metadata:
  name: 99-worker
  labels:
    machineconfiguration.openshift.io/role: worker
spec:
  osImageURL: registry.example.com/acme/os@sha256:{digest}
"""


def image(digit: str) -> ImageReference:
    return OS.at(Digest("sha256", digit * 64))


def pinning(digit: str) -> str:
    """The file that pins it."""
    return _CONFIG.format(digest=digit * 64)


def target(repository: str) -> ProposalTarget:
    return ProposalTarget(repository=repository, branch="main", file=FILE, cluster="prod", pool="worker")


def proposal(repository: str, digit: str = "1", title: str = "", text: str = "", **manners: Any) -> Proposal:
    return Proposal(
        target=target(repository),
        image=image(digit),
        key=digit * 64,
        title=title or f"worker of prod: {digit}",
        body=partial(body, text or f"Image {digit}."),  # which can be pickled
        when=WHEN,
        manners=Manners(**manners),
    )


def body(text: str, length_max: int, pinned: str | None) -> str:
    """As long as a forge lets it be."""
    return text[:length_max]
