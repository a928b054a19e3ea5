"""The harness itself: every server starts, is what its record says, and leaves nothing behind."""

import dataclasses
import secrets
import smtplib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.mta import sandbox
from tests.mta.certificates import CertificateFault, MtaCa
from tests.mta.nodemailer import NODEMAILER
from tests.mta.referees import RefereeFacts, openssl_s_client, posttls_finger
from tests.mta.servers import CASES, SERVERS, MtaNotStarted, RunningMta, Tls, require, running

Referee = Callable[[RunningMta, Path, str], RefereeFacts]

# OpenSSL's words for a certificate with just this fault
VERIFY_ERRORS = {
    CertificateFault.EXPIRED: "certificate has expired",
    CertificateFault.SELF_SIGNED: "self-signed certificate",
    CertificateFault.WRONG_NAME: "hostname mismatch",
}


def variants(tls: Tls) -> pytest.MarkDecorator:
    cases = [case for case in CASES if case[1] == tls]
    return pytest.mark.parametrize("mta", cases, ids="-".join, indirect=True)


@pytest.fixture(params=[openssl_s_client, posttls_finger])
def referee(request: pytest.FixtureRequest) -> Referee:
    require(SERVERS["postfix"])  # posttls-finger is Postfix's
    tool: Referee = request.param
    return tool


def test_a_server_names_itself_and_offers_starttls_unless_it_has_no_tls(mta: RunningMta) -> None:
    with smtplib.SMTP(mta.address, mta.port, "probe.test", timeout=30) as client:
        code, reply = client.ehlo()

    assert code == 250
    assert reply.decode().startswith(mta.host_name)
    assert client.has_extn("starttls") == (mta.tls != "none")


@variants("good")
def test_a_good_certificate_is_seen_and_verified(mta: RunningMta, referee: Referee) -> None:
    facts = referee(mta, mta.ca_file, mta.host_name)

    assert facts.starttls_offered
    if mta.expected_alert is not None:
        assert_alert_only(facts, mta)
        return
    assert facts.tls_version == "TLSv1.3", facts.output
    assert facts.cipher == "TLS_AES_256_GCM_SHA384"
    assert facts.key_exchange in {"X25519", "prime256v1"}
    assert facts.chain_der in {mta.chain_der, ()}
    assert facts.leaf_sha256 == mta.leaf_sha256
    assert (facts.verified, facts.verify_errors) == (True, ()), facts.output
    assert facts.client_certificate_requested in {mta.asks_for_client_certificate, None}
    assert facts.alert is None


@variants("bad")
def test_a_bad_certificate_is_seen_and_has_just_its_fault(
    mta: RunningMta, referee: Referee
) -> None:
    assert mta.fault is not None

    facts = referee(mta, mta.ca_file, mta.host_name)

    assert facts.starttls_offered
    if mta.expected_alert is not None:
        assert_alert_only(facts, mta)
        return
    assert facts.tls_version == "TLSv1.3", facts.output
    assert facts.leaf_sha256 == mta.leaf_sha256
    assert facts.verified is False, facts.output
    assert facts.verify_errors == (VERIFY_ERRORS[mta.fault],)


def assert_alert_only(facts: RefereeFacts, mta: RunningMta) -> None:
    """TLS was begun and not completed; openssl has seen the certificate, posttls-finger not."""
    assert facts.tls_version is None, facts.output
    assert facts.alert == mta.expected_alert
    assert facts.leaf_sha256 in {mta.leaf_sha256, None}


@variants("none")
def test_without_tls_a_referee_sees_no_starttls(mta: RunningMta, referee: Referee) -> None:
    facts = referee(mta, mta.ca_file, mta.host_name)

    assert not facts.starttls_offered
    assert facts.tls_version is None, facts.output
    assert facts.leaf_sha256 is None
    assert facts.verified is None


@pytest.mark.parametrize("name", SERVERS)
def test_a_stopped_server_leaves_no_process(name: str, mta_ca: MtaCa, tmp_path: Path) -> None:
    require(SERVERS[name])
    folder = tmp_path / secrets.token_hex(8)
    folder.mkdir()

    with running(SERVERS[name], "good", mta_ca, folder):
        assert processes_that_mount(folder)

    assert not processes_that_mount(folder)


def test_a_process_that_ignores_sigterm_is_killed_with_all_it_started(tmp_path: Path) -> None:
    require(NODEMAILER)
    folder = tmp_path / secrets.token_hex(8)
    folder.mkdir()
    stubborn = ("sh", "-c", "trap '' TERM; sleep 60 & echo up; while :; do sleep 1; done")

    with sandbox.sandboxed(
        sandbox.MACHINE, folder, stubborn, log=folder / "log", stop_timeout_s=0.2
    ) as process:
        while "up" not in (folder / "log").read_text():
            assert process.poll() is None
        assert processes_that_mount(folder)

    assert not processes_that_mount(folder)


def processes_that_mount(folder: Path) -> list[str]:
    """The PIDs in whose mount namespace *folder* is mounted: those of its sandbox alone."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            mounts = (process / "mountinfo").read_text()
        except OSError:  # it has just ended
            continue
        if folder.name in mounts:
            found.append(process.name)
    return found


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(("sh", "-c", "echo its last words; exit 3"), id="ends"),
        pytest.param(("sh", "-c", "echo its last words; sleep 60"), id="never-greets"),
    ],
)
def test_a_server_that_does_not_start_shows_its_log(
    command: tuple[str, ...], mta_ca: MtaCa, tmp_path: Path
) -> None:
    require(NODEMAILER)
    server = dataclasses.replace(NODEMAILER, configure=lambda site: command)

    with (
        pytest.raises(MtaNotStarted, match="its last words"),
        running(server, "none", mta_ca, tmp_path, start_timeout_s=0.3),
    ):
        pass
