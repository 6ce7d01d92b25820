"""What a person reads before a fleet reboots: the title and the body of a proposal, for one pool or for several.

Plain Markdown (what GitHub, GitLab and Gitea have in common) that reads well in a terminal too. Everything that comes
from outside stands in code spans (markdown.py), so that no label or name can become a link, a mention or HTML.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from layering import proposal_parts as parts
from layering.forge.manners import fill_title
from layering.markdown import code, table
from layering.proposal_facts import Facts, Rollout
from layering.proposal_room import Keep, Part, fitted

__all__ = ["Facts", "Rollout", "body", "group_body", "group_title", "title"]

_USUAL_TITLES = {True: "{cluster}/{pool}: {image} on {version}", False: "{cluster}/{pool}: {image} {digest12}"}
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,99}")
_ISSUE = re.compile(r"(?<![A-Za-z0-9])GH-[0-9]", re.IGNORECASE)  # docs.github.com, "Autolinked references and URLs"
_IMAGE = "OS image"
_RULE = "* * *"


def title(facts: Facts, pattern: str | None = None) -> str:
    """One line, at most 200 characters. What is no plain version (it may be a label's) is not in it: forges read titles
    and commit messages for mentions and for issues to close. In its place stand twelve digits of the image's digest.

    `pattern` as in `layering.forge.manners`, whose placeholders are filled.
    """
    return fill_title(pattern or _USUAL_TITLES[_version(facts) == facts.version], _values([facts]))


def group_title(group: str, members: Sequence[Facts], pattern: str | None = None) -> str:
    """The title of one proposal for several pools. `pattern`'s placeholders list what the members differ in."""
    return fill_title(pattern or f"{group}: {_counted(len(members), 'pool')} on {{version}}", _values(members))


def body(facts: Facts, length_max: int, pinned: str | None = None) -> str:
    """Why, what changes, what was checked, what merging does, how to answer; then the details.

    `pinned` is the image that the line has now, for who has not looked: what `facts` say goes before it.
    When it has more than `length_max` characters, parts are left out in the order of `Keep`.
    """
    facts = replace(facts, old_image=facts.old_image or pinned)
    told = [Part(text=parts.opening(facts)), Part(text=parts.changes(facts)), *_of(facts)]
    return fitted([*told, _back([facts]), *_differences(facts), _answers(facts), *_sources(facts)], length_max)


def group_body(members: Sequence[Facts], length_max: int) -> str:
    """The same for several pools in one proposal: one table of all, then each by itself."""
    pools = _counted(len(members), "pool")
    told = [Part(text=f"{pools} should boot new OS images."), Part(text=_members_table(members))]
    for facts in members:
        told.append(Part(text=f"{_RULE}\n\n{parts.opening(facts)}", keep=Keep.CHECKS))
        told += [*_of(facts), *_differences(facts), *_sources(facts)]
    return fitted([*told, Part(text=_RULE, keep=Keep.CHECKS), _back(members), _answers(members[0])], length_max)


def _back(members: Sequence[Facts]) -> Part:
    return Part(text=parts.going_back(members), keep=Keep.ROLLOUT)


def _answers(facts: Facts) -> Part:
    return Part(text=parts.answers(facts), keep=Keep.ANSWERS)


def _of(facts: Facts) -> Sequence[Part]:
    return (
        Part(text=parts.checks(facts), keep=Keep.CHECKS),
        Part(text=parts.rollout(facts), keep=Keep.ROLLOUT),
    )


def _differences(facts: Facts) -> Sequence[Part]:
    return (
        Part(text=parts.layers(facts), keep=Keep.LAYERS),
        Part(text=parts.labels(facts), keep=Keep.LABELS),
    )


def _sources(facts: Facts) -> Sequence[Part]:
    return (
        Part(text=parts.links(facts), keep=Keep.LINKS),
        Part(text=parts.names(facts), keep=Keep.NAMES),
    )


def _members_table(members: Sequence[Facts]) -> str:
    rows = [
        (
            code(each.cluster),
            code(each.pool),
            parts.from_to(each.old_version, each.version),
            parts.image_from_to(each),
        )
        for each in members
    ]
    return table(("Cluster", "Pool", "Built on", "Image"), rows)


def _values(members: Sequence[Facts]) -> dict[str, str]:
    """What a title's placeholders stand for; of several members, everything they do not share."""
    return {
        "cluster": _listed(each.cluster for each in members),
        "pool": _listed(each.pool for each in members),
        "image": _listed(each.name or _IMAGE for each in members),
        "version": _listed(map(_version, members)),
        "digest12": _listed(each.image.pinned.short for each in members),
    }


def _version(facts: Facts) -> str:
    version = facts.version or ""
    is_plain = _VERSION.fullmatch(version) and not _ISSUE.search(version)
    return version if is_plain else facts.image.pinned.short


def _listed(words: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(words))


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
