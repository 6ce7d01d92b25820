"""Programs that keep credentials: `docker-credential-NAME get`, the server on stdin, JSON on stdout.

docker/docker-credential-helpers, README ("Development") and credentials/error.go. Run without a shell. What a helper
says beside its answer is not shown: it may quote what it keeps.
"""

import json
import re

from layering import commands
from layering.errors import InputError, RefusedError, UnavailableError
from layering.registry.credentials import Credential, is_sendable, is_text
from layering.secrets import Secret

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_TIMEOUT_SECONDS = 30.0
_IDENTITY = "<token>"  # instead of a user's name: the secret is an identity token
_NOTHING_KEPT = ("credentials not found", "credentials URL missing")
_LONGEST_ANSWER_BYTES = 256 * 1024


def ask_helper(name: str, server: str, origin: str) -> Credential | None:
    """What `docker-credential-NAME` keeps for a server; None when it keeps nothing.

    `origin` is the file that names it. Raises InputError when the name is none or there is no such program,
    RefusedError when it fails, does not end within 30 s, or answers something else.
    """
    if not _NAME.fullmatch(name):
        raise InputError(f"{name!r} is no name of a credential helper", where=origin)
    program = f"docker-credential-{name}"
    try:
        ended = commands.run(
            [program, "get"],
            stdin=server.encode(),
            timeout_seconds=_TIMEOUT_SECONDS,
            kept_bytes_max=_LONGEST_ANSWER_BYTES,
        )
    except InputError as error:
        error.where = f"{origin}, credential helper for {server}"
        raise
    except UnavailableError as error:
        raise _failed(program, server, origin, error.what) from None
    if not ended.succeeded:
        said = (ended.stdout + ended.stderr).decode("utf-8", "replace")
        if any(text.lower() in said.lower() for text in _NOTHING_KEPT):
            return None
        raise _failed(program, server, origin, f"{program} ended with {ended.returncode}")
    credential = parse_answer(ended.stdout, f"{program} for {server}")
    if credential is None:
        raise _failed(program, server, origin, f"{program} answers something that is no credential")
    return credential


def parse_answer(raw: bytes, source: str) -> Credential | None:
    """The credential in an answer; None when there is none in it that can be sent."""
    try:
        document = json.loads(raw[:_LONGEST_ANSWER_BYTES])
        username, secret = document["Username"], document["Secret"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if not isinstance(username, str) or not isinstance(secret, str) or not secret or not is_text(username + secret):
        return None
    if username == _IDENTITY:
        return Credential(source=source, identity_token=Secret(secret)) if is_sendable(secret) else None
    return Credential(source=source, username=username, password=Secret(secret))


def _failed(program: str, server: str, origin: str, what: str) -> RefusedError:
    return RefusedError(
        what,
        where=f"{origin}, credential helper for {server}",
        next_step=f"see what `echo {server} | {program} get` says",
    )
