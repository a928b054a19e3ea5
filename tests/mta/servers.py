"""The mail servers under test, and all their variants."""

import os
from typing import get_args

import pytest

from tests.mta import sandbox
from tests.mta.base import MtaNotStarted, MtaServer, RunningMta, Tls, running
from tests.mta.exim import EXIM
from tests.mta.nodemailer import NODEMAILER
from tests.mta.opensmtpd import OPENSMTPD
from tests.mta.postfix import POSTFIX
from tests.mta.sendmail import SENDMAIL

__all__ = [
    "CASES",
    "SERVERS",
    "MtaNotStarted",
    "MtaServer",
    "RunningMta",
    "Tls",
    "require",
    "running",
]

SERVERS = {server.name: server for server in (POSTFIX, EXIM, SENDMAIL, OPENSMTPD, NODEMAILER)}

CASES: tuple[tuple[str, Tls], ...] = tuple((name, tls) for name in SERVERS for tls in get_args(Tls))


def require(server: MtaServer) -> None:
    """Skip the test if *server* cannot run here; in CI, where it must, fail it."""
    if not sandbox.is_root():
        pytest.skip("real mail servers need root, for namespaces of their own")
    if not server.installed_program.exists():
        reason = f"{server.name} is not there: run tests/mta/install"
    elif (obstacle := sandbox.why_no_namespaces()) is not None:
        reason = f"no namespaces here: {obstacle}"
    else:
        return
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
