"""Who may ask for a look at once: a person or a job with the token, or a registry by its hook.

A look is all that comes of it: no fact is taken from what was posted, so that one that is forged or sent again costs a
look at most. However many ask, there is at most one in ten seconds.
"""

import hashlib
import hmac
import logging
import threading
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

from watcher.listener import Answer, Posted
from watcher.settings_http import Hook, Http

_log = logging.getLogger("layerwatch.looknow")
_APART_SECONDS = 10.0
_SECRET_BYTES_MAX = 64 * 1024
_LOOK = "/look"
_HOOK = "/hook/"
_GITHUBS_SIGNATURE = "x-hub-signature-256"  # docs.github.com, "Validating webhook deliveries"


class LookNow:
    """Answers what is posted. `look_in` asks for one look, so many seconds from now; it may be called by any thread."""

    def __init__(self, http: Callable[[], Http], look_in: Callable[[float], None], clock: Callable[[], float]) -> None:
        self._http = http
        self._look_in = look_in
        self._clock = clock
        self._next = float("-inf")  # before this, a look that was asked for is still to come or has just been
        self._guard = threading.Lock()

    def __call__(self, posted: Posted) -> Answer:
        """202, 401, or 404 for what is not configured or not known, which is told apart for nobody."""
        http = self._http()
        if posted.path == _LOOK and http.look is not None:
            return self._answer("/look", _has_token(posted, http.look.token_file))
        for hook in http.hooks:
            if _is_path_of(hook, posted.path):
                return self._answer(f"hook {hook.name}", hook.type != "github" or _is_signed(posted, hook))
        return Answer.text(HTTPStatus.NOT_FOUND, "there is nothing to post to")

    def _answer(self, who: str, may: bool) -> Answer:
        if not may:
            _log.warning("%s: a request without the right secret", who)
            return Answer.text(HTTPStatus.UNAUTHORIZED, "not with this secret")
        _log.info("%s asks for a look", who)
        self._ask()
        return Answer.text(HTTPStatus.ACCEPTED, "looking")

    def _ask(self) -> None:
        """One look now, or one when ten seconds are over; those who ask in between are answered by that one."""
        with self._guard:
            now = self._clock()
            if now < self._next - _APART_SECONDS:
                return  # one is to come already
            at = max(now, self._next)
            self._next = at + _APART_SECONDS
        self._look_in(at - now)


def hook_path(name: str, secret: str) -> str:
    """Where a hook is posted to."""
    return _HOOK + hashlib.sha256((name + secret).encode()).hexdigest()


def _is_path_of(hook: Hook, path: str) -> bool:
    secret = _secret(hook.secret_file)
    return secret is not None and hmac.compare_digest(path.encode(), hook_path(hook.name, secret).encode())


def _has_token(posted: Posted, file: Path) -> bool:
    scheme, _, token = posted.headers.get("authorization", "").partition(" ")
    known = _secret(file)
    return known is not None and scheme.lower() == "bearer" and hmac.compare_digest(token.encode(), known.encode())


def _is_signed(posted: Posted, hook: Hook) -> bool:
    secret = _secret(hook.secret_file) or ""
    made = "sha256=" + hmac.new(secret.encode(), posted.read(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(posted.headers.get(_GITHUBS_SIGNATURE, "").encode(), made.encode())


def _secret(file: Path) -> str | None:
    """What is in the file now; None, which nothing equals, when that is nothing or cannot be read."""
    try:
        with file.open("rb") as opened:
            raw = opened.read(_SECRET_BYTES_MAX)
        return raw.decode().rstrip("\r\n") or None
    except (OSError, UnicodeDecodeError) as error:
        _log.error("%s cannot be read: %s", file, type(error).__name__)
        return None
