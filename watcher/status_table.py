"""The table of `status`, for people: clusters, then pools, then images, each with what a person would do next.

Digests are shortened and versions shown in their place where they tell the same; the JSON has them whole. It lays out;
it gathers and decides nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from layering.cluster.state import Pool
from layering.errors import InputError
from layering.forge.forge import Orphan
from layering.outcome import shown
from layering.reference import ImageReference
from watcher.behind import Behind
from watcher.decision import Kind
from watcher.overview import ClusterStatus, ImageStatus, PoolStatus, Status, runs_matching
from watcher.report import COLOURS, place
from watcher.world import Observation

_NOTHING = "-"
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


@dataclass(frozen=True, kw_only=True, slots=True)
class _Row:
    """Cells, and the lines below them. `colour` is for the last cell."""

    cells: tuple[str, ...]
    below: tuple[str, ...] = ()
    colour: str | None = None


def as_table(status: Status, *, colour: bool = False) -> str:
    """Up to four tables; one that would be empty is left out."""
    pools = [(cluster.name, pool) for cluster in status.clusters for pool in cluster.pools]
    tables = (
        (("CLUSTER", "VERSION", "UPDATE", "SEEN", "STATE"), [_cluster(each, status.at) for each in status.clusters]),
        (("POOL", "OS IMAGE", "SET BY", "MACHINES"), [_pool(name, pool) for name, pool in pools]),
        (("IMAGE", "POOL", "BASE", "BEHIND", "DECISION"), [_image(image) for image in status.images]),
        (("ORPHANED PROPOSAL", "REPOSITORY"), [_orphan(orphan) for orphan in status.orphans or ()]),
    )
    texts = [_table(header, rows, colour=colour) for header, rows in tables if rows]
    return "\n".join(texts) if texts else "neither clusters nor images are configured\n"


def _table(header: tuple[str, ...], rows: Sequence[_Row], *, colour: bool) -> str:
    widths = [
        max(len(cells[column]) for cells in (header, *(row.cells for row in rows))) for column in range(len(header))
    ]
    lines = [_line(header, widths)]
    for row in rows:
        lines.append(_line(row.cells, widths, row.colour if colour else None))
        lines.extend(f"    {line}" for line in row.below)
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str], widths: Sequence[int], colour: str | None = None) -> str:
    *first, last = (" ".join(shown(cell).split()) for cell in cells)  # a text from outside begins no row
    padded = [cell.ljust(width) for cell, width in zip(first, widths, strict=False)]
    return "  ".join([*padded, f"\033[{colour}m{last}\033[0m" if colour else last]).rstrip()


def _below(message: str, next_step: str) -> Iterator[str]:
    yield from shown(message).splitlines()
    if next_step:
        yield f"next: {shown(next_step)}"


def _cluster(cluster: ClusterStatus, now: datetime) -> _Row:
    failure, release = cluster.failure, cluster.release
    seen = age((now - cluster.at).total_seconds()) if cluster.at else "never"
    state = f"unknown {failure.reason}" if failure else "ok"
    return _Row(
        cells=(
            cluster.name,
            (release.version or _short(str(release.payload))) if release else _NOTHING,
            release.state.value if release else _NOTHING,
            seen,
            state,
        ),
        below=tuple(_below(failure.message, failure.next_step)) if failure else (),
        colour=COLOURS[Kind.UNKNOWN if failure else Kind.UP_TO_DATE],
    )


def age(seconds: float) -> str:
    """How long ago, in one unit."""
    whole = max(int(seconds), 0)
    for unit, length in (("d", _DAY), ("h", _HOUR), ("min", _MINUTE)):
        if whole >= 2 * length:
            return f"{whole // length} {unit} ago"
    return f"{whole} s ago"


def _pool(cluster: str, status: PoolStatus) -> _Row:
    pool = status.pool
    worrying = pool.degraded or pool.paused
    return _Row(
        cells=(f"{cluster}/{pool.name}", _short(pool.os_image), _set_by(pool), _machines(pool)),
        below=tuple(_below(pool.message, "")) if pool.degraded else (),
        colour=COLOURS[Kind.BLOCKED if pool.degraded else Kind.HELD] if worrying else None,
    )


def _set_by(pool: Pool) -> str:
    if pool.layered_by:
        return f"MachineOSConfig {pool.layered_by}"
    if pool.set_by:
        return pool.set_by
    return f"stream {pool.stream}" if pool.stream else "the release"


def _machines(pool: Pool) -> str:
    words = [f"{pool.updated_machines} of {pool.total} updated"]
    words += [f"{pool.degraded_machines} degraded"] if pool.degraded else []
    words += ["paused"] if pool.paused else []
    return ", ".join(words)


def _image(image: ImageStatus) -> _Row:
    decision = image.verdict.decision
    return _Row(
        cells=(
            image.verdict.subject.image,
            place(image.verdict.subject),
            _base(image),
            _far(image.behind),
            f"{decision.kind} {decision.reason}",
        ),
        below=(*_below(decision.message, decision.next_step), *_under_way(image)),
        colour=COLOURS[decision.kind],
    )


def _orphan(orphan: Orphan) -> _Row:
    below = _below("the configuration has no such proposal", "merge or close it; it is left as it is")
    return _Row(cells=(orphan.pull_request, orphan.repository), below=tuple(below))


def _base(image: ImageStatus) -> str:
    """Versions where they tell the two apart, short digests where not."""
    seen = image.verdict.seen
    if not isinstance(seen, Observation):
        return _NOTHING
    matching = seen.wanted.version
    if image.running is None:
        return f"none → {matching}"
    if runs_matching(seen):
        return matching
    version = seen.running.version if seen.running else None
    if version and version != matching:
        return f"{version} → {matching}"
    return f"{_short(image.running)} → {_short(image.matching)}"


def _far(behind: Behind | None) -> str:
    if behind is None or behind.releases is None:
        return _NOTHING
    if behind.releases == 0 and not behind.days:
        return "0"
    days = f", {_count(behind.days, 'day')}" if behind.days is not None else ""
    return f"{_count(behind.releases, 'release')}{days}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _under_way(image: ImageStatus) -> Iterator[str]:
    """Build, proposal and rollout, as far as there are any."""
    seen = image.verdict.seen
    if not isinstance(seen, Observation):
        return
    build, proposal = seen.build, seen.proposal
    if build is not None:
        name = f" {build.name}" if build.name else ""
        yield shown(f"build: {build.engine}{name} {build.state}, attempt {build.attempt}")
        if build.log:
            yield shown(f"log: {build.log}")
    told = []
    if proposal is not None and proposal.own_page:
        told.append(f"proposal: {proposal.own_page} ({proposal.state})")
    if image.rollout is not None:
        told.append(f"rollout: {image.rollout[0]} of {image.rollout[1]} nodes")
    if told:
        yield shown("; ".join(told))


def _short(reference: str | None) -> str:
    """A pinned reference by the first 12 digits of its digest; any other as it is."""
    if reference is None:
        return _NOTHING
    try:
        digest = ImageReference.parse(reference).digest
    except InputError:
        return reference
    return digest.short if digest else reference
