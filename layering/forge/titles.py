"""How forges take a title: what makes a draft of it, and how much of it is kept.

GitLab and Gitea know a draft by how its title begins. Ours never begins so: that it is a draft is said otherwise
(`Manners.draft`), and each host writes the prefix itself.
"""

import re
from collections.abc import Mapping

from layering.errors import InputError
from layering.forge.manners import fill_title
from layering.forge.settings import Kind

DRAFTS: Mapping[Kind, re.Pattern[str]] = {
    # As MergeRequest::DRAFT_REGEX there.
    Kind.GITLAB: re.compile(r"(?:(?:draft:|\[draft\]|\(draft\))\s*)+", re.IGNORECASE),
    # Its setting WORK_IN_PROGRESS_PREFIXES, in repository.pull-request.
    Kind.GITEA: re.compile(r"(?:(?:WIP:|\[WIP\])\s*)+", re.IGNORECASE),
}
"""What makes a draft, at the beginning of a title. GitHub's drafts are called like all others."""
# What has more it cuts: by width since 1.23, by bytes before that and in Forgejo. `WIP: ` is part of it.
_GITEA_BYTES_MAX = 255 - len("WIP: ")
_ANY = dict.fromkeys(("image", "version", "digest12"), "0")  # a version that makes a draft is `as_kept`'s


def check_no_draft(pattern: str, kind: Kind, values: Mapping[str, str]) -> str:
    """The pattern itself. Raises InputError when its titles would make drafts; `values` as `fill_title` takes them."""
    found = _draft(fill_title(pattern, {**_ANY, **values}), kind)
    if found is not None:
        raise InputError(
            f"{kind} takes a title that begins with {found[0].strip()!r} for a draft's",
            next_step="leave that out; draft: true (--draft) makes drafts",
        )
    return pattern


def as_kept(title: str, kind: Kind) -> str:
    """The title as that forge keeps it when it is written so, and without what would make a draft of it."""
    found = _draft(title, kind)
    title = (title[found.end() :] if found is not None else "") or title
    if kind is Kind.GITEA:
        title = title.encode()[:_GITEA_BYTES_MAX].decode(errors="ignore").rstrip()
    return title


def _draft(title: str, kind: Kind) -> re.Match[str] | None:
    return DRAFTS[kind].match(title) if kind in DRAFTS else None
