"""What a cluster's refusals, and the errors of the connection to it, mean to whoever must act.

The one place where they are told apart. Texts are cut, made printable, and rid of what could be a credential.
"""

import json
import ssl
from typing import Any

import urllib3

from layering.causes import causes
from layering.errors import (
    ConflictError,
    ContentError,
    InputError,
    LayerwatchError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from layering.reasons import Reason
from layering.secrets import redact

_SAID_LENGTH_MAX = 400
_RIGHTS_HINT = "grant it; the ClusterRole and Roles in deploy/ list every right that layerwatch needs"


class ExpiredError(UnavailableError):
    """410: what a watch should go on from is forgotten; list, and watch from there."""


def refused(status: int, body: bytes, where: str, retry_after: str = "") -> LayerwatchError:
    """Our error for an answer that is not 2xx. `body` is a metav1.Status, or any text."""
    answer = _status(body)
    said = _printable(str(answer.get("message") or "")) or f"HTTP {status}"
    if status == 404:
        return _missing(answer, said, where)
    if status in _REFUSALS:
        return _refusal(status, said, where)
    if status == 409:
        return ConflictError(f"somebody else was there first: {said}", where=where)
    if status == 410:
        return ExpiredError(f"too old: {said}", where=where, reason=Reason.UNREACHABLE)
    if status == 429:
        wait = f"; it asks to wait {retry_after} s" if retry_after.isdecimal() and len(retry_after) < 6 else ""
        return UnavailableError(
            f"the cluster asks for fewer requests (429){wait}",
            where=where,
            next_step="it is tried again by itself; look at the cluster's FlowSchemas if it lasts",
            reason=Reason.THROTTLED,
        )
    if status >= 500:
        return UnavailableError(
            f"the cluster failed for now ({status}): {said}",
            where=where,
            next_step="see whether its API server and etcd are up",
            reason=Reason.UNREACHABLE,
        )
    if status >= 400:
        return InputError(f"the cluster does not take it ({status}): {said}", where=where)
    return not_kubernetes(where, f"it answers {status}")


_REFUSALS = (401, 403)


def _refusal(status: int, said: str, where: str) -> RefusedError:
    if status == 401:
        return RefusedError(
            "the cluster does not take our token (401)",
            where=where,
            next_step="renew the token in the kubeconfig, or the pod's ServiceAccount token; it may have expired",
            reason=Reason.UNAUTHORIZED,
        )
    return RefusedError(f"not allowed (403): {said}", where=where, next_step=_RIGHTS_HINT, reason=Reason.FORBIDDEN)


def _missing(answer: dict[str, Any], said: str, where: str) -> NotFoundError:
    """The API server names the object that is missing; where it has no such API there is nothing to name."""
    details = answer.get("details")
    if isinstance(details, dict) and details.get("name"):
        return NotFoundError(f"there is none: {said}", where=where, reason=Reason.NOT_FOUND)
    return NotFoundError(
        "the cluster has no such API (404)",
        where=where,
        next_step="see whether this is the right cluster, and whether what brings the API is installed",
        reason=Reason.API_MISSING,
    )


def not_kubernetes(where: str, detail: str) -> ContentError:
    """What answers is no Kubernetes API: a login page, a proxy."""
    return ContentError(
        f"this is no answer of a Kubernetes API: {detail}",
        where=where,
        next_step="see whether the address is the API server's, and whether a proxy answers in its place",
    )


def timed_out(seconds: float, where: str) -> UnavailableError:
    """No answer, or not all of it, within the limit."""
    return UnavailableError(
        f"the cluster did not answer within {seconds:.3g} s",
        where=where,
        next_step="see whether its API server hangs; a longer limit is daemon.apiTimeout",
        reason=Reason.TIMED_OUT,
    )


def disconnected(error: Exception, seconds: float, where: str) -> UnavailableError:
    """Our error for one of the connection's. Only the reason at the bottom of it is kept."""
    found = causes(error)
    if any(_is_timeout(cause) for cause in found):
        return timed_out(seconds, where)
    next_step = "see whether the API server is up, and its address right"
    for cause in found:
        if isinstance(cause, ssl.SSLCertVerificationError):
            detail = f"its certificate is not trusted: {cause.verify_message}"
            next_step = "put the authority of its certificate into the kubeconfig, or reach it by its right name"
            break
    else:
        detail = _detail(found)
    return UnavailableError(
        f"the cluster cannot be reached: {detail}", where=where, next_step=next_step, reason=Reason.UNREACHABLE
    )


def _detail(found: list[BaseException]) -> str:
    said = [cause.strerror for cause in found if isinstance(cause, OSError) and cause.strerror]
    if said:
        return said[-1]
    is_broken = any(isinstance(cause, urllib3.exceptions.ProtocolError) for cause in found)
    return "the connection broke off" if is_broken else type(found[-1]).__name__


def _is_timeout(cause: BaseException) -> bool:
    """urllib3 calls a refused connection a timeout too."""
    if isinstance(cause, urllib3.exceptions.NewConnectionError):
        return False
    return isinstance(cause, TimeoutError | urllib3.exceptions.TimeoutError)


def _status(body: bytes) -> dict[str, Any]:
    """The answer as metav1.Status; empty for any other text."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _printable(text: str) -> str:
    text = "".join(character if character.isprintable() else " " for character in redact(text))
    return text if len(text) <= _SAID_LENGTH_MAX else f"{text[:_SAID_LENGTH_MAX]}…"
