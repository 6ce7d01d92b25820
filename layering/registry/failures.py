"""What the errors of urllib3 and ssl mean to whoever must act.

Their texts may hold URLs with secrets, so only the reason at the bottom of them is kept. This module raises nothing.
"""

import http.client
import socket
import ssl

from urllib3.exceptions import InvalidHeader, NameResolutionError, NewConnectionError, ProxyError
from urllib3.exceptions import TimeoutError as LibraryTimeoutError

from layering.causes import causes
from layering.errors import ContentError, RefusedError, UnavailableError

# OpenSSL's words, which differ between its versions, for an answer that is no TLS.
_NO_TLS = {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST"}
# OpenSSL, x509_vfy.h: X509_V_ERR_CERT_NOT_YET_VALID, _HAS_EXPIRED, _HOSTNAME_MISMATCH, _IP_ADDRESS_MISMATCH
_NO_MATTER_OF_AUTHORITY = {9, 10, 62, 64}


def translated(error: Exception, where: str) -> RefusedError | UnavailableError | ContentError:
    """Our error for one of theirs: UnavailableError only for what trying again may mend."""
    found = causes(error)
    for cause in found:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _untrusted(cause, where)
        if isinstance(cause, ssl.SSLError) and cause.reason in _NO_TLS:
            return RefusedError(
                "it does not speak TLS",
                where=where,
                next_step="if it is your own and plain http is wanted, name it with --insecure-registry"
                " (registries.insecure in the configuration)",
            )
    if any(_is_malformed(cause) for cause in found):
        return ContentError("the answer is not HTTP as it should be", where=where)
    detail = getattr(found[-1], "strerror", None) or type(found[-1]).__name__
    if any(map(is_timeout, found)):
        detail = "no answer in time"
    culprit = "the proxy" if any(isinstance(cause, ProxyError) for cause in found) else "the registry"
    unresolved = any(isinstance(cause, socket.gaierror | NameResolutionError) for cause in found)
    return UnavailableError(
        f"{culprit} cannot be reached: {detail}",
        where=where,
        next_step="check the name, DNS and the proxy" if unresolved else "see whether it is up; then try again",
    )


def is_timeout(cause: BaseException) -> bool:
    """Whether no answer came in time. urllib3 counts connections that were refused among those."""
    return isinstance(cause, LibraryTimeoutError | TimeoutError) and not isinstance(cause, NewConnectionError)


def _untrusted(cause: ssl.SSLCertVerificationError, where: str) -> RefusedError:
    if cause.verify_code in _NO_MATTER_OF_AUTHORITY:
        next_step = "reach it by a name that its certificate is for, or have the certificate renewed"
    else:
        next_step = "name the authority's certificate with --ca-file (registries.caFile in the configuration)"
    return RefusedError(f"its certificate is not trusted: {cause.verify_message}", where=where, next_step=next_step)


def _is_malformed(cause: BaseException) -> bool:
    """Whether an answer came, and can be none. A status line without an end was cut off, and may be whole next time."""
    if isinstance(cause, http.client.BadStatusLine):
        return str(cause.args[0]).endswith("\n")
    malformed = (http.client.LineTooLong, http.client.UnknownProtocol, InvalidHeader)
    return isinstance(cause, malformed) or type(cause) is http.client.HTTPException  # that of too many headers
