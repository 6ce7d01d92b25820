"""How a pull request stands, whichever forge it is on, and who does something to it."""

from dataclasses import dataclass

PERSON, STRANGER = "pat", "eve"


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How a pull request stands. `state`: open, closed or merged; `answers`: reactions to comments, not our texts."""

    number: int
    state: str
    title: str
    body: str
    draft: bool
    labels: tuple[str, ...]
    comments: tuple[str, ...]
    answers: int
