"""What does the world look like: reads only, one `Observation` or `Failure` per image and pool.

What is remembered from one look to the next is content-addressed (a payload's images, a commit's tree, the annotations
of a digest) or can never change (a target tag that was seen), so that a process that forgot it all decides the same.
It decides nothing and writes nothing.
"""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from layering import git
from layering.base import Base, BaseSource, FollowedImage, ReleaseTag, resolve_base
from layering.buildkey import BuildInputs, BuildKey, build_key
from layering.cluster.clusterversion import ClusterRelease, UpdateState, read_file
from layering.containerfile import Match
from layering.errors import ConflictError, InputError, LayerwatchError, NotFoundError
from layering.forge.forge import Forge
from layering.provenance import provenance_of, read_provenance
from layering.reasons import Reason
from layering.reference import Digest, ImageReference
from layering.registry.client import RegistryClient
from layering.request import ProposalEntry
from layering.source import SourceFacts, source_facts
from layering.target import target_tag
from watcher.once import Once
from watcher.settings import ClusterTag, ImageSettings, Settings
from watcher.world import FailedBuild, Failure, Observation, Running, Subject, Wanted

_THREADS = 8

Target = tuple[ImageSettings, ProposalEntry | None]


def targets(settings: Settings) -> list[Target]:
    """Everything a tick looks at, in the configuration's order: image x proposal, or the image alone."""
    return [(image, entry) for image in settings.images for entry in (image.proposals or (None,))]


def subject_of(target: Target) -> Subject:
    """The name under which a decision is reported."""
    image, entry = target
    if entry is None:
        return Subject(image=image.name)
    return Subject(image=image.name, cluster=entry.cluster, pool=entry.pool)


class Observer:
    """Looks at clusters, registries, sources and forges through the adapters it is given. Safe to use from threads."""

    def __init__(
        self,
        registry: RegistryClient,
        forges: Mapping[str, Forge],
        failed_build: Callable[[str], FailedBuild | None] = lambda key: None,
    ) -> None:
        self._registry = registry
        self._forges = forges
        self._failed_build = failed_build
        self._seen_tags: dict[ImageReference, ImageReference] = {}
        self._base = Once(partial(resolve_base, registry))
        self._facts = Once(source_facts)
        self._provenance = Once(partial(read_provenance, registry))

    def look(self, settings: Settings, wanted: Iterable[Target]) -> list[Observation | Failure]:
        """One observation per target, in order.

        Each cluster is read once, each branch and each tag is asked for once. A slow registry delays only its images.
        """
        wanted = list(wanted)
        look = _Look(
            releases={cluster.name: _release(cluster.file) for cluster in settings.clusters},
            commit=Once(git.resolve_commit),
            digest=Once(self._digest_of),
            built=Once(self._built),
        )
        with ThreadPoolExecutor(max_workers=_THREADS) as pool:
            return list(pool.map(lambda target: self._observe(target, look), wanted))

    def _observe(self, target: Target, look: "_Look") -> Observation | Failure:
        try:
            return self._observed(target, look)
        except LayerwatchError as error:
            return Failure.of(error)
        except _CouldNotTell as known:
            return known.failure

    def _observed(self, target: Target, look: "_Look") -> Observation:
        image, entry = target
        wanted = self._wanted(image, look)
        built = look.built(wanted.target, wanted.key)
        running = proposal = None
        if entry is not None:
            state = self._forges[entry.forge].observe(entry.target, str(wanted.key), built)
            running = self._running(state.pinned, image)
            proposal = state
        return Observation(
            subject=subject_of(target),
            wanted=wanted,
            built=built,
            running=running,
            proposal=proposal,
            failed_build=self._failed_build(str(wanted.key)),
        )

    def _wanted(self, image: ImageSettings, look: "_Look") -> Wanted:
        source, completed = self._followed(image, look)
        base = self._base(source, image.platforms)
        at = look.commit(image.source.git, image.source.ref)
        facts = self._facts(image.source.git, at, image.source.context, image.source.containerfile)
        key = key_of(image, base, facts)
        version = base.release or base.version or "base"
        return Wanted(
            base=base,
            version=version,
            update_completed=completed,
            commit=at,
            key=key,
            target=target_tag(image.target, version, key),
        )

    def _followed(self, image: ImageSettings, look: "_Look") -> tuple[BaseSource, bool]:
        """What the base is taken from, pinned by digest; and whether the cluster's update is completed."""
        follow = image.base
        if isinstance(follow, ClusterTag):
            release = look.releases[follow.cluster]
            if isinstance(release, Failure):
                raise _CouldNotTell(release)
            pinned = look.pin(release.payload)
            return ReleaseTag(pinned, follow.tag), release.state is UpdateState.COMPLETED
        return FollowedImage(look.pin(follow.image)), True

    def _digest_of(self, reference: ImageReference) -> Digest:
        return self._registry.resolve(reference).digest

    def _built(self, target: ImageReference, key: BuildKey) -> ImageReference | None:
        """The image that the target tag names. Target tags are never moved, so one that was seen is not asked again.

        Raises ConflictError (TagTaken) when it is not the build of this key: a tag alone proves nothing.
        """
        if target not in self._seen_tags:
            try:
                found = self._registry.manifest(target)
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

    def _running(self, pinned: str | None, image: ImageSettings) -> Running | None:
        """What git pins, with its annotations when it is an image of ours that the registry still has."""
        if pinned is None:
            return None
        try:
            reference = ImageReference.parse_pinned(pinned)
        except InputError:
            return None  # a tag or a placeholder: whatever it is, no build of ours
        if reference.repository != image.target:
            return Running(image=reference)
        provenance = self._provenance(reference.without_tag())
        return Running(
            image=reference,
            key=provenance.key,
            base_name=provenance.base_name,
            base_digest=provenance.base_digest,
            version=provenance.base_version,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Look:
    """What is asked once for all images of one look: clusters, branches, tags."""

    releases: Mapping[str, ClusterRelease | Failure]
    commit: Once[str]
    digest: Once[Digest]
    built: Once[ImageReference | None]

    def pin(self, reference: ImageReference) -> ImageReference:
        """The reference with its digest; a tag costs one HEAD."""
        if reference.digest is not None:
            return reference
        return ImageReference(reference.repository, reference.tag, self.digest(reference))


class _CouldNotTell(Exception):  # noqa: N818 carries a finished answer out of a computation, it is no error of its own
    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


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


def _release(file: Path) -> ClusterRelease | Failure:
    try:
        return read_file(file)
    except LayerwatchError as error:
        return Failure.of(error)
