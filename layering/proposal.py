"""What a person reads before a fleet reboots: the title and the body of a proposal.

Plain Markdown that reads well in a terminal too. Everything that comes from outside stands in code spans
(markdown.py), so that no label or name can become a link, a mention or HTML.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from layering.comparison_text import label_rows, layers_table
from layering.evidence import Evidence
from layering.findings import Severity, passed
from layering.markdown import code, table
from layering.reference import ImageReference

_TITLE_LENGTH_MAX = 200
_FINDINGS_SHOWN_MAX = 20
_FULL_NAME_LENGTH_MAX = 500  # a pull spec with its host, path, tag and digest
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,99}")
_NOTHING = "-"
_NO_EVIDENCE = Evidence()


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What is proposed, for whom, and from where. None where it is not known; the body then does not mention it.

    `also` are other pools that take the same MachineConfig. `version` and `old_version` are a release's, or the base's
    own when a tag is followed. `why` is Markdown.
    """

    cluster: str
    pool: str
    image: ImageReference
    key: str
    also: tuple[str, ...] = ()
    name: str | None = None
    why: str | None = None
    old_image: str | None = None
    version: str | None = None
    old_version: str | None = None
    base: ImageReference | None = None
    old_base: str | None = None
    source: str | None = None
    commit: str | None = None
    evidence: Evidence = _NO_EVIDENCE


def title(facts: Facts) -> str:
    """One line, at most 200 characters. What is no plain version (it may be a label's) is not in it: forges read titles
    and commit messages for mentions and for issues to close.
    """
    what = facts.name or "OS image"
    to = f"on {facts.version}" if _VERSION.fullmatch(facts.version or "") else facts.image.pinned.short
    line = f"{facts.cluster}/{facts.pool}: {what} {to}"
    return "".join(character for character in line if character.isprintable())[:_TITLE_LENGTH_MAX]


def body(facts: Facts, length_max: int) -> str:
    """Why, what changes, what was checked, what merging does, how to go back or refuse; full names last."""
    return "\n\n".join(part for part in _parts(facts) if part) + "\n"


def _parts(facts: Facts) -> Iterable[str]:
    yield _opening(facts)
    yield _changes(facts)
    if facts.evidence.comparison is not None:
        yield layers_table(facts.evidence.comparison)
        if labels := label_rows(facts.evidence.comparison):
            yield table(("Label", "Old", "New"), labels)
    elif facts.evidence.not_compared:
        yield f"Not compared with the image in use: {code(facts.evidence.not_compared)}."
    yield _checked(facts)
    yield (
        f"**Merging** reboots the nodes of {_pools(facts)}, one after the other as far as `maxUnavailable` allows; a "
        "paused pool waits.\n"
        "**Going back** is a revert of this commit: the pool boots the previous image again.\n"
        "**Refusing** is deleting the branch unmerged: this image is not proposed again, the next one is."
    )
    yield _full_names(facts)


def _pools(facts: Facts) -> str:
    named = f"pool {code(facts.pool)}"
    return f"{named}, and of {', '.join(map(code, facts.also))}, which take its MachineConfigs" if facts.also else named


def _opening(facts: Facts) -> str:
    where = f"Pool {code(facts.pool)} of cluster {code(facts.cluster)}"
    why = f": {facts.why}." if facts.why else "."
    return f"{where} should boot a new OS image{why}"


def _changes(facts: Facts) -> str:
    rows = [
        ("Built on", _code(facts.old_version), _code(facts.version)),
        ("Base", _short(facts.old_base), _short(facts.base)),
        ("Image", _short(facts.old_image), _short(facts.image)),
    ]
    comparison = facts.evidence.comparison
    if comparison is not None and any(comparison.versions):
        old, new = comparison.versions
        rows.insert(1, ("OS version", _code(old), _code(new)))
    shown = [row for row in rows if row[1:] != (_NOTHING, _NOTHING)]
    return table(("", "Now", "Proposed"), shown)


def _checked(facts: Facts) -> str:
    findings = facts.evidence.findings
    if findings is None:
        return ""
    lines = ["Checked: it is FROM that base, for the right platforms, and an OS image."] if passed(findings) else []
    marks = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
    shown = sorted(findings, key=lambda finding: list(marks).index(finding.severity))[:_FINDINGS_SHOWN_MAX]
    lines += [f"- {marks[finding.severity]} {code(finding.rule)}: {code(finding.message)}" for finding in shown]
    if len(findings) > len(shown):
        lines.append(f"- and {len(findings) - len(shown)} more")
    return "\n".join(lines)


def _full_names(facts: Facts) -> str:
    names = [
        ("image", str(facts.image.without_tag())),
        ("base", str(facts.base) if facts.base else None),
        ("source", facts.source),
        ("commit", facts.commit),
        ("build key", facts.key),
    ]
    return "\n".join(f"- {label} {code(value, _FULL_NAME_LENGTH_MAX)}" for label, value in names if value)


def _code(text: str | None) -> str:
    return code(text) if text else _NOTHING


def _short(reference: ImageReference | str | None) -> str:
    """Twelve digits of a digest; what is no digest is shown as it is."""
    text = str(reference) if reference else ""
    algorithm, _, digest = text.rpartition("@")[2].partition(":")
    if algorithm in ("sha256", "sha512"):
        return code(digest[:12])
    return _code(text)
