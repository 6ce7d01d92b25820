"""How proposals are presented, and when they may be made: the keys of `proposalDefaults` and of each proposal."""

import re
from datetime import time
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, StrictBool, WithJsonSchema

from layering.fields import STRICT, Name, Text
from layering.forge.manners import Manners, check_name, check_reviewer, check_title
from layering.window import ALL_DAYS, Day, Window, time_zone
from watcher.settings_fields import said

_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]"
_DAYS = tuple(day.name.lower() for day in Day)


def _time(value: Any) -> time:
    if isinstance(value, time):
        return value
    if not isinstance(value, str) or not re.fullmatch(_TIME, value):
        raise ValueError('must be a time from "00:00" to "23:59", in quotes')
    return time.fromisoformat(value)


def _days(value: Any) -> frozenset[Day]:
    if isinstance(value, frozenset):
        return value
    if not isinstance(value, list | tuple) or not value or not set(map(str, value)) <= set(_DAYS):
        raise ValueError(f"must be a list of {', '.join(_DAYS)}")
    return frozenset(Day[str(day).upper()] for day in value)


_Time = Annotated[time, BeforeValidator(_time), WithJsonSchema({"type": "string", "pattern": f"^{_TIME}$"})]
_Zone = Annotated[Any, BeforeValidator(said(time_zone)), WithJsonSchema({"type": "string"})]
_Days = Annotated[
    frozenset[Day],
    BeforeValidator(_days),
    WithJsonSchema({"type": "array", "minItems": 1, "items": {"enum": list(_DAYS)}}),
]
_Named = Annotated[Text, AfterValidator(said(check_name))]
_Reviewer = Annotated[Text, AfterValidator(said(check_reviewer))]
_Title = Annotated[str, BeforeValidator(said(check_title)), WithJsonSchema({"type": "string", "minLength": 1})]


class WindowEntry(BaseModel):
    """A maintenance window."""

    model_config = STRICT

    days: _Days = Field(
        default=ALL_DAYS,
        description="The days on which it begins; all of them without it.",
        json_schema_extra={"default": list(_DAYS)},
    )
    start: _Time = Field(alias="from", description="When it begins, in quotes.")
    end: _Time = Field(alias="to", description="When it ends; on the next day when that is not later.")
    zone: _Zone = Field(
        default="UTC", validate_default=True, alias="timeZone", description="As in Europe/Berlin; UTC without it."
    )

    @property
    def window(self) -> Window:
        """The same, as decisions take it."""
        return Window(start=self.start, end=self.end, zone=self.zone, days=self.days)


class ProposalManners(BaseModel):
    """What goes for all proposals that do not say otherwise. A repository on this machine has but title and windows."""

    model_config = STRICT

    labels: tuple[_Named, ...] = Field(default=(), description="Labels; one that is missing is made.")
    reviewers: tuple[_Reviewer, ...] = Field(default=(), description="Who is asked for a review; team:SLUG is a team.")
    assignees: tuple[_Named, ...] = Field(default=(), description="Assignees.")
    milestone: _Named | None = Field(default=None, description="The title of an open milestone.")
    draft: StrictBool = Field(default=False, description="Open it as a draft.")
    title: _Title | None = Field(
        default=None, description="Its title, with {cluster}, {pool}, {image}, {version} and {digest12} filled in."
    )
    group: Name | None = Field(
        default=None,
        description="Proposals of one group into one branch of a repository share a branch and a pull request: with "
        "the labels, reviewers and assignees of all, the first milestone and title, a draft when one says so.",
    )
    windows: tuple[WindowEntry, ...] = Field(
        default=(), description="When it may be opened, or moved to a newer image; always without any."
    )
    hold: Literal["completed", "none"] = Field(
        default="completed",
        description="completed: only when the cluster's update is; none: at once, opened as a draft before that.",
    )

    @property
    def manners(self) -> Manners:
        """What a forge is asked to set. Of a group others' updates may be on their way."""
        return Manners(
            labels=self.labels,
            reviewers=self.reviewers,
            assignees=self.assignees,
            milestone=self.milestone,
            draft=self.draft,
            draft_optional=self.hold == "completed" and self.group is None,
            title=self.title,
        )

    @property
    def open_windows(self) -> tuple[Window, ...]:
        """The windows, as decisions take them."""
        return tuple(entry.window for entry in self.windows)
