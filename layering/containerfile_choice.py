"""Which FROM of a Containerfile is the base: the only candidate, the one with the base's repository, or the one named.

Candidates are the stages FROM neither an earlier stage nor scratch. A doubt is an error that lists them. Two forms are
refused with an explanation: on-cluster layering's `FROM configs`, and a release payload taken for the OS image.
Changes no text; containerfile.py does.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from layering.containerfile_stages import Containerfile, GlobalArg, Stage
from layering.errors import InputError
from layering.excerpt import beginning
from layering.reasons import Reason
from layering.reference import ImageReference, Repository

_WHOLE_VARIABLE = re.compile(r"(?P<quote>[\"']?)\$(?:(?P<plain>\w+)|\{(?P<braced>\w+)\})(?P=quote)", re.ASCII)
_KIND_AND_NAME = re.compile(r"(stage|arg):([A-Za-z0-9_.-]+)")
_TAG = re.compile(r":[^/:]*\Z")
_ON_CLUSTER_STAGE = "configs"
_PAYLOAD_REPOSITORY = re.compile(
    r".*/(?:ocp-release(?:-nightly|-dev)?|okd/scos-release|release-images)"  # also in mirrors, oc-mirror's included
    r"|quay\.io/openshift/okd|registry\.ci\.openshift\.org/(?:ocp|origin)[^/]*/release[^/]*"
)
_SHOWN_LENGTH_MAX = 200
_LISTED_LENGTH_MAX = 1500


@dataclass(frozen=True, slots=True)
class Match:
    """Which candidate is meant: by its repository, by its stage's name, or by the ARG that feeds it."""

    kind: str
    value: str

    @classmethod
    def parse(cls, text: str) -> "Match":
        """Read `REPOSITORY`, `stage:NAME` or `arg:NAME`. Raises InputError."""
        named = _KIND_AND_NAME.fullmatch(text)
        return cls(named[1], named[2]) if named else cls("repository", str(Repository.parse(text)))

    def __str__(self) -> str:
        return self.value if self.kind == "repository" else f"{self.kind}:{self.value}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A stage that may be FROM the base, and the ARG that it consists of, if any."""

    stage: Stage
    arg: GlobalArg | None

    @property
    def repository(self) -> str:
        """The repository it names; of a placeholder such as `x@sha256...`, as far as it can be told."""
        name = self.stage.base_expanded.partition("@")[0]
        try:
            return str(Repository.parse(_TAG.sub("", name)))
        except InputError:
            return self.stage.base_expanded

    @property
    def identity(self) -> str:
        """What two stages FROM the same image have in common."""
        if not self.stage.base_expanded and self.arg is not None:
            return f"arg:{self.arg.name}"
        try:
            return str(ImageReference.parse(self.stage.base_expanded))
        except InputError:
            return self.stage.base_expanded

    def is_at(self, base: ImageReference) -> bool:
        """Whether it is FROM `base`'s digest in `base`'s repository, with or without a tag."""
        try:
            return ImageReference.parse(self.stage.base_expanded).without_tag() == base.without_tag()
        except InputError:
            return False

    def fits(self, match: Match, base: ImageReference) -> bool:
        """Whether `match` means it. One that is at the base already fits every repository: pinning can be repeated."""
        if match.kind == "stage":
            return self.stage.name == match.value.lower()
        if match.kind == "arg":
            return self.arg is not None and self.arg.name == match.value
        return self.repository == match.value or self.is_at(base)


def choose(
    containerfile: Containerfile, base: ImageReference, matches: Sequence[Match], where: str
) -> Sequence[Candidate]:
    """The stages FROM the base: one, or several FROM the same image. Raises InputError."""
    candidates = _candidates(containerfile, where)
    chosen = _named(candidates, base, matches, where) if matches else _evident(candidates, base, where)
    for candidate in chosen:
        _refuse_payload(candidate, where)
    return chosen


def _candidates(containerfile: Containerfile, where: str) -> Sequence[Candidate]:
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
            found.append(Candidate(stage=stage, arg=_feeding(stage, args, where)))
        if stage.name:
            earlier.add(stage.name)
    if not found:
        raise InputError("no FROM in it names a base image", where=where, next_step="write FROM <base image>")
    return found


def _feeding(stage: Stage, args: Mapping[str, GlobalArg], where: str) -> GlobalArg | None:
    """The ARG that a FROM consists of. A FROM that only has variables in it is pinned itself."""
    match = _WHOLE_VARIABLE.fullmatch(stage.base.text)
    if match is None:
        return None
    name = match["plain"] or match["braced"]
    if name not in args:
        raise InputError(
            f"FROM uses {name}, which no ARG before the first FROM declares",
            where=f"{where}, line {stage.line}",
            next_step=f"write ARG {name} above the first FROM",
        )
    return args[name]


def _evident(candidates: Sequence[Candidate], base: ImageReference, where: str) -> Sequence[Candidate]:
    same_repository = [c for c in candidates if c.repository == str(base.repository)]
    for group in (candidates, same_repository):
        if len({candidate.identity for candidate in group}) == 1:
            return group
    problem = "several FROMs" if same_repository else "none of several FROMs"
    raise _ambiguous(f"{problem} could be the base {base.repository}", same_repository or candidates, where)


def _named(
    candidates: Sequence[Candidate], base: ImageReference, matches: Sequence[Match], where: str
) -> Sequence[Candidate]:
    for match in matches:
        if not any(candidate.fits(match, base) for candidate in candidates):
            raise _ambiguous(f"match {match} fits no FROM", candidates, where)
    return [candidate for candidate in candidates if any(candidate.fits(match, base) for match in matches)]


def _ambiguous(what: str, candidates: Sequence[Candidate], where: str) -> InputError:
    lines = []
    for candidate in candidates:
        match = _match_for(candidate, candidates)
        hint = f"match {match}" if match else "give it a name with AS to choose it"
        lines.append(f"line {candidate.stage.line}: FROM {candidate.stage.base.text[:_SHOWN_LENGTH_MAX]} ({hint})")
    return InputError(
        f"{what}: {'; '.join(beginning(lines, _LISTED_LENGTH_MAX))}",
        where=where,
        next_step="say which one with match (source.match, --match)",
        reason=Reason.BASE_AMBIGUOUS,
    )


def _match_for(candidate: Candidate, candidates: Sequence[Candidate]) -> Match | None:
    """What means this candidate and no other image."""
    if candidate.arg is not None:
        return Match("arg", candidate.arg.name)
    if candidate.stage.name:
        return Match("stage", candidate.stage.name)
    alike = {other.identity for other in candidates if other.repository == candidate.repository}
    try:
        return Match.parse(candidate.repository) if len(alike) == 1 else None
    except InputError:
        return None  # a placeholder that names no repository


def _refuse_payload(candidate: Candidate, where: str) -> None:
    if _PAYLOAD_REPOSITORY.fullmatch(candidate.repository):
        raise InputError(
            f"FROM {candidate.repository} is a release payload: it names the OS image, and is none itself",
            where=f"{where}, line {candidate.stage.line}",
            next_step="write FROM the OS image: oc adm release info --image-for rhel-coreos",
        )
