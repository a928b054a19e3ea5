"""The certificate chains in the HTML report: each certificate as sent, and the verified path."""

import re
from dataclasses import replace
from datetime import timedelta
from html import unescape

import pytest
from cryptography.hazmat.primitives import hashes

from prober.records import (
    Answer,
    Attempt,
    DomainReport,
    Endpoint,
    Hello,
    Standing,
    StartTls,
    WithoutSni,
)
from prober.report.chains import chains_of
from prober.rules.certificate_fields import CertificateReader
from tests.report import samples
from tests.report.pages import arranged, read_page
from tests.report.test_html import MARK, SCRIPT, require_harmless
from tests.rules.certificates import NOW, issue

HASH = hashes.SHA256()
ROOT = issue("Root CA", san=None)
CA = issue("Issuing CA", by=ROOT, san=None)
LEAF = issue(by=CA)
OTHER = issue("other.example.com", by=CA)
CHAIN = (LEAF.der, CA.der, OTHER.der)
SESSION = Attempt(
    observed_at=NOW,
    hello=Hello.DEFAULT,
    starttls=StartTls.OFFERED,
    tls_version="TLSv1.3",
    cipher=None,
    failure=None,
)


def report_on(*endpoints: Endpoint) -> DomainReport:
    return replace(samples.make_report(endpoints=endpoints), standing=Standing.MEETS)


def rows(report: DomainReport) -> list[list[str]]:
    """The cells of each table of certificates on the page."""
    page = arranged(report).decode()
    tables = re.findall(r'aria-label="Certificates as sent">.*?<tbody>(.*?)</tbody>', page)
    found = [row for table in tables for row in re.findall(r"<tr>(.*?)</tr>", table)]
    cells = [re.findall(r"<t[hd]>(.*?)</t[hd]>", row.replace("<br>", "</td><td>")) for row in found]
    return [[unescape(re.sub("<[^>]*>", "", cell)) for cell in row] for row in cells]


def test_each_certificate_is_shown_as_it_was_sent() -> None:
    shown = rows(report_on(samples.make_endpoint(chain=CHAIN, path=(0, 1))))
    leaf, ca, other = (each.certificate.fingerprint(HASH).hex() for each in (LEAF, CA, OTHER))
    rest = ["2025-12-02 12:00 to", "2026-03-02 12:00", "EC secp256r1", "ecdsa-with-SHA256"]
    assert shown == [
        ["1", "CN=mx.example.com", "issued by CN=Issuing CA", leaf, *rest, "yes"],
        ["2", "CN=Issuing CA", "issued by CN=Root CA", ca, *rest, "yes"],
        ["3", "CN=other.example.com", "issued by CN=Issuing CA", other, *rest, "no"],
    ]


@pytest.mark.parametrize(
    ("chain", "path", "trusted", "words"),
    [
        pytest.param(
            CHAIN,
            (0, 1),
            Answer.YES,
            "The path goes on to CN=Root CA, which is in the trust store of this machine.",
            id="anchor-not-sent",
        ),
        pytest.param(
            (ROOT.der,),
            (0,),
            Answer.YES,
            "The last certificate of the path is a trust anchor of this machine.",
            id="leaf-is-anchor",
        ),
        pytest.param(CHAIN, (), Answer.NO, "No path to a trust anchor could be verified.", id="no"),
        pytest.param(
            CHAIN,
            (),
            Answer.NOT_TESTED,
            "It was not tested whether the chain leads to a trust anchor.",
            id="not-tested",
        ),
    ],
)
def test_what_is_known_of_the_path(
    chain: tuple[bytes, ...], path: tuple[int, ...], trusted: Answer, words: str
) -> None:
    leaf = samples.make_certificate(trusted=trusted)
    seen = samples.make_endpoint(chain=chain, path=path, certificate=leaf)
    (found,) = chains_of(report_on(seen), CertificateReader())
    assert found.path == words
    assert (found.sent[0].on_path == "not known") == (not path)


def test_equal_chains_are_shown_once_and_one_without_sni_apart() -> None:
    plain = WithoutSni(
        observed_at=NOW, starttls=StartTls.OFFERED, tls_version="TLSv1.3", chain=(OTHER.der,)
    )
    attempts = (SESSION, replace(SESSION, hello=Hello.NO_SNI))
    first = samples.make_endpoint(
        chain=CHAIN,
        path=(0, 1),
        without_sni=plain,
        attempts=attempts,
        certificate_without_sni=samples.make_certificate(name_matches=Answer.NO),
    )
    second = samples.make_endpoint("mx2.example.com", "192.0.2.2", chain=CHAIN, path=(0, 1))
    found = list(chains_of(report_on(first, second), CertificateReader()))
    assert [(each.hosts, len(each.sent)) for each in found] == [
        ("mx1.example.com, mx2.example.com", 3),
        ("mx1.example.com (without SNI)", 1),
    ]


def test_days_of_a_certificate_without_sni_count_from_its_own_session() -> None:
    """The session without SNI is made once per address and run, perhaps days before."""
    plain = WithoutSni(
        observed_at=NOW - timedelta(days=2),
        starttls=StartTls.OFFERED,
        tls_version="TLSv1.3",
        chain=(OTHER.der,),
    )
    seen = samples.make_endpoint(
        chain=CHAIN,
        observed_at=NOW,
        without_sni=plain,
        attempts=(SESSION, replace(SESSION, hello=Hello.NO_SNI)),
        certificate_without_sni=samples.make_certificate(not_after=NOW + timedelta(days=5)),
    )
    _, shown = chains_of(report_on(seen), CertificateReader())
    assert shown.words == "certificate valid for 7 days"


def test_a_certificate_with_hostile_names_is_shown_and_does_nothing() -> None:
    hostile = issue(SCRIPT[:64], issuer=samples.HOSTILE[:60], san=())
    page = arranged(report_on(samples.make_endpoint(chain=(hostile.der,), path=(0,))))
    require_harmless(page)
    assert MARK in read_page(page).text


def test_a_certificate_that_cannot_be_read_is_not_shown_as_sound() -> None:
    (row,) = rows(report_on(samples.make_endpoint(chain=(b"\x30leaf",), path=(0,))))
    assert [row[1], *row[4:8]] == ["not read", "? to", "?", "not read", "not read"]
