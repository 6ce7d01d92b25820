"""What a proposal's text is made of. Values only: who knows them puts them in."""

from dataclasses import dataclass

from layering.evidence import Evidence
from layering.reference import ImageReference

_NO_EVIDENCE = Evidence()


@dataclass(frozen=True, kw_only=True, slots=True)
class Rollout:
    """What merging does to one pool: so many machines reboot, `at_once` of them at a time.

    `zones` by name, in the order in which they are updated, each with how many nodes it has; empty: not known.
    """

    pool: str
    machines: int
    at_once: int = 1
    paused: bool = False
    zones: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What is proposed, for whom, and from where. None where it is not known; the body then does not mention it.

    `also` are other pools that take the same MachineConfig; `rollouts` has the pool itself and these, where that is
    known. `version` and `old_version` are a release's, or the base's own when a tag is followed. `old_commit` is the
    source's, of which the image before tells that it was built. `why` is Markdown. `build` is the name of the run that
    built it, `build_url` its page. `branch_only`: there is no pull request, the branch is all there is to answer to.
    """

    cluster: str
    pool: str
    image: ImageReference
    key: str
    also: tuple[str, ...] = ()
    name: str | None = None
    why: str | None = None
    old_image: str | None = None
    version: str | None = None
    old_version: str | None = None
    base: ImageReference | None = None
    old_base: str | None = None
    source: str | None = None
    commit: str | None = None
    old_commit: str | None = None
    evidence: Evidence = _NO_EVIDENCE
    rollouts: tuple[Rollout, ...] = ()
    build: str | None = None
    build_url: str | None = None
    branch_only: bool = False
