"""Where does a Containerfile name its base? Find it, and pin it, and leave every other byte alone.

Three cases. A FROM that names an image, variables in it or not, is replaced as a whole in place. A FROM that is nothing
but a variable gets its image through that ARG's default, and the default is replaced. An ARG without a default, or one
that the build is given a value for, leaves the text as it is: then the base must come with the build (`build_args`).
A name that was written over several lines stands on one afterwards. `COPY --from` and `RUN --mount=from` are no bases.
Which FROM is the base is decided in containerfile_choice.py. No file is read or written here, no registry asked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from layering.change import Change
from layering.containerfile_choice import Candidate, Match, choose
from layering.containerfile_stages import Containerfile, parse
from layering.containerfile_text import Word
from layering.errors import InputError
from layering.reference import ImageReference

__all__ = ["Match", "Pinned", "pin_base"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Pinned:
    """The result: the whole text, what changed in it, and what must be given with --build-arg besides."""

    text: str = field(repr=False)
    changes: tuple[Change, ...]
    build_args: Mapping[str, str]


def pin_base(
    text: str,
    base: ImageReference,
    matches: Sequence[Match] = (),
    build_args: Mapping[str, str] | None = None,
    where: str = "Containerfile",
) -> Pinned:
    """Pin the base in `text` to `base`, which has a digest; its tag, if any, is not written.

    `build_args` are those the build will be given. A base that has the digest already, in whatever spelling, changes
    nothing. Raises InputError when there is no candidate, when several remain, when a match fits none, or for a form
    that this tool must not touch; it then names lines and what to do.
    """
    base.pinned  # noqa: B018 raises for a base without a digest
    given = build_args or {}
    containerfile = parse(text, given, where)
    chosen = choose(containerfile, base, matches, where)
    by_argument = _needed_arguments(chosen, given)
    spans = _spans([c for c in chosen if not c.is_at(base) and not (c.arg and c.arg.name in by_argument)])
    new_text, changes = _replaced(text, spans, str(base.without_tag()))
    pinned = Pinned(text=new_text, changes=changes, build_args=dict.fromkeys(by_argument, str(base.without_tag())))
    _prove(containerfile, pinned, chosen, base, given, where)
    return pinned


def _needed_arguments(chosen: Sequence[Candidate], given: Mapping[str, str]) -> Sequence[str]:
    """The ARGs whose value can only come with the build."""
    args = [candidate.arg for candidate in chosen if candidate.arg is not None]
    return [arg.name for arg in args if arg.default is None or arg.name in given]


def _spans(chosen: Sequence[Candidate]) -> Sequence[Word]:
    """The words to replace, in their order; quotes around them stay."""
    words = [c.arg.default if c.arg and c.arg.default else _unquoted(c.stage.base) for c in chosen]
    return sorted(set(words), key=lambda word: word.start)


def _unquoted(word: Word) -> Word:
    text = word.text
    if len(text) > 1 and text[0] in "\"'" and text[-1] == text[0]:
        return Word(text=text[1:-1], start=word.start + 1, end=word.end - 1, line=word.line)
    return word


def _replaced(text: str, spans: Sequence[Word], new: str) -> tuple[str, tuple[Change, ...]]:
    parts, position = [], 0
    for word in spans:
        parts += [text[position : word.start], new]
        position = word.end
    changes = tuple(Change(line=word.line, old=word.text, new=new) for word in spans)
    return "".join([*parts, text[position:]]), changes


def _prove(
    before: Containerfile,
    pinned: Pinned,
    chosen: Sequence[Candidate],
    base: ImageReference,
    given: Mapping[str, str],
    where: str,
) -> None:
    """Read the result again: the chosen stages are FROM the base now, and no other stage is FROM another image."""
    after = parse(pinned.text, {**given, **pinned.build_args}, where)
    meant = {candidate.stage.base.start for candidate in chosen}
    for old, new in zip(before.stages, after.stages, strict=True):
        if old.base.start in meant:
            holds = Candidate(stage=new, arg=None).is_at(base)
        else:
            holds = new.base_expanded == old.base_expanded
        if not holds:
            raise InputError(
                f"the base cannot be pinned so that FROM {old.base.text[:200]} means what it should",
                where=f"{where}, line {old.line}",
                next_step="write the base into the FROM itself, or into an ARG that nothing else uses",
            )
