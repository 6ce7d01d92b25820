"""Closes pull requests: what people told us to, and what stands in the place of ours. Nothing is judged here."""

from dataclasses import replace

from layering.errors import ConflictError
from layering.forge.commands import Command
from layering.forge.exchange import LostAnswerError
from layering.forge.judgement import Seen
from layering.forge.marker import Marker, with_marker, withdrawn, without_marker
from layering.forge.pullrequest import PullRequest
from layering.forge.remoterepository import RemoteRepository

_ROOM = 500  # of what is added
_BECAUSE = "Closed by layerwatch: this branch has one pull request at a time, opened by an account that may push here."


class Moved(Exception):  # noqa: N818 it is no error: look again
    """Something was moved by somebody else, or may have been by us: look again."""


def ignore(repository: RemoteRepository, pull: PullRequest, command: Command) -> None:
    """Close it for this key, as a person who may push told us. Raises Moved when it was merged meanwhile."""
    marker = Marker.parse(pull.body)
    body = None
    if marker is not None:
        ignored = replace(marker, ignored=True, handled=command.comment.id, written=repository.host.now())
        body = with_marker(without_marker(pull.body), ignored)
    _close(repository, pull, body)
    acknowledge(repository, pull, command)


def acknowledge(repository: RemoteRepository, pull: PullRequest, command: Command) -> None:
    """Answer it. Once more when nobody knows whether that arrived: the same reaction twice is one."""
    try:
        repository.host.acknowledge(repository.name, pull.number, command.comment)
    except LostAnswerError:
        repository.host.acknowledge(repository.name, pull.number, command.comment)


def close_doubles(repository: RemoteRepository, seen: Seen) -> None:
    """Close what stands in the place of ours. Without their markers: nobody refused a key by that. Raises Moved."""
    for pull in seen.doubles:
        text = without_marker(pull.body)[: repository.host.body_length_max - _ROOM]
        _close(repository, pull, withdrawn(f"{_BECAUSE}\n\n{text}"))


def _close(repository: RemoteRepository, pull: PullRequest, body: str | None) -> None:
    try:
        closed = repository.host.edit(repository.name, pull, body=body, closed=True)
    except ConflictError as error:
        raise Moved from error
    repository.pulls.take(closed)
