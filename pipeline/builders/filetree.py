"""The new layer of a composed image: what each COPY and WORKDIR puts on top of the base, entry by entry.

It follows buildah's copier and what an overlay file system then keeps: every directory above a change is in the layer
with the base's own mode and owner. Where the base's files decide and do not say (symbolic links on the way, a file
where a directory should be, directories without an entry of their own) it refuses. It reads no base itself: `look_up`
does.
"""

import posixpath
from collections.abc import Callable, Iterable
from pathlib import Path

from layering.layer import EntryKind, LayerEntry
from layering.layerfacts import Node, Standing, parents
from pipeline.builders.interpreter import CopyStep, Step, WorkdirStep
from pipeline.builders.refusal import Refusal, RefusalReason, Refused
from pipeline.builders.sources import SourceFile, find_sources, walk

LookUp = Callable[[str], Node | None]
_NEW_DIRECTORY_MODE = 0o755


def apply_steps(steps: Iterable[Step], context: Path, look_up: LookUp) -> tuple[tuple[LayerEntry, ...], list[Refusal]]:
    """The layer's entries, and every reason against it. `look_up` says what the base has at a path.

    Raises InputError for a source that is not there.
    """
    tree = FileTree(look_up)
    refusals = []
    for step in steps:
        try:
            if isinstance(step, WorkdirStep):
                tree.make_workdir(step)
            else:
                tree.copy(step, context)
        except Refused as refused:
            refusals.append(refused.at(step.line))
    return tuple(tree.entries.values()), refusals


class FileTree:
    """The layer so far: one entry per path."""

    def __init__(self, look_up: LookUp) -> None:
        self.entries: dict[str, LayerEntry] = {}
        self._look_up = look_up

    def make_workdir(self, step: WorkdirStep) -> None:
        """WORKDIR. Raises Refused when a missing directory would not be root's."""
        path = step.path.strip("/")
        if path and self._standing(path) is None and not step.is_roots:
            raise Refused(RefusalReason.WORKDIR_OF_USER, f"{step.path} is new and would belong to {step.user}")
        self._make_directories(path, (0, 0))

    def copy(self, step: CopyStep, context: Path) -> None:
        """COPY or ADD."""
        sources = [path for source in step.sources for path in find_sources(context, source, step.line)]
        target = posixpath.normpath(step.destination).strip("/")
        if not target.isascii():
            raise Refused(RefusalReason.NAME_NOT_ASCII, f"{target!r} has other characters than ASCII")
        into = self._goes_into(step, target)
        for source in sources:
            self._copy_one(source, step, target, into=into)

    def _goes_into(self, step: CopyStep, target: str) -> bool:
        """Whether a file is put into `target`, or becomes it (buildah add.go, `destMustBeDirectory`)."""
        if (step.destination.endswith(("/", "/.")) and step.destination != "/.") or len(step.sources) > 1:
            return True
        self._refuse_odd_parents(target)
        standing = self._standing(target) if target else Standing.DIRECTORY
        if standing is Standing.DIRECTORY:
            return True
        if any(character in step.sources[0] for character in "*?") or step.destination.endswith("/.."):
            raise Refused(RefusalReason.DESTINATION_UNDECIDED, f"{step.destination} is no directory yet: end it with /")
        return False

    def _copy_one(self, source: Path, step: CopyStep, target: str, *, into: bool) -> None:
        top, *below = walk(source, extracts=step.extracts)
        if top.kind is EntryKind.DIRECTORY:
            self._make_directories(target, step.owner)
            for file in below:
                self._put(posixpath.join(target, file.name), file, step)
            return
        path = posixpath.join(target, source.name) if into else target
        if not source.name.isascii():
            raise Refused(RefusalReason.NAME_NOT_ASCII, f"{source.name!r} has other characters than ASCII")
        self._make_directories(posixpath.dirname(path), step.owner)
        self._put(path, top, step)

    def _put(self, path: str, file: SourceFile, step: CopyStep) -> None:
        """One entry, over nothing or over one of its kind."""
        standing = self._standing(path)
        replaceable = {EntryKind.FILE: Standing.FILE, EntryKind.DIRECTORY: Standing.DIRECTORY}.get(file.kind)
        if standing is not None and standing is not replaceable:
            raise Refused(
                RefusalReason.DESTINATION_OF_OTHER_KIND, f"/{path} is there already and is no {file.kind.name.lower()}"
            )
        self._keep_parents(path)
        uid, gid = step.owner
        mode = file.mode if step.mode is None or file.kind is EntryKind.SYMLINK else step.mode
        is_file = file.kind is EntryKind.FILE
        self.entries[path] = LayerEntry(
            path=path, kind=file.kind, mode=mode, uid=uid, gid=gid,
            source=file.path if is_file else None, size=file.size, target=file.target,
        )  # fmt: skip

    def _make_directories(self, path: str, owner: tuple[int, int]) -> None:
        """`path` and what is missing above it, as `mkdir -p` does; existing directories stay as they are."""
        for directory in (*parents(path), path) if path else ():
            standing = self._standing(directory)
            if standing is None:
                self._keep_parents(directory)
                self.entries[directory] = LayerEntry(
                    path=directory, kind=EntryKind.DIRECTORY, mode=_NEW_DIRECTORY_MODE, uid=owner[0], gid=owner[1]
                )
            elif standing is not Standing.DIRECTORY:
                raise _odd_directory(directory, standing)

    def _refuse_odd_parents(self, path: str) -> None:
        for directory in parents(path):
            standing = self._standing(directory)
            if standing is None:
                return
            if standing is not Standing.DIRECTORY:
                raise _odd_directory(directory, standing)

    def _keep_parents(self, path: str) -> None:
        """Put the base's directories above `path` into the layer, as they are."""
        for directory in parents(path):
            if directory in self.entries:
                continue
            node = self._look_up(directory)
            if node is None or node.standing is not Standing.DIRECTORY:
                raise _odd_directory(directory, node.standing if node else Standing.IMPLIED)
            self.entries[directory] = LayerEntry(
                path=directory, kind=EntryKind.DIRECTORY, mode=node.mode, uid=node.uid, gid=node.gid
            )

    def _standing(self, path: str) -> Standing | None:
        """What stands at `path` now: in the new layer, else in the base."""
        entry = self.entries.get(path)
        if entry is not None:
            return _STANDINGS[entry.kind]
        node = self._look_up(path)
        if node is not None and node.has_xattrs:
            raise Refused(RefusalReason.DIRECTORY_UNKNOWN, f"the base's /{path} has extended attributes")
        if node is not None and node.standing is Standing.SYMLINK:
            raise Refused(RefusalReason.DESTINATION_THROUGH_SYMLINK, f"the base's /{path} is a link to {node.target}")
        if node is not None and node.standing is Standing.IMPLIED:
            raise _odd_directory(path, Standing.IMPLIED)
        return node.standing if node else None


_STANDINGS = {
    EntryKind.FILE: Standing.FILE,
    EntryKind.DIRECTORY: Standing.DIRECTORY,
    EntryKind.SYMLINK: Standing.SYMLINK,
}


def _odd_directory(path: str, standing: Standing) -> Refused:
    if standing is Standing.IMPLIED:
        return Refused(RefusalReason.DIRECTORY_UNKNOWN, f"a layer of the base fills /{path} without saying its mode")
    if standing is Standing.SYMLINK:
        return Refused(RefusalReason.DESTINATION_THROUGH_SYMLINK, f"/{path} is a symbolic link")
    return Refused(RefusalReason.DESTINATION_OF_OTHER_KIND, f"/{path} is no directory")
