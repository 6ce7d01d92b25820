"""Reads a Containerfile as a list of file operations and configuration changes, or says why that cannot be done.

Covers one stage, COPY and ADD of files, and every instruction that only sets configuration, as imagebuilder
(buildah's reader) understands them; the ONBUILD lines of the base come first. Looks at no file, asks no registry.
"""

import posixpath
import re
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from layering.containerfile_text import Instruction
from layering.errors import InputError
from layering.reference import ImageReference
from pipeline.builders.arguments import absolute, argv, copy_flags, json_words, numeric_owner, stage_copied_from
from pipeline.builders.imageconfig import ConfigState
from pipeline.builders.refusal import Refusal, RefusalReason, Refused
from pipeline.builders.words import expand, split_words

_PORT = re.compile(r"(?P<port>[0-9]{1,5}(?:-[0-9]{1,5})?)(?:/(?P<protocol>tcp|udp|sctp))?")
_SIGNALS = frozenset(signal.Signals.__members__)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_REMOTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|git@")
_AUTOMATIC_ARGUMENT = re.compile(r"BUILD(?:PLATFORM|OS|ARCH|VARIANT)|TARGETVARIANT|[A-Za-z]+_PROXY|[a-z]+_proxy")
_OTHER_BASE = (RefusalReason.SEVERAL_STAGES, RefusalReason.FROM_NOT_COMPOSABLE)
_ROOT_USERS = ("", "root", "root:root")
_HEALTHCHECK_FLAG = re.compile(r"--(?:interval|timeout|start-period)=[0-9]+(?:ms|s|m|h)|--retries=[1-9][0-9]{0,8}")
_TRIGGERS = ("ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "LABEL", "RUN", "USER", "VOLUME", "WORKDIR")


@dataclass(frozen=True, kw_only=True, slots=True)
class CopyStep:
    """COPY or ADD. `sources` are as written; `destination` is absolute and keeps a trailing `/`.

    `base_working_directory` is the base's, which buildah takes for a directory whatever it is. `stage` is what `--from`
    says, empty for the context; `keeps_owners` is whether a stage's files keep theirs.
    """

    line: int
    sources: tuple[str, ...]
    destination: str
    owner: tuple[int, int]
    mode: int | None
    extracts: bool
    base_working_directory: str = ""
    stage: str = ""
    keeps_owners: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkdirStep:
    """WORKDIR: the directory exists afterwards. A missing one would belong to `user`."""

    line: int
    path: str
    user: str

    @property
    def owner(self) -> tuple[int, int] | None:
        """Who a missing directory would belong to; None when only the base knows."""
        return (0, 0) if self.user in _ROOT_USERS else numeric_owner(self.user)


Step = CopyStep | WorkdirStep


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What was read: the steps that touch files, and every reason against composing."""

    steps: tuple[Step, ...]
    refusals: tuple[Refusal, ...]

    @property
    def is_of_another_base(self) -> bool:
        """Whether the FROM says something else than what was given as base."""
        return any(each.reason in _OTHER_BASE for each in self.refusals)


def interpret(
    instructions: Sequence[Instruction],
    state: ConfigState,
    build_args: Mapping[str, str],
    *,
    base: ImageReference | None,
    triggers: Sequence[Instruction] = (),
    labelled: bool = False,
) -> Reading:
    """Apply `instructions` to `state` in order; the only FROM must name `base`, whose `triggers` follow it.

    A `base` of None is `scratch`.
    `labelled`: the build adds labels of its own, an instruction more.
    """
    reader = _Reader(state, build_args, base)
    refusals = []
    for instruction in _with_triggers(instructions, triggers):
        try:
            reader.apply(instruction)
        except Refused as refused:
            refusals.append(refused.at(instruction.line))
    if labelled:
        reader.keep_workdir(0)
    return Reading(steps=tuple(reader.steps), refusals=tuple(refusals))


def _with_triggers(instructions: Sequence[Instruction], triggers: Sequence[Instruction]) -> Iterator[Instruction]:
    for instruction in instructions:
        yield instruction
        if instruction.keyword == "FROM":
            yield from (replace(trigger, line=0) for trigger in triggers)


class _Reader:
    def __init__(self, state: ConfigState, build_args: Mapping[str, str], base: ImageReference | None) -> None:
        self.steps: list[Step] = []
        self._state = state
        self._build_args = build_args
        self._base = base
        self._in_stage = False
        self._global_args: dict[str, str] = {}
        self._args: dict[str, str] = {}
        self._base_working_directory: str = state.inner.get("WorkingDir") or ""
        self._kept_workdir: tuple[str, str] | None = None
        self._apply: Mapping[str, Callable[[Instruction], None]] = {
            "FROM": self._from,
            "ARG": self._arg,
            "COPY": self._copy,
            "ADD": self._copy,
            "WORKDIR": self._workdir,
            "ENV": self._env,
            "LABEL": self._label,
            "USER": self._user,
            "CMD": self._cmd,
            "ENTRYPOINT": self._entrypoint,
            "EXPOSE": self._expose,
            "STOPSIGNAL": self._stop_signal,
            "MAINTAINER": self._maintainer,
            "VOLUME": self._volume,
            "HEALTHCHECK": self._health_check,
            "SHELL": self._shell,
            "ONBUILD": self._on_build,
        }

    def apply(self, instruction: Instruction) -> None:
        """Take in one instruction. Raises Refused."""
        apply = self._apply.get(instruction.keyword)
        if apply is None:
            raise Refused(
                RefusalReason.INSTRUCTION_NOT_COMPOSABLE, f"{instruction.keyword} needs the base's files or a shell"
            )
        if instruction.heredocs:
            raise Refused(RefusalReason.SOURCE_NOT_LOCAL, "a here-document is no file of the context")
        if instruction.flags and instruction.keyword not in ("COPY", "ADD", "FROM", "HEALTHCHECK"):
            raise Refused(RefusalReason.FLAG_NOT_COMPOSABLE, f"{instruction.flags[0]} on {instruction.keyword}")
        apply(instruction)
        if self._in_stage and instruction.keyword != "FROM":
            flags = "".join(f" {flag}" for flag in instruction.flags)
            self._state.history.append(f"{instruction.keyword}{flags} {instruction.arguments}")
            self.keep_workdir(instruction.line)

    def keep_workdir(self, line: int) -> None:
        """After each instruction buildah makes sure that the working directory is there (builder.go, `Run`)."""
        wanted = self._state.inner.get("WorkingDir") or "", self._state.user
        if wanted[0] and wanted != self._kept_workdir:
            self._kept_workdir = wanted
            self.steps.append(WorkdirStep(line=line, path=wanted[0], user=wanted[1]))

    @property
    def _variables(self) -> dict[str, str]:
        return {**self._args, **self._state.env}

    def _words(self, instruction: Instruction) -> list[str]:
        return [expand(word, self._variables) for word in split_words(instruction.arguments)]

    def _one_text(self, instruction: Instruction) -> str:
        text = expand(instruction.arguments, self._variables)
        if not text or "`" in instruction.arguments:
            raise Refused(RefusalReason.ARGUMENTS_NOT_COMPOSABLE, f"{instruction.keyword} sets nothing, or oddly")
        return text

    def _from(self, instruction: Instruction) -> None:
        self._in_stage = True
        words = split_words(instruction.arguments)
        if instruction.flags or len(words) not in (1, 3) or not self._is_base(expand(words[0], self._global_args)):
            if self._base is None:
                raise Refused(RefusalReason.SEVERAL_STAGES, "a stage that is copied from is FROM another image")
            raise Refused(RefusalReason.FROM_NOT_COMPOSABLE, "this FROM is not simply the base")

    def _is_base(self, name: str) -> bool:
        if self._base is None:
            return name == "scratch"
        try:
            return ImageReference.parse(name).without_tag() == self._base.without_tag()
        except InputError:
            return False

    def _arg(self, instruction: Instruction) -> None:
        words = self._words(instruction)
        if not words:
            raise Refused(RefusalReason.ARGUMENTS_NOT_COMPOSABLE, "ARG declares nothing")
        for word in words:
            self._declare(word)

    def _declare(self, word: str) -> None:
        name, equals, default = word.partition("=")
        if not _NAME.fullmatch(name) or _AUTOMATIC_ARGUMENT.fullmatch(name) or word.startswith("TARGETPLATFORM="):
            raise Refused(RefusalReason.VARIABLE_NOT_COMPOSABLE, f"ARG {name} is the builder's own")
        known = self._args if self._in_stage else self._global_args
        if name in self._build_args:
            known[name] = self._build_args[name]
        elif equals:
            known[name] = default
        elif self._in_stage and name in self._global_args:
            known[name] = self._global_args[name]

    def _copy(self, instruction: Instruction) -> None:
        given = self._build_args if instruction.keyword == "COPY" else {}  # dispatchers.go, `dispatchCopy`
        stage = stage_copied_from(instruction)
        flags = [flag for flag in instruction.flags if not stage or not flag.startswith("--from=")]
        owner, mode = copy_flags([expand(flag, {**given, **self._variables}) for flag in flags])
        words = self._path_words(instruction)
        if len(words) < 2 or not all(words):
            raise Refused(RefusalReason.ARGUMENTS_NOT_COMPOSABLE, f"{instruction.keyword} wants sources and a place")
        *sources, destination = words
        for source in sources:
            if _REMOTE.match(source) or source.startswith("<<"):
                raise Refused(RefusalReason.SOURCE_NOT_LOCAL, f"{source[:80]} is no file of the context")
        self.steps.append(
            CopyStep(
                line=instruction.line,
                sources=tuple(sources),
                destination=absolute(destination, self._state.inner.get("WorkingDir") or ""),
                owner=owner or (0, 0),
                mode=mode,
                extracts=instruction.keyword == "ADD",
                base_working_directory=self._base_working_directory,
                stage=stage,
                keeps_owners=bool(stage) and owner is None,
            )
        )

    def _path_words(self, instruction: Instruction) -> list[str]:
        """A JSON list, or words at white space: here quotes do not hold a word together."""
        if "`" in instruction.arguments:
            raise Refused(RefusalReason.ARGUMENTS_NOT_COMPOSABLE, "a backtick may be an escape character")
        words = json_words(instruction.arguments)
        return [expand(word, self._variables) for word in (instruction.arguments.split() if words is None else words)]

    def _workdir(self, instruction: Instruction) -> None:
        path = self._one_text(instruction)
        if not path.startswith("/"):
            path = "/" + posixpath.normpath(f"/{self._state.inner.get('WorkingDir') or ''}/{path}").lstrip("/")
        self._state.inner["WorkingDir"] = path

    def _env(self, instruction: Instruction) -> None:
        pairs = self._pairs(instruction)
        if not all(_NAME.fullmatch(name) for name in pairs):
            raise Refused(RefusalReason.ARGUMENTS_NOT_COMPOSABLE, "ENV sets an odd name")
        self._state.own_env.update(pairs)

    def _label(self, instruction: Instruction) -> None:
        self._state.labels.update(self._pairs(instruction))

    def _pairs(self, instruction: Instruction) -> dict[str, str]:
        """`name=value …`; values see the variables as they were before this instruction."""
        words = split_words(instruction.arguments)
        if words and "=" not in words[0]:  # the old form, one name and the rest of the line
            words = ("=".join(instruction.arguments.split(maxsplit=1)),) if len(words) > 1 else ()
        pairs = {}
        for word in words:
            name, equals, value = word.partition("=")
            name = expand(name, self._variables)
            if not equals or not name:
                raise Refused(RefusalReason.ARGUMENTS_NOT_COMPOSABLE, f"{instruction.keyword} is not name=value")
            pairs[name] = expand(value, self._variables)
        if not pairs:
            raise Refused(RefusalReason.ARGUMENTS_NOT_COMPOSABLE, f"{instruction.keyword} sets nothing")
        return pairs

    def _user(self, instruction: Instruction) -> None:
        self._state.inner["User"] = self._one_text(instruction)

    def _stop_signal(self, instruction: Instruction) -> None:
        name = self._one_text(instruction)
        if not re.fullmatch(r"[1-9]|[1-5][0-9]|6[0-4]", name) and f"SIG{name.removeprefix('SIG')}" not in _SIGNALS:
            raise Refused(RefusalReason.ARGUMENTS_NOT_COMPOSABLE, f"{name[:40]!r} is no signal")
        self._state.inner["StopSignal"] = name

    def _cmd(self, instruction: Instruction) -> None:
        self._state.set_cmd(argv(instruction))

    def _entrypoint(self, instruction: Instruction) -> None:
        self._state.set_entrypoint(argv(instruction))

    def _expose(self, instruction: Instruction) -> None:
        matches = [_PORT.fullmatch(port) for word in self._words(instruction) for port in word.split()]
        if not matches or None in matches:
            raise Refused(RefusalReason.ARGUMENTS_NOT_COMPOSABLE, "EXPOSE wants PORT[/PROTOCOL]")
        self._state.expose((match["port"], match["protocol"] or "tcp") for match in matches if match)

    def _volume(self, instruction: Instruction) -> None:
        paths = [path.strip() for path in self._path_words(instruction)]
        if not paths or not all(paths):
            raise Refused(RefusalReason.ARGUMENTS_NOT_COMPOSABLE, "VOLUME wants paths")
        self._state.add_volumes(paths)

    def _health_check(self, instruction: Instruction) -> None:
        """The OCI form has none; what is checked is that buildah would take it."""
        kind, _, command = instruction.arguments.partition(" ")
        wanted = (kind.upper() == "NONE" and not command) or (kind.upper() == "CMD" and command.strip())
        if not wanted or not all(_HEALTHCHECK_FLAG.fullmatch(flag) for flag in instruction.flags):
            raise Refused(RefusalReason.ARGUMENTS_NOT_COMPOSABLE, "HEALTHCHECK is not one that every builder takes")

    def _shell(self, instruction: Instruction) -> None:
        """The OCI form has none, and CMD and ENTRYPOINT do not ask for it (dispatchers.go, `cmd`)."""
        if not json_words(instruction.arguments):
            raise Refused(RefusalReason.ARGUMENTS_NOT_COMPOSABLE, "SHELL is no list")

    def _on_build(self, instruction: Instruction) -> None:
        """The OCI form has none."""
        if instruction.arguments.partition(" ")[0].upper() not in _TRIGGERS:
            raise Refused(RefusalReason.ARGUMENTS_NOT_COMPOSABLE, "ONBUILD is not one that every builder takes")

    def _maintainer(self, instruction: Instruction) -> None:
        if not re.fullmatch(r"[^\s\"'\\$]+(?: [^\s\"'\\$]+)*", instruction.arguments):
            raise Refused(RefusalReason.ARGUMENTS_NOT_COMPOSABLE, "MAINTAINER has quotes or odd spaces")
        self._state.author = instruction.arguments
