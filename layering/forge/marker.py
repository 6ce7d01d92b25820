"""The machine marker in a pull request's body: what we proposed, in a form no person's text can be mistaken for.

`<!-- layerwatch:v1 BASE64 -->`, once and last; BASE64 (standard alphabet) of a JSON object. What cannot be read is no
marker: the pull request is then told by its branch alone, and nothing is raised.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

from layering.git import COMMIT_ID

_MARKER = re.compile(r"<!-- layerwatch:v1 (?P<base64>[A-Za-z0-9+/]{2,1000000}={0,2}) -->")
_WITHDRAWN = "<!-- layerwatch:withdrawn -->"
_YEAR_MAX = 9000
_KEY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Marker:
    """What stands in it. `key`: the pull request's whole key; `commit`: what we pushed; `image`: what it pins.

    `old`: what the base branch pinned at `base`, the commit ours is on. `title`: as we wrote it, without a draft's
    prefix. `todo`: what of the manners is still to be set. `written`: the forge's clock at our last write. `handled`:
    the newest comment that was looked at for commands. `comments`: how many there were when it was written, where the
    forge tells. `ignored`: closed by `/layerwatch ignore`. `after`: the newest pull request that the branch had before;
    while this one is open, none up to that is. `members`: key, image and old value of each line of a shared proposal,
    by `ProposalTarget.member`; empty when it has one line.
    """

    key: str
    commit: str
    image: str
    old: str | None
    base: str
    title: str
    written: datetime
    todo: tuple[str, ...] = ()
    handled: int = 0
    comments: int | None = None
    ignored: bool = False
    after: int = 0
    members: Mapping[str, "Line"] = field(default_factory=dict)

    def line_of(self, member: str) -> "Line | None":
        """What it says of one line: the only one, or that of a shared proposal's member; None when it has none."""
        if not self.members:
            return Line(key=self.key, image=self.image, old=self.old)
        return self.members.get(member)

    def text(self) -> str:
        """The marker as it stands in a body."""
        document: dict[str, Any] = {
            "key": self.key,
            "commit": self.commit,
            "image": self.image,
            "old": self.old,
            "base": self.base,
            "title": self.title,
            "written": self.written.astimezone(UTC).isoformat(timespec="seconds"),
        }
        if self.todo:
            document["todo"] = list(self.todo)
        if self.handled:
            document["handled"] = self.handled
        if self.comments is not None:
            document["comments"] = self.comments
        if self.ignored:
            document["ignored"] = True
        if self.after:
            document["after"] = self.after
        if self.members:
            document["members"] = {
                name: {"key": line.key, "image": line.image, "old": line.old} for name, line in self.members.items()
            }
        packed = json.dumps(document, separators=(",", ":")).encode()
        return f"<!-- layerwatch:v1 {base64.b64encode(packed).decode()} -->"

    @classmethod
    def parse(cls, body: str) -> Self | None:
        """The last marker of a body, or None when there is none that can be read."""
        found = _MARKER.findall(body)
        if not found:
            return None
        try:
            return cls._of(json.loads(base64.b64decode(found[-1], validate=True)))
        except (binascii.Error, ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
            return None

    @classmethod
    def _of(cls, document: Any) -> Self:
        members = {_text(name): Line.of(line) for name, line in document.get("members", {}).items()}
        written = datetime.fromisoformat(document.get("written", "1970-01-01T00:00:00+00:00"))
        if not 1970 <= written.year <= _YEAR_MAX:
            raise ValueError("no time of ours, and one can hardly count with it")
        return cls(
            key=_matching(_KEY, document["key"]),
            commit=_matching(COMMIT_ID, document["commit"]),
            image=_text(document["image"]),
            old=_text_or_none(document["old"]),
            base=_text(document.get("base", "")),
            title=_text(document.get("title", "")),
            written=written if written.tzinfo else written.replace(tzinfo=UTC),
            todo=tuple(map(_text, document.get("todo", ()))),
            handled=int(document.get("handled", 0)),
            comments=int(document["comments"]) if "comments" in document else None,
            ignored=document.get("ignored") is True,
            after=int(document.get("after", 0)),
            members=members,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One line of a proposal: the build key, the image it pins, and what the base branch pinned then."""

    key: str
    image: str
    old: str | None

    @classmethod
    def of(cls, document: Any) -> Self:
        """From JSON. Raises KeyError, TypeError, ValueError."""
        return cls(
            key=_matching(_KEY, document["key"]),
            image=_text(document["image"]),
            old=_text_or_none(document["old"]),
        )


def without_marker(body: str) -> str:
    """The body as people see it."""
    return _MARKER.sub("", body).rstrip()


def with_marker(text: str, marker: Marker) -> str:
    """The text with the marker as its last line."""
    return f"{text.rstrip()}\n\n{marker.text()}\n"


def withdrawn(text: str) -> str:
    """The text of one that we close ourselves: nobody refused a key by that."""
    return f"{text.rstrip()}\n\n{_WITHDRAWN}\n"


def is_withdrawn(body: str) -> bool:
    """Whether we closed it ourselves."""
    return _WITHDRAWN in body


def _matching(pattern: re.Pattern[str], value: Any) -> str:
    if not pattern.fullmatch(_text(value)):
        raise ValueError("not in its form")
    return _text(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(type(value).__name__)
    return value


def _text_or_none(value: Any) -> str | None:
    return None if value is None else _text(value)
