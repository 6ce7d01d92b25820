"""What proposals of one group may not do to each other: need two branches, or the same MachineConfig.

As in settings_rules.py the rules read plain values, and pass over what has the wrong shape.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from layering.forge.forge import repository_identity
from layering.machineconfig import machineconfig_name
from watcher.settings_faults import Fault, Location

_APART = "name the group of one of the two differently"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Entry:
    """A proposal in a group, as far as its keys are texts."""

    at: Location
    subject: tuple[Any, Any]
    group: tuple[str, str, str]
    branch: str
    file: str
    pool: str
    name: str | None
    create: bool

    @property
    def path(self) -> str:
        return Fault(at=self.at, message="").path


@dataclass(kw_only=True, slots=True)
class _Met:
    """The first entries of each kind."""

    branches: dict[tuple[str, str, str], _Entry] = field(default_factory=dict)
    pools: dict[tuple[object, ...], dict[str | None, _Entry]] = field(default_factory=dict)
    made: dict[tuple[object, ...], _Entry] = field(default_factory=dict)


def group_contradictions(defaults: Any, proposals: Iterable[tuple[Location, Mapping[str, Any]]]) -> Iterator[Fault]:
    """All of them, without lines. `defaults` are the document's `proposalDefaults`."""
    usual = defaults.get("group") if isinstance(defaults, dict) else None
    met = _Met()
    for at, proposal in proposals:
        entry = _entry(at, proposal, proposal.get("group", usual))
        if entry is None:
            continue
        first = met.branches.setdefault(entry.group, entry)
        if first.branch != entry.branch:
            message = (
                f"the group {entry.group[-1]} goes into {first.branch} in {first.path}, and into {entry.branch} here"
            )
            yield Fault(at=at, message=message, suggestion=_APART)
        elif (other := _of_the_same(entry, met)) is not None and other.subject != entry.subject:
            message = f"{other.path} is of the same group, and sets the same MachineConfig in {entry.file}"
            yield Fault(at=at, message=message, suggestion=f"{_APART}, or give each its name (name)")


def _of_the_same(entry: _Entry, met: _Met) -> _Entry | None:
    """An earlier entry that means the same MachineConfig, or may mean it, or would make one of the same name."""
    place = (entry.group, entry.file)
    named = met.pools.setdefault((*place, entry.pool), {})
    other = named.get(entry.name) or named.get(None) or (next(iter(named.values()), None) if not entry.name else None)
    named.setdefault(entry.name, entry)
    if not entry.create:
        return other
    return other or met.made.setdefault((*place, machineconfig_name(entry.name, entry.pool)), entry)


def _entry(at: Location, proposal: Mapping[str, Any], group: Any) -> _Entry | None:
    forge, branch = proposal.get("forge", "local"), proposal.get("branch", "main")
    repository, file, pool = (proposal.get(key) for key in ("repository", "file", "pool"))
    if forge == "local" or not all(isinstance(text, str) for text in (group, forge, branch, repository, file, pool)):
        return None
    name = proposal.get("name")
    return _Entry(
        at=at,
        subject=(proposal.get("cluster"), pool),
        group=(str(forge), repository_identity(str(repository)), str(group)),
        branch=str(branch),
        file=str(PurePosixPath(str(file))),
        pool=str(pool),
        name=name if isinstance(name, str) else None,
        create=proposal.get("create") is True,
    )
