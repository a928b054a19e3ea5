"""Every case of a chain against TLSA records that the rules are tested by, put to OpenSSL too.

Postfix, Exim and most other senders verify DANE with it. It is asked as ``openssl s_client``, which
speaks TLS to a server here that sends the chain, and is told the records and the time.
"""

import contextlib
import socket
import subprocess
import threading
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from OpenSSL import SSL

from prober.records import Dane, TlsaRecord
from tests.dnssec.nameservers import require_openssl
from tests.rules.certificates import NOW, Issued
from tests.rules.dane_cases import CASES, Case

TIMEOUT_S = 60.0  # for a whole run, which takes 0.03 s


def is_for_s_client(record: TlsaRecord) -> bool:
    """It knows the PKIX usages, which SMTP does not (RFC 7672 §3.1.3), and takes no empty data."""
    return record.usage not in (0, 1) and record.data != b""


FOR_OPENSSL = [case for case in CASES if all(map(is_for_s_client, case.records))]


@pytest.mark.parametrize("case", FOR_OPENSSL, ids=lambda case: case.id)
def test_openssl_agrees(case: Case) -> None:
    require_openssl()
    with serving(case.chain) as port:
        output = s_client(port, case.base, case.records)
    assert read(output, case.records) is case.expected, output


@contextlib.contextmanager
def serving(chain: tuple[Issued, ...]) -> Iterator[int]:
    """Serve one TLS connection with *chain*, and give the port."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    key = chain[0].key
    assert isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
    context.use_privatekey(key)
    context.use_certificate(chain[0].certificate)
    for issuer in chain[1:]:
        context.add_extra_chain_cert(issuer.certificate)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(TIMEOUT_S)
        thread = threading.Thread(target=_serve_one, args=(listener, context))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)  # it does not come where no record is usable
            thread.join()


def _serve_one(listener: socket.socket, context: SSL.Context) -> None:
    with contextlib.suppress(OSError, SSL.Error), listener.accept()[0] as connection:
        tls = SSL.Connection(context, connection)
        tls.set_accept_state()
        tls.do_handshake()
        tls.recv(1)  # until the client has gone


def s_client(port: int, base: str, records: tuple[TlsaRecord, ...]) -> str:
    """What it says of the server at *port*. Raises ``subprocess.TimeoutExpired``."""
    options = ["-connect", f"127.0.0.1:{port}", "-brief", "-attime", f"{NOW.timestamp():.0f}"]
    options += ["-dane_tlsa_domain", base, "-dane_ee_no_namechecks"]  # RFC 7672 §3.1.1
    for record in records:
        numbers = f"{record.usage} {record.selector} {record.matching_type}"
        options += ["-dane_tlsa_rrdata", f"{numbers} {record.data.hex()}"]
    return subprocess.run(
        ["openssl", "s_client", *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=TIMEOUT_S,
        check=False,
        encoding="utf-8",
        errors="replace",
    ).stdout


def read(output: str, records: tuple[TlsaRecord, ...]) -> Dane:
    if output.count("unusable TLSA rrdata") == len(records):
        return Dane.UNUSABLE
    matched = "Verification: OK" in output and "DANE TLSA " in output
    return Dane.MATCH if matched else Dane.MISMATCH
