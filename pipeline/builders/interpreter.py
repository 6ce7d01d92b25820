"""Reads a Containerfile as a list of file operations and configuration changes, or says why that cannot be done.

Covers FROM (one stage), COPY and ADD of local files, WORKDIR, ENV, LABEL, ARG, USER, CMD, ENTRYPOINT, EXPOSE,
STOPSIGNAL and MAINTAINER, as imagebuilder (buildah's reader) understands them. Looks at no file, asks no registry.
"""

import json
import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from layering.containerfile_text import Instruction
from layering.errors import InputError
from layering.reference import ImageReference
from pipeline.builders.imageconfig import ConfigState
from pipeline.builders.refusal import Refusal, RefusalReason, Refused
from pipeline.builders.words import expand, split_words

_OWNER = re.compile(r"(?P<uid>[0-9]{1,7}):(?P<gid>[0-9]{1,7})")
_MODE = re.compile(r"[0-7]{3,4}")
_PORT = re.compile(r"(?P<port>[0-9]{1,5})(?:/(?P<protocol>tcp|udp|sctp))?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_REMOTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|git@")
_AUTOMATIC_ARGUMENT = re.compile(r"(?:TARGET|BUILD)(?:PLATFORM|OS|ARCH|VARIANT)|[A-Za-z]+_PROXY|[a-z]+_proxy")
_ROOT_USERS = ("", "0", "root", "0:0", "root:root")


@dataclass(frozen=True, kw_only=True, slots=True)
class CopyStep:
    """COPY or ADD. `sources` are as written; `destination` is absolute and keeps a trailing `/` or `/.`."""

    line: int
    sources: tuple[str, ...]
    destination: str
    owner: tuple[int, int]
    mode: int | None
    extracts: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkdirStep:
    """WORKDIR: the directory exists afterwards. A missing one would belong to `user`."""

    line: int
    path: str
    user: str

    @property
    def is_roots(self) -> bool:
        """Whether a missing directory would be root's."""
        return self.user in _ROOT_USERS


Step = CopyStep | WorkdirStep


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What was read: the steps that touch files, and every reason against composing."""

    steps: tuple[Step, ...]
    refusals: tuple[Refusal, ...]


def interpret(
    instructions: Sequence[Instruction], state: ConfigState, build_args: Mapping[str, str], *, base: ImageReference
) -> Reading:
    """Apply `instructions` to `state` in order; the only FROM must name `base`."""
    reader = _Reader(state, build_args, base)
    refusals = []
    for instruction in instructions:
        try:
            reader.apply(instruction)
        except Refused as refused:
            refusals.append(refused.at(instruction.line))
    return Reading(steps=tuple(reader.steps), refusals=tuple(refusals))


class _Reader:
    def __init__(self, state: ConfigState, build_args: Mapping[str, str], base: ImageReference) -> None:
        self.steps: list[Step] = []
        self._state = state
        self._build_args = build_args
        self._base = base
        self._in_stage = False
        self._global_args: dict[str, str] = {}
        self._args: dict[str, str] = {}
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
        if instruction.flags and instruction.keyword not in ("COPY", "ADD", "FROM"):
            raise Refused(RefusalReason.FLAG_NOT_COMPOSABLE, f"{instruction.flags[0]} on {instruction.keyword}")
        apply(instruction)
        if self._in_stage and instruction.keyword != "FROM":
            flags = "".join(f" {flag}" for flag in instruction.flags)
            self._state.history.append(f"{instruction.keyword}{flags} {instruction.arguments}")

    @property
    def _variables(self) -> dict[str, str]:
        return {**self._args, **self._state.env}

    def _words(self, instruction: Instruction) -> list[str]:
        return [expand(word, self._variables) for word in split_words(instruction.arguments)]

    def _one_word(self, instruction: Instruction) -> str:
        words = self._words(instruction)
        if len(words) != 1 or not words[0]:
            raise Refused(RefusalReason.ARGUMENTS_NOT_COMPOSABLE, f"{instruction.keyword} wants one word")
        return words[0]

    def _from(self, instruction: Instruction) -> None:
        if self._in_stage:
            raise Refused(RefusalReason.SEVERAL_STAGES, "it has more than one stage")
        self._in_stage = True
        words = split_words(instruction.arguments)
        if instruction.flags or len(words) not in (1, 3) or not self._is_base(expand(words[0], self._global_args)):
            raise Refused(RefusalReason.FROM_NOT_COMPOSABLE, "this FROM is not simply the base")

    def _is_base(self, name: str) -> bool:
        try:
            return ImageReference.parse(name).without_tag() == self._base.without_tag()
        except InputError:
            return False

    def _arg(self, instruction: Instruction) -> None:
        name, equals, default = self._one_word(instruction).partition("=")
        if not _NAME.fullmatch(name) or _AUTOMATIC_ARGUMENT.fullmatch(name):
            raise Refused(RefusalReason.VARIABLE_NOT_COMPOSABLE, f"ARG {name} is the builder's own")
        known = self._args if self._in_stage else self._global_args
        if name in self._build_args:
            known[name] = self._build_args[name]
        elif equals:
            known[name] = default
        elif self._in_stage and name in self._global_args:
            known[name] = self._global_args[name]

    def _copy(self, instruction: Instruction) -> None:
        owner, mode = _copy_flags(instruction.flags)
        words = self._copy_words(instruction)
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
                destination=posixpath.join(self._state.working_directory, destination),
                owner=owner,
                mode=mode,
                extracts=instruction.keyword == "ADD",
            )
        )

    def _copy_words(self, instruction: Instruction) -> list[str]:
        """A JSON list, or words at white space: here quotes do not hold a word together."""
        if instruction.arguments.startswith("["):
            return [expand(_unquoted(word), self._variables) for word in _json_words(instruction.arguments)]
        return [expand(_unquoted(word), self._variables) for word in instruction.arguments.split()]

    def _workdir(self, instruction: Instruction) -> None:
        path = posixpath.normpath(posixpath.join(self._state.working_directory, self._one_word(instruction)))
        self._state.inner["WorkingDir"] = path
        self.steps.append(WorkdirStep(line=instruction.line, path=path, user=self._state.user))

    def _env(self, instruction: Instruction) -> None:
        pairs = self._pairs(instruction)
        if not all(_NAME.fullmatch(name) for name in pairs):
            raise Refused(RefusalReason.ARGUMENTS_NOT_COMPOSABLE, "ENV sets an odd name")
        for name, value in pairs.items():
            self._state.env.pop(name, None)  # buildah moves a variable that is set again to the end
            self._state.env[name] = value

    def _label(self, instruction: Instruction) -> None:
        self._state.labels.update(self._pairs(instruction))

    def _pairs(self, instruction: Instruction) -> dict[str, str]:
        """`name=value …`; values see the variables as they were before this instruction."""
        pairs = {}
        for word in split_words(instruction.arguments):
            name, equals, value = word.partition("=")
            if not equals or "$" in name:
                raise Refused(RefusalReason.ARGUMENTS_NOT_COMPOSABLE, f"{instruction.keyword} is not name=value")
            pairs[expand(name, {})] = expand(value, self._variables)
        if not pairs:
            raise Refused(RefusalReason.ARGUMENTS_NOT_COMPOSABLE, f"{instruction.keyword} sets nothing")
        return pairs

    def _user(self, instruction: Instruction) -> None:
        self._state.inner["User"] = self._one_word(instruction)

    def _stop_signal(self, instruction: Instruction) -> None:
        self._state.inner["StopSignal"] = self._one_word(instruction)

    def _cmd(self, instruction: Instruction) -> None:
        self._state.set_cmd(_argv(instruction))

    def _entrypoint(self, instruction: Instruction) -> None:
        self._state.set_entrypoint(_argv(instruction))

    def _expose(self, instruction: Instruction) -> None:
        for word in self._words(instruction):
            match = _PORT.fullmatch(word)
            if match is None:
                raise Refused(RefusalReason.ARGUMENTS_NOT_COMPOSABLE, f"EXPOSE {word[:40]!r} is not PORT[/PROTOCOL]")
            self._state.expose(f"{match['port']}/{match['protocol'] or 'tcp'}")

    def _maintainer(self, instruction: Instruction) -> None:
        if not re.fullmatch(r"[^\s\"'\\$]+(?: [^\s\"'\\$]+)*", instruction.arguments):
            raise Refused(RefusalReason.ARGUMENTS_NOT_COMPOSABLE, "MAINTAINER has quotes or odd spaces")
        self._state.author = instruction.arguments


def _copy_flags(flags: Sequence[str]) -> tuple[tuple[int, int], int | None]:
    owner, mode = (0, 0), None
    for flag in flags:
        name, _, value = flag.partition("=")
        if name == "--chown":
            match = _OWNER.fullmatch(value)
            if match is None:
                raise Refused(RefusalReason.OWNER_BY_NAME, f"{flag} is not UID:GID in digits")
            owner = int(match["uid"]), int(match["gid"])
        elif name == "--chmod" and _MODE.fullmatch(value):
            mode = int(value, 8)
        else:
            raise Refused(RefusalReason.FLAG_NOT_COMPOSABLE, flag)
    return owner, mode


def _unquoted(word: str) -> str:
    if any(character in word for character in "\\\"'`"):
        raise Refused(RefusalReason.ARGUMENTS_NOT_COMPOSABLE, "it has quotes or escapes in a path")
    return word


def _json_words(text: str) -> list[str]:
    try:
        words = json.loads(text)
    except ValueError:
        words = None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise Refused(RefusalReason.ARGUMENTS_NOT_COMPOSABLE, "it starts like a JSON list and is none")
    return words


def _argv(instruction: Instruction) -> list[str]:
    """The exec form, or the shell form under `/bin/sh -c` (buildah drops SHELL when it writes the OCI form)."""
    if instruction.arguments.startswith("["):
        return _json_words(instruction.arguments)
    if not instruction.arguments or "\n" in instruction.arguments or "\\" in instruction.arguments:
        raise Refused(RefusalReason.ARGUMENTS_NOT_COMPOSABLE, f"{instruction.keyword} is empty or has escapes")
    return ["/bin/sh", "-c", instruction.arguments]
