"""What only the whole document can tell: names that stand twice, clusters that are not there, two images for a pool.

The rules read plain values, so that they speak in the same run as the models do. What has the wrong shape is passed
over here: the models complain about it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from layering.errors import InputError
from layering.forge.settings import DEFAULT_URLS, Kind, check_repository
from layering.suggestion import did_you_mean
from watcher.settings_faults import Fault, Location
from watcher.settings_groups import group_contradictions

_Place = tuple[Location, Mapping[str, Any]]


def contradictions(document: Mapping[str, Any]) -> Iterator[Fault]:
    """All of them, without lines."""
    clusters, images = list(_mappings(document, (), "clusters")), list(_mappings(document, (), "images"))
    yield from _doubled([((*at, "name"), item.get("name")) for at, item in clusters])
    yield from _doubled([((*at, "name"), item.get("name")) for at, item in images])
    if isinstance(document.get("clusters", []), list):
        yield from _unknown_clusters([item.get("name") for _, item in clusters], images)
    forges = list(_mappings(document, (), "forges"))
    yield from _doubled([((*at, "name"), item.get("name")) for at, item in forges])
    yield from _unknown_forges(document, forges, images)
    yield from _not_a_cluster(clusters, images)
    yield from _nowhere_to_build(document, clusters, images)
    yield from _nobody_to_tell(document, clusters)
    yield from _shared_pools(images)
    entries = (place for at, image in images for place in _mappings(image, at, "proposals"))
    yield from group_contradictions(document.get("proposalDefaults"), entries)
    for at, image in images:
        platforms = image.get("platforms")
        if isinstance(platforms, list):
            yield from _doubled([((*at, "platforms", number), text) for number, text in enumerate(platforms)])


def _mappings(holder: Mapping[str, Any], at: Location, key: str) -> Iterator[_Place]:
    """The mappings in the list under `key`, each with its place."""
    items = holder.get(key)
    for number, item in enumerate(items if isinstance(items, list) else ()):
        if isinstance(item, dict):
            yield (*at, key, number), item


def _doubled(named: Sequence[tuple[Location, Any]]) -> Iterator[Fault]:
    first: dict[str, Location] = {}
    for at, name in named:
        if not isinstance(name, str):
            continue
        if name in first:
            message = f"{name} stands twice, first as {Fault(at=first[name], message='').path}"
            yield Fault(at=at, message=message, suggestion="keep one of the two, or name it differently")
        first.setdefault(name, at)


def _unknown_clusters(names: Sequence[Any], images: Sequence[_Place]) -> Iterator[Fault]:
    """An image that follows a tag may be proposed for clusters that nothing is known of; its rollout is theirs."""
    known = sorted(name for name in names if isinstance(name, str))
    if len(known) < len(names):
        return  # a cluster without its name: whose it is, its own fault will show
    for at, image in images:
        base = image.get("base")
        if not isinstance(base, dict) or "image" in base:
            continue
        named = [((*at, "base", "cluster"), base.get("cluster"))]
        named += [((*place, "cluster"), entry.get("cluster")) for place, entry in _mappings(image, at, "proposals")]
        for place, name in named:
            if isinstance(name, str) and name not in known:
                hint = did_you_mean(name, known) or f"clusters has {', '.join(known) or 'none'}"
                yield Fault(at=place, message=f"there is no cluster {name}", suggestion=hint)


def _unknown_forges(document: Mapping[str, Any], forges: Sequence[_Place], images: Sequence[_Place]) -> Iterator[Fault]:
    """Proposals and builds name forges that are there, or that need no entry; builds are GitHub's."""
    if not isinstance(document.get("forges", []), list):
        return
    kinds = {item["name"]: item.get("kind") for _, item in forges if isinstance(item.get("name"), str)}
    if len(kinds) < len(forges):
        return  # a forge without its name, or one name twice: its own fault will show
    for at, item in forges:
        if item.get("name") == Kind.LOCAL:
            yield Fault(
                at=(*at, "name"), message="local is a repository on this machine", suggestion="name it otherwise"
            )
    kinds = {**{str(kind): kind for kind in DEFAULT_URLS}, **kinds, str(Kind.LOCAL): Kind.LOCAL}
    githubs = [name for name, kind in kinds.items() if kind == Kind.GITHUB]
    for at, image in images:
        build = image.get("build")
        if isinstance(build, dict) and build.get("engine") == "githubActions":
            name = build.get("forge", "github")
            if isinstance(name, str) and kinds.get(name) != Kind.GITHUB:
                message = f"there is no forge {name} of kind github"
                yield Fault(at=(*at, "build", "forge"), message=message, suggestion=_forge_hint(name, githubs))
        for place, entry in _mappings(image, at, "proposals"):
            name = entry.get("forge", "local")
            if isinstance(name, str) and name not in kinds:
                yield Fault(
                    at=(*place, "forge"), message=f"there is no forge {name}", suggestion=_forge_hint(name, kinds)
                )
            elif isinstance(name, str):
                yield from _no_repository(place, entry.get("repository"), kinds[name])


def _no_repository(place: Location, repository: Any, kind: Any) -> Iterator[Fault]:
    """OWNER/NAME, or what else a forge of that kind calls its repositories."""
    if isinstance(repository, str) and isinstance(kind, str) and kind in set(Kind):
        try:
            check_repository(repository, Kind(kind))
        except InputError as error:
            yield Fault(at=(*place, "repository"), message=error.what, suggestion=error.next_step)


def _forge_hint(name: str, known: Iterable[str]) -> str:
    close = did_you_mean(name, sorted(known)) if name != Kind.GITEA else ""
    return close or f"add it to forges, with its url; there is {', '.join(known)}"


def _not_a_cluster(clusters: Sequence[_Place], images: Sequence[_Place]) -> Iterator[Fault]:
    """`layerwatch/group/…` are the branches of grouped proposals."""
    named = [((*at, "name"), item.get("name")) for at, item in clusters]
    for at, image in images:
        named += [((*place, "cluster"), entry.get("cluster")) for place, entry in _mappings(image, at, "proposals")]
    for place, name in named:
        if name == "group":
            yield Fault(at=place, message="no cluster can be called group", suggestion="call it something else")


def _nowhere_to_build(
    document: Mapping[str, Any], clusters: Sequence[_Place], images: Sequence[_Place]
) -> Iterator[Fault]:
    """Clusters that builds or the daemon name have an API: a file runs nothing."""
    answering = [item.get("name") for _, item in clusters if not _is_file(item.get("access"))]
    daemon = document.get("daemon")
    home = daemon.get("cluster") if isinstance(daemon, dict) else None
    named: list[tuple[Location, Any]] = [(("daemon", "cluster"), home)] if home is not None else []
    for at, image in images:
        build = image.get("build")
        if isinstance(build, dict) and build.get("engine") == "tekton":
            if "cluster" in build:
                named.append(((*at, "build", "cluster"), build["cluster"]))
            elif home is None and not answering:
                message = "there is no cluster with an API to run it in"
                yield Fault(at=(*at, "build", "engine"), message=message, suggestion="add one to clusters")
    for place, name in named:
        if isinstance(name, str) and name not in answering:
            listed = ", ".join(str(known) for known in answering) or "none"
            yield Fault(at=place, message=f"{name} is no cluster with an API", suggestion=f"there is {listed}")


def _nobody_to_tell(document: Mapping[str, Any], clusters: Sequence[_Place]) -> Iterator[Fault]:
    """What a cluster shall say about registries, when all clusters are files."""
    registries = document.get("registries")
    if not isinstance(registries, dict) or not all(_is_file(item.get("access")) for _, item in clusters):
        return
    told: list[tuple[Location, Any]] = [
        (("registries", key), registries.get(key)) for key in ("authFile", "caFile", "mirrors", "proxy")
    ]
    signatures = registries.get("releaseSignatures")
    stores = signatures.get("stores") if isinstance(signatures, dict) else None
    at = ("registries", "releaseSignatures", "stores")
    told += [((*at, number), store) for number, store in enumerate(stores if isinstance(stores, list) else ())]
    for place, value in told:
        if value == "cluster":
            message = "there is no cluster with an API to say it"
            yield Fault(at=place, message=message, suggestion="add one to clusters, or name a file")


def _is_file(access: Any) -> bool:
    return isinstance(access, dict) and "file" in access


def _shared_pools(images: Sequence[_Place]) -> Iterator[Fault]:
    taken: dict[tuple[str, str], Any] = {}
    for at, image in images:
        for place, entry in _mappings(image, at, "proposals"):
            cluster, pool = entry.get("cluster"), entry.get("pool")
            if not isinstance(cluster, str) or not isinstance(pool, str):
                continue
            if (cluster, pool) in taken:
                message = f"pool {pool} of cluster {cluster} has an image already: {taken[cluster, pool]}"
                yield Fault(at=place, message=message, suggestion="keep one of the two")
            taken.setdefault((cluster, pool), image.get("name"))
