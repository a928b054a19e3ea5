"""The trust store: its file, its trust anchors, and its digest for the report."""

import hashlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from OpenSSL import crypto

from prober.errors import SettingsError
from prober.records import TrustStore

log = logging.getLogger(__name__)

_SYSTEM_STORES: Final = (  # where distributions keep the bundle: Debian, Fedora, SUSE, BSD, macOS
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
    "/etc/ssl/cert.pem",
)
_BEGIN: Final = b"-----BEGIN CERTIFICATE-----"
_END: Final = b"-----END CERTIFICATE-----"


def trust_store_digest(ca_file: Path | None) -> str | None:
    """The SHA-256 of the trust store, as a TrustStore has it; None where there is no store."""
    path = find_store(ca_file)
    return None if path is None else hashlib.sha256(_read(path)).hexdigest()


def load_anchors(ca_file: Path | None) -> tuple[list[crypto.X509], TrustStore]:
    """The anchors in *ca_file*, or in the system's store where that is None."""
    path = find_store(ca_file)
    if path is None:
        return [], TrustStore(source=None, certificates=0, sha256=None)
    pem = _read(path)
    anchors = [cert for block in pem_blocks(pem) if (cert := _load_anchor(block))]
    if ca_file and not anchors:
        raise SettingsError(f"{path} holds no certificate in PEM form")
    digest = hashlib.sha256(pem).hexdigest()
    return anchors, TrustStore(source=str(path), certificates=len(anchors), sha256=digest)


def pem_blocks(pem: bytes) -> Iterator[bytes]:
    """The certificates in *pem*, each with its BEGIN and END line. RFC 7468 §2.

    Each byte is searched once, however many BEGIN lines have no END.
    """
    end = 0
    while (begin := pem.find(_BEGIN, end)) >= 0:
        end = pem.find(_END, begin + len(_BEGIN))
        if end < 0:
            return
        end += len(_END)
        yield pem[begin:end]


def find_store(ca_file: Path | None) -> Path | None:
    """Where the trust store is: *ca_file*, or else the system's; None where there is none."""
    return ca_file or next((Path(p) for p in _SYSTEM_STORES if Path(p).is_file()), None)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(f"cannot read the trust store {path}: {error.strerror}") from error


def _load_anchor(block: bytes) -> crypto.X509 | None:
    try:
        return crypto.load_certificate(crypto.FILETYPE_PEM, block)
    except (crypto.Error, ValueError) as error:
        log.warning("a certificate of the trust store cannot be read: %r", error)
        return None
