"""Verdicts as the loop gets them, small and complete."""

from layering.base import Base
from layering.buildkey import BuildKey
from layering.platform import Platform
from layering.reasons import Reason
from layering.reference import Digest, ImageReference, Repository
from watcher.decision import Decision, Kind
from watcher.engines.engine import Build, BuildState
from watcher.report import Verdict
from watcher.world import Failure, Observation, Subject, Wanted

AMD64 = Platform("linux", "amd64")
BASE = Digest("sha256", "2" * 64)
TARGET = Repository("registry.example.com", "acme/worker-os")
BUILT = TARGET.at(Digest("sha256", "3" * 64))
SUBJECT = Subject(image="worker-os", cluster="prod", pool="worker")


def observation(
    *, subject: Subject = SUBJECT, key: str = "a", built: ImageReference | None = None, build: Build | None = None
) -> Observation:
    base = Base(
        reference=Repository("quay.io", "art").at(BASE),
        name="quay.io/art",
        platforms={AMD64: BASE},
        version=None,
        labels={},
        release="4.19.2",
    )
    wanted = Wanted(
        base=base,
        version="4.19.2",
        update_completed=True,
        commit="c" * 40,
        key=BuildKey(key * 64),
        target=TARGET.tagged(f"4.19.2-{key * 12}"),
    )
    return Observation(subject=subject, wanted=wanted, platforms=(AMD64,), built=built, build=build)


def verdict(
    kind: Kind = Kind.UP_TO_DATE,
    reason: Reason = Reason.MATCHES_BASE,
    *,
    seen: Observation | Failure | None = None,
    subject: Subject = SUBJECT,
    message: str = "as it is",
    next_step: str = "",
) -> Verdict:
    return Verdict(
        subject=subject,
        seen=seen or observation(subject=subject),
        decision=Decision(kind=kind, reason=reason, message=message, next_step=next_step),
    )


def build(state: BuildState, *, attempt: int = 1, message: str = "a step failed") -> Build:
    return Build(
        engine="tekton",
        name=f"worker-os-{'a' * 12}-{attempt}",
        state=state,
        attempt=attempt,
        reason=Reason.BUILD_FAILED,
        message=message,
    )
