"""Postfix at the level ``dane`` as a referee: posttls-finger, with a resolv.conf of its own."""

import enum
import re
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.mta import sandbox
from tests.mta.postfix import POSTFIX, write_main_cf

TIMEOUT_S = 120.0  # for a whole run, which takes 0.1 s


class Sender(enum.StrEnum):
    """What Postfix at that level would do with a message."""

    AUTHENTICATES = "authenticates"  # and delivers
    ENCRYPTS = "encrypts"  # and delivers: TLS without authentication by TLSA
    REFUSES = "refuses"  # this server: no TLS, or not by its TLSA records
    DEFERS = "defers"  # a look-up failed


@dataclass(frozen=True)
class Told:
    """What posttls-finger says: in a word, and all it wrote, for a failed assertion."""

    sender: Sender
    output: str


def posttls_finger_dane(destination: str, *, resolver: str, ca_file: Path) -> Told:
    """Ask it about *destination*, a domain and a port.

    It has *ca_file* to trust, so that a certificate without TLSA records is no cause to complain,
    and one with them that do not match still is. Raises ``subprocess.TimeoutExpired``.
    """
    options = ["-l", "dane", "-t5", "-T5", "-Lroutine,certmatch,peercert"]
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "over-etc").mkdir()
        (folder / "over-etc/resolv.conf").write_text(f"nameserver {resolver}\noptions trust-ad\n")
        (folder / "ca.pem").write_bytes(ca_file.read_bytes())
        write_main_cf(folder, "compatibility_level = 3.6\nmyhostname = referee.test\n")
        output = sandbox.run_sandboxed(
            POSTFIX.root,
            folder,
            ["/usr/sbin/posttls-finger", *options, "-F", f"{sandbox.FOLDER}/ca.pem", destination],
            timeout_s=TIMEOUT_S,
            environment={"MAIL_CONFIG": sandbox.FOLDER},
        )
    return Told(_read(output), output)


def _read(output: str) -> Sender:
    """Its summary alone does not say by what it trusts the server: TLSA records, or the CA."""
    if "lookup error" in output or "lookup failed" in output:
        return Sender.DEFERS
    if not re.search("(?:Verified|Trusted) TLS connection established", output):
        return Sender.REFUSES
    return Sender.AUTHENTICATES if "Matched DANE" in output else Sender.ENCRYPTS
