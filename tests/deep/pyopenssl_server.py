"""A TLS server of pyOpenSSL: port, folder with keys, kind of certificate, groups, versions."""

import socket
import sys
import threading
from pathlib import Path

from cryptography.hazmat.bindings.openssl.binding import Binding
from OpenSSL import SSL


def main(port: str, folder: str, kind: str, groups: str, lowest: str) -> None:
    """Serve for ever. The groups are OpenSSL's list, which pyOpenSSL has no call for."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_cipher_list(b"ALL:@SECLEVEL=0")
    context.set_min_proto_version(getattr(SSL, lowest))
    context.use_certificate_file(str(Path(folder) / f"{kind}.pem"))
    context.use_privatekey_file(str(Path(folder) / f"{kind}.key"))
    if not Binding.lib.SSL_CTX_set1_curves_list(context._context, groups.encode()):
        raise SystemExit(f"unknown groups: {groups}")
    listener = socket.create_server(("127.0.0.1", int(port)))
    while True:
        client, _ = listener.accept()
        threading.Thread(target=serve, args=(context, client), daemon=True).start()


def serve(context: SSL.Context, client: socket.socket) -> None:
    """One handshake, and what follows it is not answered."""
    with client:
        connection = SSL.Connection(context, client)
        connection.set_accept_state()
        try:
            connection.do_handshake()
            while connection.recv(4096):
                pass
        except (SSL.Error, OSError):
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
