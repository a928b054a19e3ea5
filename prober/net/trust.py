"""The trust store: its file, its anchors, its digest for the report, and paths to the anchors."""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from cryptography.hazmat.bindings.openssl.binding import Binding
from OpenSSL import SSL, crypto

from prober.errors import SettingsError
from prober.files import why_unreadable
from prober.records import TrustStore, VerifyError

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
_EXPIRED: Final = 10  # X509_V_ERR_CERT_HAS_EXPIRED
LEAF_DATES: Final = (9, _EXPIRED)  # the other: X509_V_ERR_CERT_NOT_YET_VALID
_UNREADABLE: Final = 1  # X509_V_ERR_UNSPECIFIED
_NO_CHECK_TIME: Final = 0x200000  # X509_V_FLAG_NO_CHECK_TIME, which pyOpenSSL does not name
_VERIFY_TEXTS: Final = {
    code: name.removeprefix("ERR_").replace("_", " ").lower()
    for name, code in vars(SSL.X509VerificationCodes).items()
    if name.startswith("ERR_")
}


def trust_store_digest(ca_file: Path | None) -> str | None:
    """The SHA-256 of the trust store, as in TrustStore; None if there is no store."""
    path = find_store(ca_file)
    return None if path is None else hashlib.sha256(_read(path)).hexdigest()


def load_anchors(ca_file: Path | None) -> tuple[list[crypto.X509], TrustStore]:
    """The anchors in *ca_file*, or in the store of the system if that is None."""
    path = find_store(ca_file)
    if path is None:
        return [], TrustStore(source=None, certificates=0, sha256=None)
    pem = _read(path)
    anchors = [cert for block in pem_blocks(pem) if (cert := _load_anchor(block))]
    if ca_file and not anchors:
        raise SettingsError(f"{path} holds no certificate in PEM form")
    digest = hashlib.sha256(pem).hexdigest()
    return anchors, TrustStore(source=str(path), certificates=len(anchors), sha256=digest)


def verify_error(code: int, depth: int) -> VerifyError:
    """OpenSSL's complaint *code* about the certificate at *depth*, in words."""
    text = _VERIFY_TEXTS.get(code, f"verification error {code}")
    return VerifyError(depth=depth, code=code, text=text)


class ChainVerifier:
    """Verifies a chain that came without a handshake of OpenSSL, against *anchors*.

    OpenSSL names only its first complaint, except for dates: after those of the leaf it continues.
    """

    def __init__(self, anchors: Sequence[crypto.X509]) -> None:
        self._anchors = anchors
        self._stores: dict[int, crypto.X509Store] = {}  # by their flags

    def verify(self, chain: Sequence[bytes]) -> tuple[tuple[int, ...], tuple[VerifyError, ...]]:
        """The path and the complaints, in the form of EndpointFacts."""
        try:
            sent = [crypto.load_certificate(crypto.FILETYPE_ASN1, der) for der in chain]
        except (crypto.Error, ValueError):
            return (), (verify_error(_UNREADABLE, 0),)
        if not sent:
            return (), ()
        verified, error = self._build(sent, flags=0)
        errors = [] if error is None else [error]
        if error is not None and error.depth == 0 and error.code in LEAF_DATES:
            verified, other = self._build(sent, flags=_NO_CHECK_TIME)
            expired = [depth for depth, each in enumerate(verified) if each.has_expired()]
            errors += [verify_error(_EXPIRED, depth) for depth in expired if depth > 0]
            errors += [] if other is None else [other]
        if not verified or any(each.depth > 0 for each in errors):
            return (), tuple(errors)
        issuers = (crypto.dump_certificate(crypto.FILETYPE_ASN1, each) for each in verified[1:-1])
        return (0, *(chain.index(der) for der in issuers if der in chain)), tuple(errors)

    def _build(
        self, sent: Sequence[crypto.X509], *, flags: int
    ) -> tuple[list[crypto.X509], VerifyError | None]:
        if flags not in self._stores:
            self._stores[flags] = self._make_store(flags)
        context = crypto.X509StoreContext(self._stores[flags], sent[0], list(sent))
        try:
            return context.get_verified_chain(), None
        except crypto.X509StoreContextError as error:
            code, depth, _ = error.errors
            return [], verify_error(code, depth)

    def _make_store(self, flags: int) -> crypto.X509Store:
        """A store like OpenSSL's for a client: for certificates of TLS servers.

        pyOpenSSL has no call for the purpose; OpenSSL's is in the bindings that it is built on.
        """
        store = crypto.X509Store()
        store.set_flags(flags)
        lib = Binding.lib
        lib.X509_STORE_set_purpose(store._store, lib.X509_PURPOSE_SSL_SERVER)
        for anchor in self._anchors:
            store.add_cert(anchor)
        return store


def pem_blocks(pem: bytes) -> Iterator[bytes]:
    """The certificates in *pem*, each with its BEGIN and END line. RFC 7468 §2.

    Each byte is searched once, even if many BEGIN lines have no END.
    """
    end = 0
    while (begin := pem.find(_BEGIN, end)) >= 0:
        end = pem.find(_END, begin + len(_BEGIN))
        if end < 0:
            return
        end += len(_END)
        yield pem[begin:end]


def find_store(ca_file: Path | None) -> Path | None:
    """The path of the trust store: *ca_file*, or that of the system; None if there is none."""
    return ca_file or next((Path(p) for p in _SYSTEM_STORES if Path(p).is_file()), None)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"cannot read the trust store {path}: {why_unreadable(error)}"
        ) from error


def _load_anchor(block: bytes) -> crypto.X509 | None:
    try:
        return crypto.load_certificate(crypto.FILETYPE_PEM, block)
    except (crypto.Error, ValueError) as error:
        log.warning("a certificate of the trust store cannot be read: %r", error)
        return None
