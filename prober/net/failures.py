"""Turns an exception of a session into the Failure of a record."""

import errno
import socket
import ssl
from typing import Final

import aiosmtplib
from OpenSSL import SSL, crypto

from prober.net.reply import BadReplyError, Reply
from prober.records import Failure, Reason, Step

_BY_ERRNO: Final = {
    errno.ECONNREFUSED: Reason.REFUSED,
    errno.ECONNRESET: Reason.RESET,
    errno.EPIPE: Reason.RESET,
    errno.ECONNABORTED: Reason.RESET,
    errno.ENOTCONN: Reason.RESET,
    errno.ETIMEDOUT: Reason.TIMED_OUT,
    errno.ENETUNREACH: Reason.UNREACHABLE,
    errno.EHOSTUNREACH: Reason.UNREACHABLE,
    errno.ENETDOWN: Reason.UNREACHABLE,
    errno.EHOSTDOWN: Reason.UNREACHABLE,
    errno.ENOPROTOOPT: Reason.UNREACHABLE,  # ICMP "protocol unreachable"
    errno.EPROTO: Reason.UNREACHABLE,
}


class UnwantedReplyError(Exception):
    """A complete reply whose code ends the session."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.text)
        self.reply = reply


class SilentRefusalError(Exception):
    """The server refused a command with *reply*, and did not answer the next one: *error*."""

    def __init__(self, reply: Reply, error: Exception) -> None:
        super().__init__(f"{reply.text}; then nothing more")
        self.reply = reply
        self.error = error


class AlertError(Exception):
    """The peer sent a fatal TLS alert."""


class LimitError(Exception):
    """The peer sent more than a limit allows."""


class NoRouteError(OSError):
    """This machine has no route for that address family."""

    def __init__(self, family: socket.AddressFamily, detail: str) -> None:
        super().__init__(errno.ENETUNREACH, detail)
        self.reason = Reason.NO_IPV6_HERE if family == socket.AF_INET6 else Reason.NO_IPV4_HERE


PEER_ERRORS: Final = (
    OSError,  # TimeoutError and ssl.SSLError too
    SSL.Error,
    crypto.Error,
    aiosmtplib.SMTPException,
    BadReplyError,
    UnwantedReplyError,
    SilentRefusalError,
    AlertError,
    LimitError,
)
"""All exceptions that a peer, or the path to it, can cause in a session."""


def classify(step: Step, error: BaseException) -> Failure:
    """The failure for *error* at *step*. Faults of this machine have reasons of their own."""
    match error:
        case UnwantedReplyError(reply=reply):
            return Failure(
                step=step,
                reason=Reason.BAD_REPLY,
                reply_code=reply.code,
                detail=reply.text[:200],
            )
        case SilentRefusalError(reply=reply, error=cause):
            reason = classify(step, cause).reason
            if reason is Reason.BAD_REPLY:  # a 421: the server closes its service
                reason = Reason.CLOSED
            return Failure(step=step, reason=reason, reply_code=reply.code, detail=str(error)[:200])
        case NoRouteError(reason=no_route):
            reason = no_route
        case BadReplyError():
            reason = Reason.BAD_REPLY
        case AlertError():
            reason = Reason.ALERT
        case LimitError():
            reason = Reason.LIMIT
        case TimeoutError() | aiosmtplib.SMTPTimeoutError():
            return Failure(step=step, reason=Reason.TIMED_OUT)
        case aiosmtplib.SMTPServerDisconnected():
            return _classify_disconnect(step, error)
        case SSL.Error() | crypto.Error() | ssl.SSLError():
            reason = Reason.TLS_ERROR
        case OSError():
            reason = _BY_ERRNO.get(error.errno or 0, Reason.LOCAL)
        case _:
            reason = Reason.LOCAL
    return Failure(step=step, reason=reason, detail=_describe(error))


def _classify_disconnect(step: Step, error: BaseException) -> Failure:
    """aiosmtplib keeps the error of the transport, if any, as the cause."""
    if isinstance(error.__cause__, OSError):
        return classify(step, error.__cause__)
    return Failure(step=step, reason=Reason.CLOSED)


def _describe(error: BaseException) -> str | None:
    if isinstance(error, SSL.Error):
        return _openssl_reason(error)
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text[:200] or None


def _openssl_reason(error: SSL.Error) -> str | None:
    """OpenSSL's reason, such as ``wrong version number``."""
    match error.args:
        case ([*_, (*_, reason)],):
            return str(reason)
        case (*_, str(reason)):
            return reason
        case _:
            return None
