"""What does the world look like: reads only, one `Observation` or `Failure` per image and pool.

What is remembered from one look to the next is content-addressed (a payload's images, a commit's tree, the annotations
of a digest) or can never change (a target tag that was seen), so that a process that forgot it all decides the same.
It decides nothing and writes nothing.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from layering import git
from layering.base import Base, BaseSource, FollowedImage, ReleaseTag, Verify, resolve_base
from layering.buildkey import BuildInputs, BuildKey, build_key
from layering.cluster.clusterversion import ClusterRelease, UpdateState
from layering.cluster.state import ClusterState
from layering.containerfile import Match
from layering.errors import ConflictError, InputError, LayerwatchError, NotFoundError
from layering.forge.forge import Forge, ProposalState, ProposalTarget
from layering.once import Once
from layering.provenance import provenance_of, read_provenance
from layering.reasons import Reason
from layering.reference import Digest, ImageReference
from layering.registry.client import RegistryClient
from layering.request import ProposalEntry
from layering.source import SourceFacts, source_facts
from layering.target import target_tag
from watcher.engines.engine import Build, Engine
from watcher.known import Known
from watcher.look import Look
from watcher.settings import Settings
from watcher.settings_image import FollowedCluster, ImageSettings
from watcher.targets import Target, built_in, subject_of
from watcher.world import CouldNotTell, Failure, Observation, Running, Wanted

_THREADS = 8  # for images whose bases and targets are at the same hosts: so many connections each host sees
_THREADS_IN_ALL = 32  # but one for each group at least


class Observer:
    """Looks at registries, sources, forges and engines through the adapters it is given. Safe to use from threads.

    Clusters are not asked here: `known` says what was learnt of one.
    """

    def __init__(
        self,
        known: Callable[[str], Known],
        registry: Callable[[ImageSettings], RegistryClient],
        verifier: Callable[[ImageSettings], Verify],
        forges: Mapping[str, Forge],
        engines: Mapping[str, Engine],
    ) -> None:
        self._known = known
        self._registry = registry
        self._verifier = verifier
        self._forges = forges
        self._engines = engines
        self._seen_tags: dict[ImageReference, ImageReference] = {}
        self._base = Once(resolve_base)
        self._facts = Once(source_facts)
        self._provenance = Once(read_provenance)

    def look(self, settings: Settings, wanted: Iterable[Target]) -> list[Observation | Failure]:
        """One observation per target, in order.

        Each cluster is read once, each branch and each tag is asked for once. Images whose bases and targets are at
        other hosts have threads of their own, so that a host that hangs does not take them all.
        """
        wanted = list(wanted)
        images = {image.name: image for image, _ in wanted}
        look = Look(
            clusters={cluster.name: self._known(cluster.name) for cluster in settings.clusters},
            forges={name: forge.for_one_look(_proposed_at(name, wanted)) for name, forge in self._forges.items()},
            commit=Once(git.resolve_commit),
            digest=Once(_digest_of),
            built=Once(self._built),
            build=Once(lambda name, key: self._build(images[name], key, built_in(images[name], settings))),
        )
        self._announce(images.values())
        seen: dict[int, Observation | Failure] = {}
        groups: dict[tuple[str, str], list[int]] = {}
        for number, target in enumerate(wanted):
            groups.setdefault(_asked(target), []).append(number)

        def work(waiting: Iterator[int]) -> None:  # one for each thread: a future for each target is larger than it
            for number in waiting:
                seen[number] = self._observe(wanted[number], look)

        threads = max(1, min(_THREADS, _THREADS_IN_ALL // max(1, len(groups))))
        with ThreadPoolExecutor(max_workers=max(1, threads * len(groups))) as pool:
            shared = [iter(numbers) for numbers in groups.values()]  # no number of it is given to two threads
            for working in [pool.submit(work, waiting) for waiting in shared for _ in range(threads)]:
                working.result()
        return [seen[number] for number in range(len(wanted))]

    def _announce(self, images: Iterable[ImageSettings]) -> None:
        """Tell the registries what they will be asked for: one token may be good for much of it."""
        for image in images:
            with contextlib.suppress(LayerwatchError):  # it is told when the image is looked at
                followed = () if isinstance(image.base, FollowedCluster) else (image.base.image,)
                self._registry(image).expect([*followed, ImageReference(image.target)])

    def _observe(self, target: Target, look: Look) -> Observation | Failure:
        try:
            return self._observed(target, look)
        except LayerwatchError as error:
            return Failure.of(error)

    def _observed(self, target: Target, look: Look) -> Observation:
        image, entry = target
        registry = self._registry(image)
        wanted = self._wanted(registry, image, look)
        built, build = self._image_or_build(registry, image, wanted, look)
        state = _proposal(entry, look.forges[entry.forge], wanted.key, built) if entry else None
        pool = look.pool(entry) if entry else None
        return Observation(
            subject=subject_of(target),
            wanted=wanted,
            platforms=image.platforms,
            built=built,
            running=self._running(registry, state.pinned, image) if state else None,
            proposal=state,
            pool=pool,
            also=look.also(entry, state.config) if entry and state else (),
            applied=self._running(registry, pool.current_image, image) if pool else None,
            build=build,
        )

    def _image_or_build(
        self, registry: RegistryClient, image: ImageSettings, wanted: Wanted, look: Look
    ) -> tuple[ImageReference | None, Build | None]:
        """The image, or what became of its build. One that ended well may have pushed since the registry was asked."""
        built = look.built(registry, wanted.target, wanted.key)
        build = None if built else look.build(image.name, wanted.key)
        if build is not None and build.reason is Reason.BUILD_WITHOUT_IMAGE:
            built = self._built(registry, wanted.target, wanted.key)
        return built, None if built else build

    def _build(self, image: ImageSettings, key: BuildKey, cluster: str | None) -> Build | None:
        """A cluster that did not answer when it was looked at is not asked for runs: all others would wait for it."""
        failure = self._known(cluster).failure if cluster is not None else None
        if failure is not None and failure.temporary:
            raise CouldNotTell(failure)
        return self._engines[image.build.engine].find(image, str(key))

    def _wanted(self, registry: RegistryClient, image: ImageSettings, look: Look) -> Wanted:
        follow = image.base
        if isinstance(follow, FollowedCluster):
            state, release = look.release(follow.cluster)
            followed = _followed(follow, state, release, look, registry)
            base = self._base(registry, followed, image.platforms, self._verifier(image))
            completed = release.state is UpdateState.COMPLETED
            version = _release_of(follow, release) or base.version or "base"
            disagreement = _disagreement(follow, base, state) if completed else ""
        else:
            base = self._base(registry, FollowedImage(look.pin(registry, follow.image)), image.platforms)
            completed, disagreement = True, ""
            version = base.version or "base"
        at = look.commit(image.source.git, image.source.ref)
        facts = self._facts(image.source.git, at, image.source.context, image.source.containerfile)
        key = key_of(image, base, facts)
        return Wanted(
            base=base,
            version=version,
            update_completed=completed,
            commit=at,
            key=key,
            target=target_tag(image.target, version, key),
            disagreement=disagreement,
        )

    def _built(self, registry: RegistryClient, target: ImageReference, key: BuildKey) -> ImageReference | None:
        """The image that the target tag names. Target tags are never moved, so one that was seen is not asked again.

        Raises ConflictError (TagTaken) when it is not the build of this key: a tag alone proves nothing.
        """
        if target not in self._seen_tags:
            try:
                found = registry.manifest(target)
            except NotFoundError:
                return None
            if provenance_of(found.annotations).key != str(key):
                raise ConflictError(
                    f"the tag holds {found.digest.short}, which is not our build of it",
                    where=str(target),
                    next_step="find out who pushed it; delete the tag if it may go",
                    reason=Reason.TAG_TAKEN,
                )
            self._seen_tags[target] = target.repository.at(found.digest)
        return self._seen_tags[target]

    def _running(self, registry: RegistryClient, pinned: str | None, image: ImageSettings) -> Running | None:
        """What git pins, with its annotations when it is an image of ours that the registry still has."""
        if pinned is None:
            return None
        try:
            reference = ImageReference.parse_pinned(pinned)
        except InputError:
            return None  # a tag or a placeholder: whatever it is, no build of ours
        if reference.repository != image.target:
            return Running(image=reference)
        provenance = self._provenance(registry, reference.without_tag())
        return Running(
            image=reference,
            key=provenance.key,
            base_name=provenance.base_name,
            base_digest=provenance.base_digest,
            version=provenance.base_version,
            revision=provenance.revision,
        )


def _asked(target: Target) -> tuple[str, str]:
    """Who is asked most for it: where its base comes from, and the registry of what is built."""
    image, _ = target
    base = image.base
    asked = base.cluster if isinstance(base, FollowedCluster) else base.image.repository.domain
    return asked, image.target.domain


def _proposed_at(forge: str, wanted: Iterable[Target]) -> list[ProposalTarget]:
    return [entry.target for _, entry in wanted if entry is not None and entry.forge == forge]


def _proposal(entry: ProposalEntry, forge: Forge, key: BuildKey, built: ImageReference | None) -> ProposalState:
    """What the forge holds. Raises InputError for a file that is not there and may not be made: before any build."""
    state = forge.observe(entry.target, str(key), built)
    if state.config is None and not entry.create:
        raise InputError(
            f"there is no {entry.file} on {entry.branch}",
            where=entry.repository,
            next_step="name the MachineConfig's file in proposals[].file, or allow it to be made (create: true)",
        )
    return state


def _digest_of(registry: RegistryClient, reference: ImageReference) -> Digest:
    return registry.resolve(reference).digest


def _followed(
    follow: FollowedCluster, state: ClusterState, release: ClusterRelease, look: Look, registry: RegistryClient
) -> BaseSource:
    """What the base is taken from: the payload's tag, or the image of the cluster's OS image stream."""
    if follow.tag is not None:
        return ReleaseTag(look.pin(registry, release.payload), follow.tag)
    streams = state.streams
    if isinstance(streams, LayerwatchError):
        raise CouldNotTell(Failure.of(streams))
    images = streams.images if streams is not None else {}
    image = images.get(follow.stream or "")
    if image is None:
        raise InputError(
            f"the cluster has no OS image stream {follow.stream}",
            where=f"{follow.cluster}: OSImageStream/cluster status.availableStreams",
            next_step=(
                f"it has {', '.join(sorted(images))}; follow one of them, or a tag of the payload"
                if images
                else "it has no streams: follow a tag of the payload (base: {cluster, tag})"
            ),
            reason=Reason.BASE_NOT_FOUND,
        )
    return FollowedImage(image)


def _release_of(follow: FollowedCluster, release: ClusterRelease) -> str:
    """The release that the base belongs to. During an update a stream is still that of the release before."""
    if follow.stream is None or release.state is UpdateState.COMPLETED:
        return release.version
    completed = (entry.version for entry in release.history if entry.state is UpdateState.COMPLETED)
    return next(completed, release.version)


def _disagreement(follow: FollowedCluster, base: Base, state: ClusterState) -> str:
    """How the cluster's streams contradict the payload's tag, or nothing. Not to be asked during an update."""
    if follow.tag is None or state.streams is None:
        return ""
    if isinstance(state.streams, LayerwatchError):
        raise CouldNotTell(Failure.of(state.streams))
    digests = {image.digest for image in state.streams.images.values()}
    if not digests or digests & {base.digest, *base.platforms.values()}:
        return ""
    listed = ", ".join(f"{name} {image.pinned.short}" for name, image in sorted(state.streams.images.items()))
    return f"the payload's {follow.tag} is {base.digest.short}, and the cluster's streams are {listed}"


def key_of(image: ImageSettings, base: Base, facts: SourceFacts) -> BuildKey:
    """The build key of one configured image on one base and source."""
    return build_key(
        BuildInputs(
            base=base.platforms,
            tree=facts.tree,
            containerfile=facts.containerfile,
            containerfile_blob=facts.containerfile_blob,
            build_args=image.build.args,
            builder=image.build.builder,
            matches=tuple(str(Match.parse(text)) for text in image.source.match),
        )
    )
