"""A TLS server of tlslite-ng: port, folder with keys, then settings as JSON.

It has what OpenSSL has no more: SSL 3.0, RC4 and 3DES. Its names are those of HandshakeSettings.
"""

import json
import socket
import sys
import threading
from pathlib import Path
from typing import Any

from tlslite.api import HandshakeSettings, TLSConnection, X509CertChain, parsePEMKey


def main(port: str, folder: str, options: str) -> None:
    """Serve for ever."""
    given: dict[str, Any] = json.loads(options)
    kind = given.pop("kind", "rsa")
    anonymous = given.pop("anonymous", False)
    settings = HandshakeSettings()
    for name, value in given.items():
        setattr(
            settings,
            name,
            tuple(value) if isinstance(value, list) and name.endswith("Version") else value,
        )
    chain = X509CertChain()
    chain.parsePemList((Path(folder) / f"{kind}.pem").read_text())
    key = parsePEMKey((Path(folder) / f"{kind}.key").read_text(), private=True)
    who = {"anon": True} if anonymous else {"certChain": chain, "privateKey": key}
    listener = socket.create_server(("127.0.0.1", int(port)))
    while True:
        client, _ = listener.accept()
        threading.Thread(target=serve, args=(client, settings, who), daemon=True).start()


def serve(client: socket.socket, settings: HandshakeSettings, who: dict[str, Any]) -> None:
    """One handshake; what follows is not answered."""
    with client:
        connection = TLSConnection(client)
        connection.closeSocket = False
        try:
            connection.handshakeServer(settings=settings, **who)
            while connection.read(4096):
                pass
        except Exception:  # a client that breaks off is no concern here
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
