"""A MachineConfig's file as the base branch has it, read again only when the branch has moved.

What a commit holds never changes, so that a pool of which nothing is new costs neither a git process nor a parse. Which
commit the branch is at, is not known here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from layering.errors import InputError, LayerwatchError
from layering.forge.forge import ProposalTarget
from layering.machineconfig import (
    added_machineconfig,
    lacks_machineconfig,
    new_machineconfig,
    read_claim,
    set_os_image,
)
from layering.machineconfig_merge import Claim
from layering.reference import ImageReference


class Files(Protocol):
    """A repository whose commits' files can be read."""

    def file(self, commit: str, path: str) -> bytes | None:
        """The bytes of a file in a commit, or None."""


@dataclass(frozen=True, kw_only=True)
class BaseFile:
    """The target's file in one commit; `raw` is None when there is none."""

    commit: str
    target: ProposalTarget
    raw: bytes | None

    @cached_property
    def config(self) -> Claim | None:
        """The MachineConfig that is to be changed. Raises InputError when it cannot be told."""
        return claim_in(self.raw, self.target)


class BaseFiles:
    """The file that was last read for each target. Safe to use from threads: at worst one is read twice."""

    def __init__(self) -> None:
        self._last: dict[ProposalTarget, BaseFile] = {}

    def read(self, repository: Files, commit: str, target: ProposalTarget) -> BaseFile:
        """The target's file in `commit`. That there is none is not remembered: git says the same when it fails."""
        known = self._last.get(target)
        if known is None or known.commit != commit:
            with _about(target, InputError):  # others tell of the repository
                raw = repository.file(commit, target.file)
            known = BaseFile(commit=commit, target=target, raw=raw)
            if known.raw is not None:
                self._last[target] = known
        return known


def claim_in(raw: bytes | None, target: ProposalTarget) -> Claim | None:
    """The target's MachineConfig in a file's bytes; None without a file, and where it may yet be added to those that
    were made in it. Raises InputError.
    """
    if raw is None:
        return None
    with _about(target):
        text = decoded(raw, target)
        if _is_to_be_added(text, target):
            return None
        return read_claim(text, name=target.name, pool=target.pool, where=place(target))


def edited_text(raw: bytes | None, target: ProposalTarget, image: ImageReference) -> str:
    """The file's text once it pins `image`. Raises InputError when there is no file and none may be made."""
    with _about(target):
        if raw is not None:
            text, where = decoded(raw, target), place(target)
            if _is_to_be_added(text, target):
                return added_machineconfig(text, image, target.name, target.pool)
            edit = set_os_image(text, image, name=target.name, pool=target.pool, create=target.create, where=where)
            return edit.text
        if target.create:
            return new_machineconfig(image, target.name, target.pool)
        raise InputError(
            f"there is no {target.file} on {target.branch}",
            where=target.repository,
            next_step="name the MachineConfig's file, or allow it to be made (create: true, --create)",
        )


def _is_to_be_added(text: str, target: ProposalTarget) -> bool:
    """Several targets may be made in one file: the one that comes first begins it."""
    return target.create and lacks_machineconfig(text, name=target.name, pool=target.pool, where=place(target))


@contextmanager
def _about(target: ProposalTarget, kind: type[LayerwatchError] = LayerwatchError) -> Iterator[None]:
    """What goes wrong within is said to be about this target: others whose proposal it shares do without it."""
    try:
        yield
    except kind as error:
        error.member = target.member
        raise


def decoded(raw: bytes, target: ProposalTarget) -> str:
    """The bytes of the target's file as text. Raises InputError when they are none."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError("not UTF-8", where=f"{target.repository}, {place(target)}") from None


def place(target: ProposalTarget) -> str:
    """What errors call the target's file."""
    return f"{target.branch}:{target.file}"
