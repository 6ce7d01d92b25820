"""How a proposal is presented to people: labels, reviewers, assignees, milestone, draft, its title's pattern."""

import re
from dataclasses import dataclass

from layering.errors import InputError

TITLE_LENGTH_MAX = 200
TEAM = "team:"
_PLACEHOLDERS = ("cluster", "pool", "image", "version", "digest12")
_FIELD = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Manners:
    """What a forge is asked to set on a pull request. `reviewers` are user names, or `team:SLUG`.

    `title` is a pattern, checked by `check_title`; None means the usual title. `draft_optional`: where the forge has no
    drafts, it may be opened without; not when a draft is to keep it from being merged too early.
    """

    labels: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()
    assignees: tuple[str, ...] = ()
    milestone: str | None = None
    draft: bool = False
    draft_optional: bool = False
    title: str | None = None

    @property
    def todo(self) -> tuple[str, ...]:
        """What is set after a pull request is opened: names of the fields above that are not empty."""
        named = {
            "labels": self.labels,
            "reviewers": self.reviewers,
            "assignees": self.assignees,
            "milestone": self.milestone,
        }
        return tuple(name for name, value in named.items() if value)


NO_MANNERS = Manners()


def check_title(pattern: str) -> str:
    """The pattern itself. Raises InputError for more than one line, an unknown placeholder, or a stray brace."""
    unknown = [name for name in _FIELD.findall(pattern) if name not in _PLACEHOLDERS]
    if unknown or set(_FIELD.sub("", pattern)) & {"{", "}"}:
        odd = f"{{{unknown[0]}}}" if unknown else "a single brace"
        raise InputError(
            f"{odd} is no placeholder of a title",
            next_step=f"use {', '.join(f'{{{name}}}' for name in _PLACEHOLDERS)} and nothing else",
        )
    if not pattern.strip() or not pattern.isprintable() or len(pattern) > TITLE_LENGTH_MAX:
        raise InputError(f"a title is one line of at most {TITLE_LENGTH_MAX} characters")
    return pattern


def check_name(name: str) -> str:
    """The name of a label, a person or a milestone itself. Raises InputError for one of no or several lines."""
    if not name.strip() or not name.isprintable():
        raise InputError("a name is one line of printable characters")
    return name


def check_reviewer(name: str) -> str:
    """The name itself, of a user or `team:SLUG`. Raises InputError for what is no name, or a team without one."""
    if check_name(name).startswith(TEAM) and not name.removeprefix(TEAM).strip():
        raise InputError(f"{name!r} names no team", next_step=f"write {TEAM}SLUG, the team's name as in its address")
    return name


def fill_title(pattern: str, values: dict[str, str]) -> str:
    """The pattern with its placeholders filled, on one line, cut at 200 characters; no blank at either end."""
    filled = _FIELD.sub(lambda match: values.get(match[1], ""), pattern)
    line = "".join(character if character.isprintable() else " " for character in filled)
    return " ".join(line.split())[:TITLE_LENGTH_MAX].rstrip()
