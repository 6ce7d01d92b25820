"""Where does a Containerfile name its base? Find it, and pin it, and leave every other byte alone.

The base is named by a FROM, or by the global ARG that a FROM consists of. Stages FROM another stage and `FROM scratch`
name no base; builder images are never touched. When there is one candidate it is the base, whatever it names; when
there are several, the one with the base's repository; when that leaves a doubt, the caller must say (`Match`).
`COPY --from` and `RUN --mount=from` are no bases and are not looked at.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from layering.change import Change
from layering.containerfile_text import ContainerfileText, Instruction, Word, read_text
from layering.errors import InputError
from layering.expansion import expand
from layering.reasons import Reason
from layering.reference import ImageReference, Repository

_WHOLE_VARIABLE = re.compile(r"\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})")
_ON_CLUSTER_STAGE = "configs"
_PAYLOAD_REPOSITORIES = re.compile(
    r"(?:.*/)?(?:ocp-release(?:-nightly)?|ocp/release(?:-\S+)?|okd/scos-release|okd/release|release-images)"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """One FROM. `base` is the word as it stands; `base_expanded` what it means with the global ARGs."""

    name: str | None
    base: Word
    base_expanded: str
    line: int
    instructions: tuple[Instruction, ...] = field(default=(), repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class GlobalArg:
    """One name of an ARG before the first FROM. `default` spans the value without its quotes; None without one."""

    name: str
    default: Word | None
    line: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Containerfile:
    """Stages in order, and the ARGs before them."""

    escape: str
    global_args: tuple[GlobalArg, ...]
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True)
class Match:
    """Which candidate is meant: by its repository, by its stage's name, or by the ARG that feeds it."""

    kind: str
    value: str

    @classmethod
    def parse(cls, text: str) -> "Match":
        """Read `REPOSITORY`, `stage:NAME` or `arg:NAME`. Raises InputError."""
        kind, _, value = text.partition(":")
        if kind in ("stage", "arg") and value:
            return cls(kind, value)
        return cls("repository", str(Repository.parse(text)))

    def __str__(self) -> str:
        return self.value if self.kind == "repository" else f"{self.kind}:{self.value}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Pinned:
    """The result: the whole text, what changed in it, and what must be given with --build-arg besides."""

    text: str = field(repr=False)
    changes: tuple[Change, ...]
    build_args: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Candidate:
    """A stage that may be FROM the base, and the ARG that feeds it, if any."""

    stage: Stage
    arg: GlobalArg | None

    @property
    def reference(self) -> ImageReference | None:
        try:
            return ImageReference.parse(self.stage.base_expanded)
        except InputError:
            return None  # a placeholder, such as the documentation's @sha256...

    @property
    def repository(self) -> str:
        """The repository it names, as far as that can be told of a placeholder."""
        try:
            return str(ImageReference.parse(self.stage.base_expanded.partition("@")[0]).repository)
        except InputError:
            return self.stage.base_expanded

    @property
    def identity(self) -> str:
        """What makes two stages FROM the same image."""
        if not self.stage.base_expanded and self.arg is not None:
            return f"arg:{self.arg.name}"
        return str(self.reference or self.stage.base_expanded)


def parse(text: str, build_args: Mapping[str, str] | None = None, where: str = "") -> Containerfile:
    """Read stages and global ARGs. Raises InputError when there is no FROM, or one that cannot be read."""
    read = read_text(text, where)
    first = next((n for n, i in enumerate(read.instructions) if i.keyword == "FROM"), None)
    if first is None:
        raise InputError("there is no FROM in it", where=where, next_step="a Containerfile begins with FROM <base>")
    args = [arg for i in read.instructions[:first] if i.keyword == "ARG" for arg in _global_args(i, read.escape)]
    values = _values(args, build_args or {}, read.escape)
    return Containerfile(escape=read.escape, global_args=tuple(args), stages=tuple(_stages(read, first, values, where)))


def pin_base(
    text: str,
    base: ImageReference,
    matches: Sequence[Match] = (),
    build_args: Mapping[str, str] | None = None,
    where: str = "Containerfile",
) -> Pinned:
    """Pin the base in `text` to `base`, which has a digest.

    `build_args` are those the build will be given. Raises InputError when there is no candidate, when several remain,
    when a match fits none, or for a form that this tool must not touch; it then names lines and what to do.
    """
    base.pinned  # noqa: B018 raises for a base without a digest
    given = build_args or {}
    containerfile = parse(text, given, where)
    chosen = _choose(_candidates(containerfile, where), base, matches, where)
    _refuse_payload(chosen, where)
    spans, by_argument = _edits(chosen, given)
    pinned = _replaced(text, spans, str(base.without_tag()))
    result = Pinned(text=pinned[0], changes=pinned[1], build_args=dict.fromkeys(by_argument, str(base.without_tag())))
    _prove(containerfile, result, chosen, given, where)
    return result


def _global_args(instruction: Instruction, escape: str) -> Iterable[GlobalArg]:
    for word in instruction.words(escape):
        name, equals, value = word.text.partition("=")
        if not equals:
            yield GlobalArg(name=name, default=None, line=word.line)
            continue
        quoted = len(value) > 1 and value[0] in "\"'" and value[-1] == value[0]
        lead = len(name) + 1 + quoted
        at = instruction.offsets.index(word.start) + lead
        inner = value[1:-1] if quoted else value
        start = instruction.offsets[at] if at < len(instruction.offsets) else word.end
        line = instruction.lines[at] if at < len(instruction.lines) else word.line
        default = Word(text=inner, start=start, end=word.end - quoted, line=line)
        yield GlobalArg(name=name, default=default, line=word.line)


def _values(args: Sequence[GlobalArg], given: Mapping[str, str], escape: str) -> Mapping[str, str]:
    """The value of each global ARG that has one, in their order; a build argument wins over a default."""
    values: dict[str, str] = {}
    for arg in args:
        if arg.name in given:
            values[arg.name] = given[arg.name]
        elif arg.default is not None:
            values[arg.name] = expand(arg.default.text, values, escape)
    return values


def _stages(read: ContainerfileText, first: int, values: Mapping[str, str], where: str) -> Iterable[Stage]:
    starts = [n for n, i in enumerate(read.instructions) if i.keyword == "FROM" and n >= first]
    for start, end in zip(starts, [*starts[1:], len(read.instructions)], strict=True):
        instruction = read.instructions[start]
        words = instruction.words(read.escape)
        named = len(words) == 3 and words[1].text.lower() == "as"
        if len(words) != 1 and not named:
            raise InputError("a FROM is FROM <image> [AS <name>]", where=f"{where}, line {instruction.line}")
        yield Stage(
            name=words[2].text if named else None,
            base=words[0],
            base_expanded=expand(words[0].text, values, read.escape),
            line=instruction.line,
            instructions=read.instructions[start + 1 : end],
        )


def _candidates(containerfile: Containerfile, where: str) -> Sequence[_Candidate]:
    """The stages that are FROM neither an earlier stage nor scratch."""
    args = {arg.name: arg for arg in containerfile.global_args}
    earlier: set[str] = set()
    found = []
    for stage in containerfile.stages:
        means = stage.base_expanded.lower()
        if means == _ON_CLUSTER_STAGE and means not in earlier:
            raise InputError(
                "FROM configs is the form of on-cluster layering: the Machine Config Operator puts the base there, and "
                "rebuilds by itself",
                where=f"{where}, line {stage.line}",
                next_step="leave it to the MachineOSConfig, or write FROM <base image> to build it outside the cluster",
            )
        if means not in earlier and means != "scratch":
            found.append(_Candidate(stage=stage, arg=_feeding(stage, args, where)))
        if stage.name:
            earlier.add(stage.name.lower())
    if not found:
        raise InputError("no FROM in it names a base image", where=where, next_step="write FROM <base image>")
    return found


def _feeding(stage: Stage, args: Mapping[str, GlobalArg], where: str) -> GlobalArg | None:
    """The ARG that a FROM consists of. A FROM that only contains variables is pinned itself."""
    match = _WHOLE_VARIABLE.fullmatch(stage.base.text.strip("\"'"))
    if match is None:
        return None
    name = match[1] or match[2]
    if name not in args:
        raise InputError(
            f"FROM uses {name}, which no ARG before the first FROM declares",
            where=f"{where}, line {stage.line}",
            next_step=f"write ARG {name} above the first FROM",
        )
    return args[name]


def _choose(
    candidates: Sequence[_Candidate], base: ImageReference, matches: Sequence[Match], where: str
) -> Sequence[_Candidate]:
    if matches:
        for match in matches:
            if not any(_fits(candidate, match) for candidate in candidates):
                raise _ambiguous(f"--match {match} fits no FROM", candidates, where)
        return [c for c in candidates if any(_fits(c, match) for match in matches)]
    if len({candidate.identity for candidate in candidates}) == 1:
        return candidates
    same_repository = [c for c in candidates if c.repository == str(base.repository)]
    if len({candidate.identity for candidate in same_repository}) == 1:
        return same_repository
    problem = "several FROMs" if same_repository else "none of several FROMs"
    raise _ambiguous(f"{problem} could be the base {base.repository}", candidates, where)


def _fits(candidate: _Candidate, match: Match) -> bool:
    if match.kind == "stage":
        return (candidate.stage.name or "").lower() == match.value.lower()
    if match.kind == "arg":
        return candidate.arg is not None and candidate.arg.name == match.value
    return candidate.repository == match.value


def _ambiguous(what: str, candidates: Sequence[_Candidate], where: str) -> InputError:
    listed = "; ".join(f"line {c.stage.line}: FROM {c.stage.base.text[:200]} ({_match_for(c)})" for c in candidates)
    return InputError(
        f"{what}: {listed}",
        where=where,
        next_step="say which one with --match (match in the configuration), for instance "
        f"--match {_match_for(candidates[-1])}",
        reason=Reason.BASE_AMBIGUOUS,
    )


def _match_for(candidate: _Candidate) -> str:
    if candidate.arg is not None:
        return f"arg:{candidate.arg.name}"
    return f"stage:{candidate.stage.name}" if candidate.stage.name else candidate.repository


def _refuse_payload(chosen: Sequence[_Candidate], where: str) -> None:
    for candidate in chosen:
        repository = candidate.repository.partition("/")[2]
        if _PAYLOAD_REPOSITORIES.fullmatch(repository):
            raise InputError(
                f"FROM {candidate.repository} is a release payload: it names the OS image, and is none itself",
                where=f"{where}, line {candidate.stage.line}",
                next_step="write FROM the OS image: oc adm release info --image-for rhel-coreos",
            )


def _edits(chosen: Sequence[_Candidate], given: Mapping[str, str]) -> tuple[Sequence[Word], Sequence[str]]:
    """The words to replace, and the ARGs whose value can only come with the build."""
    spans: dict[int, Word] = {}
    by_argument: list[str] = []
    for candidate in chosen:
        arg = candidate.arg
        if arg is not None and (arg.default is None or arg.name in given):
            by_argument.append(arg.name)
            continue
        word = candidate.stage.base if arg is None or arg.default is None else arg.default
        spans[word.start] = _unquoted(word)
    return [spans[start] for start in sorted(spans)], by_argument


def _unquoted(word: Word) -> Word:
    text = word.text
    if len(text) > 1 and text[0] in "\"'" and text[-1] == text[0]:
        return Word(text=text[1:-1], start=word.start + 1, end=word.end - 1, line=word.line)
    return word


def _replaced(text: str, spans: Sequence[Word], new: str) -> tuple[str, tuple[Change, ...]]:
    parts, changes, position = [], [], 0
    for word in spans:
        if word.text == new:
            continue
        parts += [text[position : word.start], new]
        position = word.end
        changes.append(Change(line=word.line, old=word.text, new=new))
    return "".join([*parts, text[position:]]), tuple(changes)


def _prove(
    before: Containerfile, pinned: Pinned, chosen: Sequence[_Candidate], given: Mapping[str, str], where: str
) -> None:
    """Read the result again: no stage but the chosen ones is FROM another image now."""
    after = parse(pinned.text, {**given, **pinned.build_args}, where)
    meant = {candidate.stage.base.start for candidate in chosen}
    for old, new in zip(before.stages, after.stages, strict=True):
        if old.base.start not in meant and new.base_expanded != old.base_expanded:
            raise InputError(
                f"pinning the base would also change FROM {old.base.text[:200]}",
                where=f"{where}, line {old.line}",
                next_step="write the base into an ARG of its own, or into the FROM itself",
            )
