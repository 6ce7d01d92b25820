"""Reading what a registry answers: whole or as it comes, never longer than wanted, never later than the deadline.

Bodies are read undecoded, because their bytes are what digests are of. What they mean is not this module's business.
"""

import base64
import binascii
import contextlib
import json
from collections.abc import Iterator

import urllib3
from urllib3.util import parse_url

from layering.errors import ContentError, UnavailableError
from layering.registry.challenge import parse_challenges
from layering.registry.deadline import Deadline
from layering.registry.failures import translated
from layering.registry.response import Response

_CHUNK_BYTES = 64 * 1024
_ERROR_BODY_BYTES_MAX = 64 * 1024
_ERROR_TEXT_LENGTH_MAX = 300
_LEFT_OVER_BYTES_MAX = 64 * 1024
_PIECES_FREE = 20_000
_PIECE_BYTES_LEAST = 16  # on average


class BrokenOffError(UnavailableError):
    """An answer began and did not come to its end; who asked may ask again."""


def body(response: Response, *, limit_bytes: int, deadline: Deadline) -> bytes:
    """The whole body. Raises ContentError when it is longer than `limit_bytes`, else what `chunks` raises."""
    parts: list[bytes] = []
    length = 0
    for chunk in chunks(response, deadline=deadline):
        length += len(chunk)
        if length > limit_bytes:
            raise ContentError(f"the answer is longer than {limit_bytes} bytes", where=host_of(response))
        parts.append(chunk)
    return b"".join(parts)


def chunks(response: Response, *, deadline: Deadline) -> Iterator[bytes]:
    """The body as it comes. Raises BrokenOffError when it breaks off, UnavailableError when it takes too long, and
    ContentError when it is not HTTP or comes in crumbs, each of which takes time of ours.
    """
    where = host_of(response)
    pieces = length = 0
    while True:
        deadline.remaining(where)
        try:
            chunk = response.raw.read1(_room(response), decode_content=False)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            deadline.remaining(where)
            failure = translated(error, where)
            if isinstance(failure, ContentError):
                raise failure from None
            raise BrokenOffError(f"the answer breaks off: {failure.what}", where=where) from None
        if not chunk:
            deadline.remaining(where)  # the watchdog's end of a connection looks like the answer's own
            return
        pieces, length = pieces + 1, length + len(chunk)
        if pieces > _PIECES_FREE and length < pieces * _PIECE_BYTES_LEAST:
            raise ContentError("the answer comes in pieces of a few bytes", where=where)
        yield chunk


def _room(response: Response) -> int:
    """Bytes to ask for at once: so much memory is taken, whatever comes. One more than are left sees the end, too."""
    left = response.raw.length_remaining
    return _CHUNK_BYTES if left is None else min(_CHUNK_BYTES, max(left, 0) + 1)


def give_back(response: Response) -> None:
    """End with an answer. What little is left of it is read, so that its connection serves the next request too."""
    left = response.raw.length_remaining
    if left is None or left <= _LEFT_OVER_BYTES_MAX:
        with contextlib.suppress(urllib3.exceptions.HTTPError, OSError):  # then it is closed, as follows
            response.raw.read(_LEFT_OVER_BYTES_MAX, decode_content=False)
    response.raw.close()
    response.raw.release_conn()


def error_text(response: Response, deadline: Deadline) -> str:
    """What the registry says of a refusal (distribution-spec, error codes), as one short printable line, or "".

    OpenShift's registry says only in its challenge that access is denied (RFC 6750 section 3, `error`). What we sent as
    authorization is taken out of it: some services quote it.
    """
    try:
        raw = body(response, limit_bytes=_ERROR_BODY_BYTES_MAX, deadline=deadline)
        errors = json.loads(raw)["errors"]
        said = [f"{error.get('code', '')} {error.get('message', '')}".strip() for error in errors]
    except (ContentError, UnavailableError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        said = []
    challenges = parse_challenges(response.headers.getlist("WWW-Authenticate"))
    said += [challenge.parameters["error"] for challenge in challenges if "error" in challenge.parameters]
    text = "; ".join(said)
    for secret in _sent(response):
        text = text.replace(secret, "***")
    return "".join(character for character in text if character.isprintable())[:_ERROR_TEXT_LENGTH_MAX]


def host_of(response: Response) -> str:
    """HOST[:PORT] that answered."""
    return parse_url(response.url).netloc or ""


def _sent(response: Response) -> Iterator[str]:
    """The secrets of the request's Authorization header: as sent, and the password in it."""
    scheme, _, value = response.asked.get("Authorization", "").partition(" ")
    if not value:
        return
    yield value
    if scheme == "Basic":
        try:
            password = base64.b64decode(value).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return
        if password:
            yield password
