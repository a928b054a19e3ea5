"""The unit of all ratios: the client's half of one TLS handshake in memory, nothing else."""

import gc
import tempfile
from pathlib import Path
from time import process_time
from typing import Final

from OpenSSL import SSL

from prober.lab.certificates import CertificateKind, LabCa
from prober.lab.tls import MODERN, Keyring
from prober.net.tls import TlsClient
from prober.records import Hello

ROUNDS: Final = 400


class BareHandshake:
    """Measures it again and again, so that what is compared with it runs at the same time.

    The same library, context and chain as the prober's: TLS 1.3 with X25519MLKEM768, a chain of
    two P-256 certificates verified against the lab's root.
    """

    def __init__(self) -> None:
        ca = LabCa()
        with tempfile.TemporaryDirectory() as folder:
            ca_file = Path(folder) / "ca.pem"
            ca.write_pem(ca_file)
            self._client = TlsClient(ca_file, chain_certificates=16)
        self._server = Keyring("mx.bare.test", ca).context(CertificateKind.GOOD, MODERN)

    def cpu_s(self, rounds: int = ROUNDS) -> float:
        """CPU seconds of the client in one handshake, the mean of *rounds*."""
        spent = 0.0
        gc.collect()
        for _ in range(rounds):
            server = SSL.Connection(self._server, None)
            server.set_accept_state()
            spent += _shake_hands(self._client, server)
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
    del connection  # a session has to free what it took, too
    spent += process_time() - started
    server.bio_write(finished)
    _step(server)
    return spent


def _step(connection: SSL.Connection) -> None:
    try:
        connection.do_handshake()
    except SSL.WantReadError:
        return
