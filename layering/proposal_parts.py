"""The paragraphs and tables of a proposal, each a piece of Markdown, or nothing when it has nothing to say.

What comes from outside stands in code spans. The one link that we make is to a commit or a build, of an address in
which nothing can be meant otherwise. No line begins with what a commit message or a quick action would be told by.
"""

import re
from collections.abc import Sequence

from layering.comparison import Comparison
from layering.comparison_text import label_rows, layers_table
from layering.findings import Severity, passed
from layering.git import COMMIT_ID
from layering.markdown import code, folded, size, table
from layering.proposal_facts import Facts, Rollout
from layering.reference import ImageReference

_FINDINGS_SHOWN_MAX = 20
_ZONES_SHOWN_MAX = 12
_FULL_NAME_LENGTH_MAX = 500  # a pull spec with its host, path, tag and digest
_URL_LENGTH_MAX = 500
_URL = re.compile(r"https?://[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~-]+)*/?")
_NOTHING = "-"
_MARKS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}

_ANSWERS = """\
**Your answer**

- **Yes:** merge it.
- **No:** close it, or delete its branch. This image is not proposed again; the next one is.
- **Not like this:** push to its branch. It is yours then, and left alone.
- **By comment:** `/layerwatch rebase` makes it one commit on the current tip again, `/layerwatch ignore` closes it."""
_ANSWERS_TO_A_BRANCH = """\
**Your answer**

- **Yes:** merge this branch.
- **No:** delete it unmerged. This image is not proposed again; the next one is.
- **Not like this:** commit on it. It is yours then, and left alone."""


def going_back(members: Sequence[Facts]) -> str:
    """What a revert does. Of an image that could not be read a revert may pin what is not there any more."""
    before = (
        "the image before"
        if all(facts.old_image for facts in members)
        else ("what was pinned before, or the cluster's own image where nothing was")
    )
    text = f"**Going back** is a revert of the merge: the nodes reboot into {before}; this one is not proposed again."
    if any(facts.evidence.not_compared for facts in members):
        text += " The image that is pinned now could not be read: see that it is still there before you go back to it."
    return text


def answers(facts: Facts) -> str:
    """What a person can do about it."""
    return _ANSWERS_TO_A_BRANCH if facts.branch_only else _ANSWERS


def opening(facts: Facts) -> str:
    """For whom, and why now."""
    where = f"Pool {code(facts.pool)} of cluster {code(facts.cluster)}"
    why = f": {facts.why}." if facts.why else "."
    return f"{where} should boot a new OS image{why}"


def changes(facts: Facts) -> str:
    """The first table: from what to what."""
    rows = [
        ("Built on", _code(facts.old_version), _code(facts.version)),
        ("Base", short(facts.old_base), short(facts.base)),
        ("Image", short(facts.old_image), short(facts.image)),
    ]
    comparison = facts.evidence.comparison
    if comparison is not None and any(comparison.versions):
        old, new = comparison.versions
        rows.insert(1, ("OS version", _code(old), _code(new)))
    shown = [row for row in rows if row[1:] != (_NOTHING, _NOTHING)]
    return table(("", "Now", "Proposed"), shown)


def rollout(facts: Facts) -> str:
    """What merging does: which nodes reboot, and in what order."""
    known = {each.pool for each in facts.rollouts}
    if facts.pool not in known:
        return (
            f"**Merging** reboots the nodes of {_pools(facts)}, one after the other as far as `maxUnavailable` allows; "
            "a paused pool waits."
        )
    lines = [_reboots(each, facts) for each in facts.rollouts]
    lines += [f"- pool {code(pool)}: how many is not known" for pool in facts.also if pool not in known]
    total = sum(each.machines for each in facts.rollouts)
    several = " Pools do not wait for each other." if len(lines) > 1 else ""
    return f"**Merging** reboots {_nodes(total)}, each drained first.{several}\n\n" + "\n".join(lines)


def _pools(facts: Facts) -> str:
    named = f"pool {code(facts.pool)}"
    return f"{named}, and of {', '.join(map(code, facts.also))}, which take its MachineConfigs" if facts.also else named


def _reboots(each: Rollout, facts: Facts) -> str:
    which = f"- pool {code(each.pool)}{'' if each.pool == facts.pool else ', which takes the same MachineConfig'}"
    line = f"{which}: {_nodes(each.machines)}, {each.at_once} at a time, {_order(each.zones)}"
    return f"{line}; **paused** when this was written, so it waits" if each.paused else line


def _nodes(count: int) -> str:
    return f"{count} node{'' if count == 1 else 's'}"


def _order(zones: Sequence[tuple[str, int]]) -> str:
    named = [f"{code(zone) if zone else 'those without a zone'} ({count})" for zone, count in zones]
    if len(named) < 2:
        return "the oldest first"
    shown = named[:_ZONES_SHOWN_MAX]
    rest = [f"{len(named) - len(shown)} more zones"] if len(named) > len(shown) else []
    return f"zone by zone: {', then '.join(shown + rest)}; in each the oldest first"


def checks(facts: Facts) -> str:
    """What was checked, and what was found, the worst first."""
    findings = facts.evidence.findings
    if findings is None:
        return ""
    shown = sorted(findings, key=lambda finding: list(_MARKS).index(finding.severity))[:_FINDINGS_SHOWN_MAX]
    lines = [f"- {_MARKS[finding.severity]} {code(finding.rule)}: {code(finding.message)}" for finding in shown]
    if len(findings) > len(shown):
        lines.append(f"- and {len(findings) - len(shown)} more")
    good = "**Checked:** it is FROM that base, for the right platforms, and an OS image."
    heads = [good] if passed(findings) else []
    return "\n\n".join([*heads, *(["\n".join(lines)] if lines else [])])


def layers(facts: Facts) -> str:
    """What a node fetches; or why that is not known."""
    comparison = facts.evidence.comparison
    if comparison is None:
        reason = facts.evidence.not_compared
        return f"Not compared with the image in use: {code(reason)}." if reason else ""
    same = "only dates, history or the names of what it was built from differ; " if comparison.same_content else ""
    return f"**Differences:** {same}{_fetches(comparison)}.\n\n{layers_table(comparison)}"


def _fetches(comparison: Comparison) -> str:
    counts = {change.fetch_bytes for change in comparison.layers}
    if not counts:
        return "what a node fetches is not known"
    least, most = size(min(counts)), size(max(counts))
    return f"a node fetches {most}" if least == most else f"a node fetches {least} to {most}, by platform"


def labels(facts: Facts) -> str:
    """The labels that differ, folded away."""
    comparison = facts.evidence.comparison
    rows = label_rows(comparison) if comparison is not None else ()
    return folded("Labels that differ", table(("Label", "Old", "New"), rows)) if rows else ""


def links(facts: Facts) -> str:
    """To the source's commit and the run that built the image, as far as these have pages."""
    lines = []
    if facts.commit and COMMIT_ID.fullmatch(facts.commit):
        place = (facts.source or "").removesuffix("/").removesuffix(".git")
        lines.append(f"source {_link(facts.commit[:12], _page(place, f'/commit/{facts.commit}'))}")
        if facts.old_commit and facts.old_commit != facts.commit and COMMIT_ID.fullmatch(facts.old_commit):
            between = _page(place, f"/compare/{facts.old_commit}...{facts.commit}")
            lines.append(f"changed since {_link(facts.old_commit[:12], between)}")
    if facts.build:
        lines.append(f"build {_link(facts.build, _page(facts.build_url or ''))}")
    return f"**From** {', '.join(lines)}." if lines else ""


def names(facts: Facts) -> str:
    """Everything in full, folded away."""
    told = [
        ("image", str(facts.image.without_tag())),
        ("image now", facts.old_image),
        ("base", str(facts.base) if facts.base else None),
        ("base now", facts.old_base),
        ("source", facts.source),
        ("commit", facts.commit),
        ("commit before", facts.old_commit if facts.old_commit != facts.commit else None),
        ("build key", facts.key),
    ]
    lines = [f"- {label} {code(value, _FULL_NAME_LENGTH_MAX)}" for label, value in told if value]
    return folded("Full names and digests", "\n".join(lines))


def short(reference: ImageReference | str | None) -> str:
    """Twelve digits of a digest; what is no digest is shown as it is."""
    text = str(reference) if reference else ""
    algorithm, _, digest = text.rpartition("@")[2].partition(":")
    if algorithm in ("sha256", "sha512"):
        return code(digest[:12])
    return _code(text)


def from_to(old: str | None, new: str | None) -> str:
    """In one cell."""
    return f"{_code(old)} → {_code(new)}" if old != new else _code(new)


def image_from_to(facts: Facts) -> str:
    """The image in one cell."""
    return f"{short(facts.old_image)} → {short(facts.image)}"


def _code(text: str | None) -> str:
    return code(text) if text else _NOTHING


def _page(base: str, path: str = "") -> str | None:
    """An address that no Markdown can be read into; None for any other."""
    url = base + path
    return url if len(url) <= _URL_LENGTH_MAX and _URL.fullmatch(url) else None


def _link(text: str, url: str | None) -> str:
    return f"[{code(text)}]({url})" if url else code(text)
