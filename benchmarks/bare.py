"""The unit of all ratios: the client's half of one TLS handshake in memory, nothing else."""

import gc
from time import process_time

from OpenSSL import SSL

from prober.lab.certificates import CertificateKind, LabCa
from prober.lab.tls import MODERN, Keyring
from prober.net.tls import TlsClient
from prober.records import Hello


def bare_handshake_s(ca: LabCa, client: TlsClient, rounds: int = 2000) -> float:
    """CPU seconds of the client in one handshake, the mean of *rounds*.

    The same library, context and chain as the prober's: TLS 1.3 with X25519MLKEM768, a chain of
    two P-256 certificates verified against the lab's root.
    """
    server_context = Keyring("mx.bare.test", ca).context(CertificateKind.GOOD, MODERN)
    spent = 0.0
    gc.collect()
    for _ in range(rounds):
        server = SSL.Connection(server_context, None)
        server.set_accept_state()
        spent += _shake_hands(client, server)
    return spent / rounds


def _shake_hands(client: TlsClient, server: SSL.Connection) -> float:
    started = process_time()
    connection = client.connection("mx.bare.test", Hello.DEFAULT)
    _step(connection)
    hello = connection.bio_read(65536)
    spent = process_time() - started
    server.bio_write(hello)
    _step(server)
    flight = server.bio_read(65536)
    started = process_time()
    connection.bio_write(flight)
    _step(connection)
    finished = connection.bio_read(65536)
    spent += process_time() - started
    server.bio_write(finished)
    _step(server)
    return spent


def _step(connection: SSL.Connection) -> None:
    try:
        connection.do_handshake()
    except SSL.WantReadError:
        return
