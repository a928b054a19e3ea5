"""One table from what went wrong to the reason that is kept."""

import errno
import socket

import aiosmtplib
import pytest
from OpenSSL import SSL, crypto

from prober.net.failures import AlertError, NoRouteError, UnwantedReplyError, classify
from prober.net.reply import BadReplyError, Reply
from prober.records import Reason, Step


def disconnected(cause: OSError | None) -> Exception:
    error = aiosmtplib.SMTPServerDisconnected("Connection lost")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.EMFILE, "x"), Reason.LOCAL),
        (OSError(errno.EADDRNOTAVAIL, "x"), Reason.LOCAL),
        (PermissionError(errno.EPERM, "x"), Reason.LOCAL),
        (OSError("no errno"), Reason.LOCAL),
        (NoRouteError(socket.AF_INET6, "x"), Reason.NO_IPV6_HERE),
        (NoRouteError(socket.AF_INET, "x"), Reason.NO_IPV4_HERE),
        (crypto.Error([("x509", "", "bad")]), Reason.TLS_ERROR),
        (SSL.Error([]), Reason.TLS_ERROR),
        (OSError(errno.ENETUNREACH, "x"), Reason.UNREACHABLE),
        (OSError(errno.EHOSTUNREACH, "x"), Reason.UNREACHABLE),
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), Reason.REFUSED),
        (ConnectionResetError(errno.ECONNRESET, "x"), Reason.RESET),
        (BrokenPipeError(errno.EPIPE, "x"), Reason.RESET),
        (TimeoutError(), Reason.TIMED_OUT),
        (OSError(errno.ETIMEDOUT, "x"), Reason.TIMED_OUT),
        (aiosmtplib.SMTPReadTimeoutError("x"), Reason.TIMED_OUT),
        (disconnected(None), Reason.CLOSED),
        (disconnected(ConnectionResetError(errno.ECONNRESET, "x")), Reason.RESET),
        (BadReplyError("x"), Reason.BAD_REPLY),
        (AlertError("handshake_failure"), Reason.ALERT),
        (SSL.Error([("SSL routines", "", "wrong version number")]), Reason.TLS_ERROR),
        (SSL.Error(), Reason.TLS_ERROR),
        (SSL.SysCallError(-1, "Unexpected EOF"), Reason.TLS_ERROR),
        (aiosmtplib.SMTPException("what else"), Reason.LOCAL),
    ],
)
def test_reasons(error: Exception, reason: Reason) -> None:
    failure = classify(Step.EHLO, error)
    assert (failure.step, failure.reason) == (Step.EHLO, reason)


def test_a_reply_keeps_its_code_and_text() -> None:
    failure = classify(Step.GREETING, UnwantedReplyError(Reply(code=421, lines=("a", "b"))))
    assert (failure.reason, failure.reply_code) == (Reason.BAD_REPLY, 421)
    assert failure.detail == "421 a / b"


def test_the_detail_of_openssl_is_its_own_word() -> None:
    error = SSL.Error([("SSL routines", "", "first"), ("SSL routines", "", "last")])
    assert classify(Step.HANDSHAKE, error).detail == "last"
    assert classify(Step.HANDSHAKE, SSL.Error([])).detail is None
    assert (
        classify(Step.HANDSHAKE, SSL.SysCallError(-1, "Unexpected EOF")).detail == "Unexpected EOF"
    )


def test_details_are_bounded() -> None:
    long = Reply(code=554, lines=("x" * 8000,))
    for error in (UnwantedReplyError(long), BadReplyError("x" * 8000), OSError(5, "x" * 8000)):
        detail = classify(Step.EHLO, error).detail
        assert detail is not None
        assert len(detail) <= 200
