"""What a tick looks at: each image for each pool it is proposed for, and the clusters that have a say in it."""

from watcher.settings import Settings
from watcher.settings_image import FollowedCluster, ImageSettings, ProposalSettings, TektonBuild
from watcher.world import Subject

Target = tuple[ImageSettings, ProposalSettings | None]


def targets(settings: Settings) -> list[Target]:
    """Everything a tick looks at, in the configuration's order: image x proposal, or the image alone."""
    return [(image, entry) for image in settings.images for entry in (image.proposals or (None,))]


def subject_of(target: Target) -> Subject:
    """The name under which a decision is reported."""
    image, entry = target
    if entry is None:
        return Subject(image=image.name)
    return Subject(image=image.name, cluster=entry.cluster, pool=entry.pool)


def clusters_of(target: Target, settings: Settings) -> frozenset[str]:
    """The clusters that have a say: the one its base follows, the pool's, the one its builds run in."""
    image, entry = target
    named = (
        image.base.cluster if isinstance(image.base, FollowedCluster) else None,
        entry.cluster if entry else None,
        built_in(image, settings),
    )
    return frozenset(name for name in named if name is not None)


def built_in(image: ImageSettings, settings: Settings) -> str | None:
    """The cluster its builds run in; None for an image that no cluster builds."""
    build = image.build
    return (build.cluster or settings.home) if isinstance(build, TektonBuild) else None
