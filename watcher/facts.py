"""Every fact that a decision stands on, with its source: the object and field, the registry, or the place in git.

A fact is told as it was seen; nothing is asked again, and nothing is judged. What could not be told is a fact, too.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from layering.cluster.clusterversion import ClusterRelease
from layering.cluster.state import Pool
from layering.errors import LayerwatchError
from layering.forge.forge import ProposalState
from layering.provenance import BASE_DIGEST, BASE_VERSION, BUILD_KEY
from layering.request import ProposalEntry
from watcher.engines.engine import Build
from watcher.home import RunPlace
from watcher.known import Known
from watcher.overview import facts_of, running_base
from watcher.settings_image import FollowedCluster, ImageSettings
from watcher.targets import Target
from watcher.world import Failure, Observation, Running, Wanted


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    """`source` names object and field, such as `prod: ClusterVersion/version status.history[0].image`."""

    fact: str
    value: str
    source: str


def image_facts(
    image: ImageSettings, seen: Observation | Failure, followed: Known | None, runs: RunPlace | None
) -> Iterator[Fact]:
    """What is the same for every pool of an image. `followed` is the cluster that its base follows, if one."""
    if isinstance(image.base, FollowedCluster) and followed is not None:
        yield from _release(image.base.cluster, followed)
    if isinstance(seen, Failure):
        return
    yield from _wanted(image, seen, followed)
    if seen.build is not None:
        yield _build(seen.build, runs)


def pool_facts(target: Target, seen: Observation | Failure, pool: Pool | None) -> Iterator[Fact]:
    """What belongs to one pool: what git pins, what was proposed, what its machines run."""
    _, entry = target
    if entry is not None and isinstance(seen, Observation):
        if seen.proposal is not None:
            yield _pinned(entry, seen.proposal)
        if seen.running is not None:
            yield from _annotations("pinned", seen.running)
        if seen.proposal is not None:
            yield _proposal(entry, seen.proposal)
    if entry is not None and pool is not None:
        yield from _pool(entry.cluster, pool)
        if isinstance(seen, Observation) and seen.applied is not None:
            yield from _annotations("running", seen.applied)
    if isinstance(seen, Failure):
        yield Fact(fact="could not be told", value=seen.message, source=f"the look itself: {seen.reason}")


def _release(cluster: str, known: Known) -> Iterator[Fact]:
    state, at = facts_of(known)
    release = state.release if state else None
    if not isinstance(release, ClusterRelease):
        return
    where = f"{cluster}: ClusterVersion/version status.history[0]"
    yield Fact(fact="release payload", value=str(release.payload), source=f"{where}.image")
    yield Fact(fact="release version", value=release.version or "(none)", source=f"{where}.version")
    yield Fact(fact="update", value=release.state.value, source=f"{where}.state")
    if known.failure is not None and at is not None:
        yield Fact(fact="last good look", value=f"{at:%Y-%m-%dT%H:%M:%SZ}", source=cluster)


def _wanted(image: ImageSettings, seen: Observation, followed: Known | None) -> Iterator[Fact]:
    wanted = seen.wanted
    base = wanted.base
    yield Fact(fact="matching base", value=str(base.reference), source=_base_source(image, followed))
    for platform, digest in base.platforms.items():
        if digest != base.digest:
            yield Fact(fact=f"matching base, {platform}", value=str(digest), source=f"registry {base.reference}: index")
    if base.version:
        yield Fact(fact="base's version", value=base.version, source=f"registry {base.reference}: config, its labels")
    if wanted.disagreement:
        where = f"{image.base.cluster}: " if isinstance(image.base, FollowedCluster) else ""
        source = f"{where}OSImageStream/cluster status.availableStreams"
        yield Fact(fact="streams disagree", value=wanted.disagreement, source=source)
    yield Fact(fact="source commit", value=wanted.commit, source=f"git {image.source.git} {image.source.ref}")
    yield from _target(wanted, seen)


def _target(wanted: Wanted, seen: Observation) -> Iterator[Fact]:
    made_of = "layerwatch, of the base's digests, the source's tree, the Containerfile, build arguments and builder"
    yield Fact(fact="build key", value=str(wanted.key), source=made_of)
    built = f"there: {seen.built.pinned}" if seen.built else "not there"
    yield Fact(fact="target tag", value=built, source=f"registry {wanted.target}")


def _base_source(image: ImageSettings, followed: Known | None) -> str:
    follow = image.base
    if not isinstance(follow, FollowedCluster):
        return f"registry {follow.image}"
    if follow.stream is not None:
        return f"{follow.cluster}: OSImageStream/cluster status.availableStreams[{follow.stream}].osImage"
    state, _ = facts_of(followed) if followed else (None, None)
    release = None if state is None or isinstance(state.release, LayerwatchError) else state.release
    payload = str(release.payload) if release else "(the payload)"
    return f"registry {payload}: image-references tag {follow.tag}"


def _build(build: Build, runs: RunPlace | None) -> Fact:
    source = f"engine {build.engine}"
    if runs is not None and build.name:
        source = f"{runs.cluster}: PipelineRun/{runs.namespace}/{build.name}"
    value = f"{build.state}, attempt {build.attempt}: {build.message}"
    return Fact(fact="build", value=f"{value}; log: {build.log}" if build.log else value, source=source)


def _pinned(entry: ProposalEntry, proposal: ProposalState) -> Fact:
    value = proposal.pinned or "nothing"
    return Fact(fact="git pins", value=value, source=f"{entry.repository} {entry.branch}:{entry.file}")


def _annotations(which: str, running: Running) -> Iterator[Fact]:
    """What an image says that it was built from; one that says nothing is no build of ours."""
    where = f"registry {running.image}: annotation"
    told = {
        f"{which} base": (running_base(running), BASE_DIGEST),
        f"{which} base's version": (running.version, BASE_VERSION),
        f"{which} build key": (running.key, BUILD_KEY),
    }
    for fact, (value, annotation) in told.items():
        yield Fact(fact=fact, value=value or "(no such annotation, or no such image)", source=f"{where} {annotation}")


def _proposal(entry: ProposalEntry, proposal: ProposalState) -> Fact:
    why = f" ({proposal.reason})" if proposal.reason else ""
    address = f": {proposal.own_page}" if proposal.own_page else ""
    return Fact(
        fact="proposal",
        value=f"{proposal.state}{why}{address}",
        source=f"forge {entry.forge} {entry.repository} {proposal.branch}",
    )


def _pool(cluster: str, pool: Pool) -> Iterator[Fact]:
    where = f"{cluster}: MachineConfigPool/{pool.name}"
    rendered = f"{cluster}: MachineConfig/{pool.rendered}"
    yield Fact(fact="nodes are told", value=pool.os_image or "(not known)", source=f"{rendered} spec.osImageURL")
    current = f"{cluster}: MachineConfig/{pool.current} spec.osImageURL"
    yield Fact(fact="nodes run", value=pool.current_image or "(not known)", source=current)
    yield Fact(
        fact="osImageURL set by",
        value=f"MachineConfig {pool.set_by}" if pool.set_by else "the release",
        source=f"{where} spec.configuration.source",
    )
    if pool.layered_by:
        name = f"{cluster}: MachineOSConfig/{pool.layered_by}"
        yield Fact(fact="layered by", value=pool.layered_by, source=f"{name} spec.machineConfigPool.name")
    if pool.stream:
        yield Fact(fact="stream", value=pool.stream, source=f"{where} spec.osImageStream.name")
    for fact, value, field in (
        ("paused", pool.paused, "spec.paused"),
        ("updated", pool.updated, "status.conditions[Updated]"),
        ("updating", pool.updating, "status.conditions[Updating]"),
        ("degraded", pool.degraded, "status.conditions[Degraded]"),
    ):
        yield Fact(fact=fact, value="yes" if value else "no", source=f"{where} {field}")
    yield Fact(
        fact="machines",
        value=f"{pool.updated_machines} of {pool.total} updated, {pool.degraded_machines} degraded",
        source=f"{where} status.updatedMachineCount, machineCount, degradedMachineCount",
    )
    architectures = "(not known)" if pool.architectures is None else ", ".join(pool.architectures) or "(no nodes)"
    yield Fact(
        fact="architectures",
        value=architectures,
        source=f"{cluster}: Node metadata.labels[kubernetes.io/arch]",
    )
