"""The new layer of a composed image: what each COPY, ADD and WORKDIR puts on top of the base, entry by entry.

It follows buildah's add.go and copier.go, and what an overlay file system then keeps: every directory above a change is
in the layer with the base's own mode and owner. Symbolic links of the base are followed as in a chroot. Where the base
does not say enough (directories without an entry of their own, attributes) it refuses. It reads no base itself:
`look_up` does.
"""

import posixpath
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from layering.layer import EntryKind, LayerEntry
from layering.layerfacts import LookUp, Standing, parents
from pipeline.builders import archives
from pipeline.builders.globs import has_meta
from pipeline.builders.ignorefile import NOTHING_IGNORED, IgnoreFile
from pipeline.builders.interpreter import CopyStep, Step, WorkdirStep
from pipeline.builders.links import without_links
from pipeline.builders.refusal import Refusal, RefusalReason, Refused
from pipeline.builders.sources import Source, SourceFile, find_sources, walk
from pipeline.builders.stages import StageTree

_NEW_DIRECTORY_MODE = 0o755
_LINKS_FOLLOWED_MAX = 64
_ENTRIES_MAX = 200_000  # stages that copy each other twice would double without end
_OPAQUE = ".wh..wh..opq"  # image-spec, layer.md, "Opaque Whiteout"


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """Where copies come from: the build context, what is ignored of it, and a directory for expanded archives.

    For a `COPY --from` the `stage` has taken the context's place, and nothing of it is ignored.
    """

    context: Path
    scratch: Path
    ignored: IgnoreFile = NOTHING_IGNORED
    stage: StageTree | None = None


def _no_stage(name: str) -> StageTree:
    raise Refused(RefusalReason.FLAG_NOT_COMPOSABLE, f"--from={name} is not one of the stages before")


def apply_steps(
    steps: Iterable[Step], origin: Origin, look_up: LookUp, stage_of: Callable[[str], StageTree] = _no_stage
) -> tuple[tuple[LayerEntry, ...], list[Refusal]]:
    """The layer's entries, and every reason against it. `look_up` says what the base has at a path.

    `stage_of` gives what `--from` names, or raises Refused. Raises InputError for a source that is not there.
    """
    tree = FileTree(look_up)
    refusals = []
    for step in steps:
        try:
            if isinstance(step, WorkdirStep):
                tree.make_workdir(step)
            else:
                tree.copy(step, _of_stage(stage_of(step.stage), origin) if step.stage else origin)
        except Refused as refused:
            refusals.append(refused.at(step.line))
    return tree.layer(), refusals


def _of_stage(stage: StageTree, origin: Origin) -> Origin:
    return Origin(context=stage.root, scratch=origin.scratch, stage=stage)


class FileTree:
    """The layer so far: one entry per path."""

    def __init__(self, look_up: LookUp) -> None:
        self.entries: dict[str, LayerEntry] = {}
        self._linked_last: dict[object, LayerEntry] = {}  # the last name of each file that archives link
        self._look_up = look_up

    def layer(self) -> tuple[LayerEntry, ...]:
        """The entries; all names of one file have what the last one said."""
        return tuple(
            replace(last, path=entry.path) if (last := self._linked_last.get(entry.inode)) else entry
            for entry in self.entries.values()
        )

    def make_workdir(self, step: WorkdirStep) -> None:
        """WORKDIR. A file in its place is left there. Raises Refused for a missing one of a user known by name."""
        path = self._resolved(step.path)
        if not path or self._standing(path) is not None:
            return
        if step.owner is None:
            raise Refused(RefusalReason.WORKDIR_OF_USER, f"{step.path} is new and would belong to {step.user}")
        self._make_directories(path, step.owner)

    def copy(self, step: CopyStep, origin: Origin) -> None:
        """COPY or ADD."""
        if origin.stage is not None:
            self._check_stage(step, origin.stage)
        found = [find_sources(origin.context, source, step.line, step.stage) for source in step.sources]
        directory, rename = self._destination(step, found, origin.context)
        directory = self._resolved(directory)
        self._make_directories(directory, step.owner)
        if directory and self._standing(directory) is not Standing.DIRECTORY:
            raise Refused(RefusalReason.DESTINATION_OF_OTHER_KIND, f"/{directory} is no directory")
        for pattern, sources in zip(step.sources, found, strict=True):
            taken = [source for source in sources if self._copy_one(source, step, origin, directory, rename)]
            if not taken:
                raise Refused(RefusalReason.IGNORE_FILE, f"the ignore file leaves out all that {pattern} names")

    def _check_stage(self, step: CopyStep, stage: StageTree) -> None:
        if len(stage.entries) + len(self.entries) > _ENTRIES_MAX:
            raise Refused(RefusalReason.SEVERAL_STAGES, f"a stage has more than {_ENTRIES_MAX} files")
        for source in step.sources:
            stage.check_own(source)

    def _destination(self, step: CopyStep, found: Sequence[Sequence[Source]], context: Path) -> tuple[str, str | None]:
        """The directory that is copied into, and the name that a file gets there (add.go, `renameTarget`)."""
        target = posixpath.normpath(step.destination).strip("/")
        if has_meta(target):
            raise Refused(RefusalReason.DESTINATION_UNDECIDED, f"/{target} looks like a pattern")
        first = found[0][0]
        can_be_file = len(found) == 1 and first.is_regular
        must_be_directory = (
            len(found) > 1
            or step.destination.endswith("/")
            or step.destination == step.base_working_directory
            or first.is_directory
            or (step.extracts and first.is_regular and archives.is_archive(context / first.path))
        )
        standing, is_regular = self._destination_now(target)
        if is_regular and must_be_directory:
            raise Refused(RefusalReason.DESTINATION_OF_OTHER_KIND, f"/{target} is there already and is no directory")
        if not is_regular and (standing is not None or must_be_directory or not can_be_file):
            return target, None
        odd = [one for one in found[0] if one.is_directory or (step.extracts and one.is_regular and one is not first)]
        if odd:
            raise Refused(RefusalReason.DESTINATION_UNDECIDED, f"{step.destination} is no directory: end it with /")
        return posixpath.dirname(target), posixpath.basename(target)

    def _destination_now(self, target: str) -> tuple[Standing | None, bool]:
        """What stands there, and whether it is a file or leads to one."""
        if not target:
            return Standing.DIRECTORY, False
        place = posixpath.join(self._resolved(posixpath.dirname(target)), posixpath.basename(target))
        standing = self._standing(place)
        final = self._resolved(place) if standing is Standing.SYMLINK else place
        return standing, self._standing(final) is Standing.FILE

    def _copy_one(self, source: Source, step: CopyStep, origin: Origin, directory: str, rename: str | None) -> bool:
        """Whether anything of it was copied."""
        named = bool(source.named) and origin.ignored.excludes(source.named)
        if named and not (source.is_directory and origin.ignored.may_take_back_named(source.named)):
            return False
        files: Iterable[SourceFile] = _files(source, step, origin)
        path = origin.context / source.path
        if step.extracts and source.is_regular and archives.is_archive(path):
            files = archives.members(path, origin.scratch)
        count = 0
        copied = object()  # only names that are copied together stay one file
        for file in files:
            inode = (copied, file.inode) if file.inode else None
            self._put(directory, replace(file, name=rename or file.name, inode=inode), step)
            count += 1
        return bool(count) or not named

    def _put(self, directory: str, file: SourceFile, step: CopyStep) -> None:
        """One entry below `directory` (copier.go, `copierHandlerPut`)."""
        path = posixpath.join(directory, file.name) if file.name else directory
        if not path or (not file.name and file.kind is not EntryKind.DIRECTORY):
            raise Refused(RefusalReason.SOURCE_IS_ARCHIVE, f"it says what the directory /{path} itself is")
        self._make_directories(posixpath.dirname(path), step.owner)
        replaces = file.kind is EntryKind.DIRECTORY and self._makes_room(path)
        self._keep_parents(path)
        uid, gid = file.owner or step.owner
        forced = (
            step.mode is not None and (file.owner is None or bool(step.stage)) and file.kind is not EntryKind.SYMLINK
        )
        entry = LayerEntry(
            path=path, kind=file.kind, mode=step.mode if forced and step.mode is not None else file.mode,
            uid=uid, gid=gid, source=file.path, offset=file.offset, size=file.size, target=file.target,
            inode=file.inode, xattrs=file.xattrs,
        )  # fmt: skip
        if file.kind is EntryKind.HARD_LINK:
            entry = self._linked(entry, directory, file)
        if file.kind is not EntryKind.DIRECTORY:
            self._remove(path)
        self.entries[path] = entry
        if replaces:
            marker = f"{path}/{_OPAQUE}"
            self.entries[marker] = replace(
                entry, path=marker, kind=EntryKind.WHITEOUT, mode=entry.mode & 0o777, xattrs=()
            )

    def _linked(self, entry: LayerEntry, directory: str, file: SourceFile) -> LayerEntry:
        """A hard link of an archive: one more name of a file, whose owner and mode the last name decides."""
        target = posixpath.join(directory, posixpath.normpath(f"/{file.target}").strip("/"))
        linked = self.entries.get(target)
        if linked is not None and linked.inode is not None and linked.inode not in self._linked_last:
            linked = None  # names that the context linked, and that are not known here
        if linked is None or linked.kind in (EntryKind.DIRECTORY, EntryKind.SYMLINK) or target == entry.path:
            raise Refused(RefusalReason.SOURCE_IS_ARCHIVE, f"its hard link {file.name} leads to no file in it")
        inode = linked.inode or object()
        before = self._linked_last.get(inode, linked)
        xattrs = tuple(sorted({**dict(before.xattrs), **dict(entry.xattrs)}.items()))
        named = replace(
            linked, path=entry.path, inode=inode, mode=entry.mode, uid=entry.uid, gid=entry.gid, xattrs=xattrs
        )
        self.entries[target] = replace(named, path=target)
        self._linked_last[inode] = named
        return named

    def _remove(self, path: str) -> None:
        """Take away what the layer has at `path` and below; what the base has there, the new entry hides."""
        entry = self.entries.pop(path, None)
        if entry is not None and entry.kind is EntryKind.DIRECTORY:
            below = f"{path}/"
            for gone in [other for other in self.entries if other.startswith(below)]:
                del self.entries[gone]

    def _makes_room(self, path: str) -> bool:
        """For a directory: whether it replaces something else of the base, which an overlay marks as opaque."""
        standing, node = self._standing(path), self._look_up(path)
        if standing is Standing.DIRECTORY:
            if path not in self.entries and node is not None and node.has_xattrs:
                raise _unknown(path, "it has extended attributes")
            return f"{path}/{_OPAQUE}" in self.entries
        self._remove(path)
        return standing is not None and node is not None

    def _make_directories(self, path: str, owner: tuple[int, int]) -> None:
        """`path` and what is missing above it, as `mkdir -p` does; existing directories stay as they are."""
        for directory in (*parents(path), path) if path else ():
            standing = self._standing(directory)
            if standing is None:
                self._keep_parents(directory)
                self.entries[directory] = LayerEntry(
                    path=directory, kind=EntryKind.DIRECTORY, mode=_NEW_DIRECTORY_MODE, uid=owner[0], gid=owner[1]
                )
            elif standing is Standing.SYMLINK:
                raise Refused(RefusalReason.DESTINATION_THROUGH_SYMLINK, f"/{directory} is a symbolic link")
            elif standing is Standing.FILE:
                raise Refused(RefusalReason.DESTINATION_OF_OTHER_KIND, f"/{directory} is no directory")

    def _keep_parents(self, path: str) -> None:
        """Put the base's directories above `path` into the layer, as they are."""
        for directory in parents(path):
            if directory in self.entries:
                continue
            node = self._look_up(directory)
            if node is None or node.standing is not Standing.DIRECTORY:
                raise _unknown(directory, "a layer of the base fills it without saying its mode")
            if node.has_xattrs:
                raise _unknown(directory, "it has extended attributes")
            self.entries[directory] = LayerEntry(
                path=directory, kind=EntryKind.DIRECTORY, mode=node.mode, uid=node.uid, gid=node.gid
            )

    def _resolved(self, path: str) -> str:
        """`path` without symbolic links, as in a chroot; what is missing is kept (copier.go, `resolvePath`)."""
        try:
            return without_links(path, self._link_target, _LINKS_FOLLOWED_MAX)
        except OSError:
            raise Refused(RefusalReason.DESTINATION_THROUGH_SYMLINK, f"/{path} leads in a circle") from None

    def _link_target(self, path: str) -> str | None:
        if self._standing(path) is not Standing.SYMLINK:
            return None
        entry, node = self.entries.get(path), self._look_up(path)
        return entry.target if entry else node.target if node else ""

    def _standing(self, path: str) -> Standing | None:
        """What stands at `path` now: in the new layer, else in the base."""
        entry = self.entries.get(path)
        if entry is not None:
            return _STANDINGS.get(entry.kind, Standing.FILE)
        for parent in parents(path):
            above = self.entries.get(parent)
            if above is not None and above.kind is not EntryKind.DIRECTORY:
                return None
        node = self._look_up(path)
        if node is None:
            return None
        return Standing.DIRECTORY if node.standing is Standing.IMPLIED else node.standing


def _files(source: Source, step: CopyStep, origin: Origin) -> Iterator[SourceFile]:
    for file in walk(origin.context, source, origin.ignored):
        if origin.stage is None:
            yield file
            continue
        path = posixpath.join(source.path, file.name) if source.is_directory else source.path
        yield origin.stage.described(path, file, keeps_owner=step.keeps_owners)


_STANDINGS = {EntryKind.DIRECTORY: Standing.DIRECTORY, EntryKind.SYMLINK: Standing.SYMLINK}


def _unknown(directory: str, why: str) -> Refused:
    return Refused(RefusalReason.DIRECTORY_UNKNOWN, f"/{directory} of the base is not known well enough: {why}")
