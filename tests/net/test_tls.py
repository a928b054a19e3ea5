"""Trust stores, names of alerts, and what a chain may not do."""

import hashlib
from pathlib import Path

import pytest

from prober.errors import SettingsError
from prober.lab.certificates import CertificateKind, LabCa
from prober.net import trust
from prober.net.tls import TlsClient
from prober.net.tls_names import alert_name
from prober.records import TrustStore


def test_the_trust_store_is_named_counted_and_digested(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    LabCa().write_pem(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()

    store = TlsClient(path, chain_certificates=16).trust_store
    assert store == TrustStore(source=str(path), certificates=1, sha256=digest)


def test_a_certificate_that_cannot_be_read_hides_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "ca.pem"
    LabCa().write_pem(path)
    broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    path.write_bytes(broken + path.read_bytes())

    assert TlsClient(path, chain_certificates=16).trust_store.certificates == 1
    assert "cannot be read" in caplog.text


@pytest.mark.parametrize("content", [None, b"", b"not PEM"])
def test_a_ca_file_without_certificates_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"ca\.pem"):
        TlsClient(path, chain_certificates=16)


def test_without_any_store_trust_is_not_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust, "_SYSTEM_STORES", ("/nowhere/ca.pem",))
    store = TlsClient(None, chain_certificates=16).trust_store
    assert store == TrustStore(source=None, certificates=0, sha256=None)


def test_the_systems_store_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "system.pem"
    LabCa().write_pem(path)
    monkeypatch.setattr(trust, "_SYSTEM_STORES", ("/nowhere/ca.pem", str(path)))
    assert TlsClient(None, chain_certificates=16).trust_store.source == str(path)


def test_alerts_have_the_names_of_rfc_8446() -> None:
    assert [alert_name(code) for code in (40, 80, 116, 200)] == [
        "handshake_failure",
        "internal_error",
        "certificate_required",
        "alert_200",
    ]


def test_every_kind_of_certificate_can_be_made() -> None:
    ca = LabCa()
    assert all(ca.issue(kind, "mx.test").chain for kind in CertificateKind)
