"""The stages of a Containerfile: which one a `COPY --from` names, and what stands in it, so that it can be copied.

Stages FROM scratch and FROM the base are composed; of the latter only what they put there themselves can be copied. A
stage that nothing is copied from is not looked at: buildah does not build it either (imagebuildah/executor.go). No
content is copied; the tree on disk only has the names and kinds.
"""

import os
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from layering.containerfile_text import Instruction
from layering.layer import EntryKind, LayerEntry
from layering.layerfacts import LookUp
from pipeline.builders.globs import has_meta
from pipeline.builders.refusal import RefusalReason, Refused
from pipeline.builders.sources import SourceFile

_NAME = re.compile(r"[a-z][a-z0-9_.-]*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Stages:
    """The instructions before the first FROM, and those of each stage, its FROM first."""

    heading: tuple[Instruction, ...]
    bodies: tuple[tuple[Instruction, ...], ...]

    @property
    def last(self) -> int:
        """The number of the stage that is the image."""
        return len(self.bodies) - 1

    def instructions(self, number: int) -> tuple[Instruction, ...]:
        """What counts for one stage; of the last one all, even when there is no FROM."""
        return (*self.heading, *(self.bodies[number] if self.bodies else ()))

    def number_of(self, name: str, before: int) -> int:
        """The stage before `before` that `--from=NAME` means.

        Raises Refused for what is none (buildah takes it for an image), and for a name that several stages have.
        """
        found = [number for number in range(before) if name in (str(number), _name_of(self.bodies[number][0]))]
        if len(found) != 1 or not (name.isdecimal() or _NAME.fullmatch(name)):
            raise Refused(RefusalReason.FLAG_NOT_COMPOSABLE, f"--from={name[:80]} is not one of the stages before")
        return found[0]


def split_stages(instructions: Sequence[Instruction]) -> Stages:
    """The stages, in order."""
    starts = [at for at, instruction in enumerate(instructions) if instruction.keyword == "FROM"]
    ends = [*starts[1:], len(instructions)]
    return Stages(
        heading=tuple(instructions[: starts[0]] if starts else instructions),
        bodies=tuple(tuple(instructions[start:end]) for start, end in zip(starts, ends, strict=True)),
    )


def _name_of(line: Instruction) -> str:
    words = line.arguments.split()
    return words[2] if len(words) == 3 and words[1].lower() == "as" else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class StageTree:
    """A composed stage. Below `root` stands what `entries` have, by path; contents, owners and modes are theirs.

    `base_at` says what its base has at a path; None for a stage FROM scratch.
    """

    root: Path
    entries: Mapping[str, LayerEntry]
    base_at: LookUp | None = None

    def check_own(self, source: str) -> None:
        """Raises Refused for a source that its base may have a part in: a base's contents are not read here."""
        path = posixpath.normpath(f"/{source}").strip("/")
        if self.base_at is not None and (has_meta(source) or not self._is_own(path, self.base_at)):
            raise Refused(RefusalReason.SEVERAL_STAGES, f"/{path} may be, in part, of the base of the stage")

    def _is_own(self, path: str, base_at: LookUp) -> bool:
        entry = self.entries.get(path)
        if entry is None or entry.kind is EntryKind.SYMLINK:
            return False
        return entry.kind is not EntryKind.DIRECTORY or base_at(path) is None

    def described(self, path: str, file: SourceFile, *, keeps_owner: bool) -> SourceFile:
        """`file`, found at `path` below the root, as the stage has it."""
        entry = self.entries[path]
        return replace(
            file, mode=entry.mode, path=entry.source, offset=entry.offset, size=entry.size, inode=entry.inode,
            owner=(entry.uid, entry.gid) if keeps_owner else None, xattrs=entry.xattrs,
        )  # fmt: skip


def lay_out(entries: Sequence[LayerEntry], root: Path, base_at: LookUp | None = None) -> StageTree:
    """Make the tree in the empty directory `root`."""
    there = [entry for entry in entries if entry.kind is not EntryKind.WHITEOUT]
    for entry in sorted(there, key=lambda one: one.path.split("/")):
        path = root / entry.path
        if entry.kind is EntryKind.DIRECTORY:
            path.mkdir()
        elif entry.kind is EntryKind.SYMLINK:
            path.symlink_to(entry.target)
        elif entry.kind is EntryKind.FIFO:
            os.mkfifo(path)
        else:
            path.touch()
    return StageTree(root=root, entries={entry.path: entry for entry in there}, base_at=base_at)
