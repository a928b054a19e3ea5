"""The letter to a partner: what it says, and what it does not ask for."""

import re
from dataclasses import replace

import pytest

from prober.records import (
    Code,
    DeepFacts,
    DomainReport,
    Endpoint,
    Gap,
    GivenServer,
    MtaSts,
    StsStatus,
    finding,
)
from prober.records.delivery import DeliveryOutcome
from prober.report.letter import write_letter
from prober.rules.delivery import judge_delivery
from prober.rules.views import views_of
from tests.report import samples
from tests.support.builders import NOW


def text_of(report: DomainReport) -> str:
    delivery = judge_delivery(report, views_of(report.endpoints))
    return write_letter(replace(report, delivery=delivery)).text


def test_it_says_what_was_seen_why_it_matters_what_to_change_and_how_to_check() -> None:
    text = text_of(samples.fails())
    assert text.startswith("Subject: Encryption of mail to fails.example\n")
    assert "On 2026-01-02 at 03:04 UTC we tested" in text
    assert "Our mail to you travels unencrypted, and others can read it on its way." in text
    assert Code.STARTTLS_NOT_SUPPORTED.advice in text
    assert "mx1.fails.example 192.0.2.1" in text
    assert "openssl s_client -starttls smtp -connect mx1.fails.example:25" in text
    assert "STARTTLS: how a mail server offers encryption" in text
    assert "DANE:" not in text  # a word that does not occur is not explained


def test_a_domain_that_does_not_require_tls_is_asked_to() -> None:
    report = samples.make_report(
        mta_sts=MtaSts(status=StsStatus.ABSENT), reasons=(str(Gap.TLS_NOT_REQUIRED),)
    )
    text = text_of(report)
    assert "Why it is not enough" in text
    assert "mode: testing" in text
    assert "mode: testing" not in text_of(replace(report, reasons=()))


@pytest.mark.parametrize("report", samples.all_samples(), ids=lambda each: repr(each.input)[:30])
def test_any_letter_is_printable_and_short(report: DomainReport) -> None:
    letter = write_letter(report)
    assert all(line.isprintable() for line in letter.text.splitlines())
    assert len(letter.text.splitlines()) < 80


def test_no_command_has_a_name_of_a_peer_that_is_not_plain() -> None:
    report = samples.make_report(endpoints=(samples.make_endpoint("mx.$(reboot).example"),))
    assert "openssl" not in text_of(report)


def test_many_problems_are_counted() -> None:
    codes = [code for code in Code if code.severity == "high"][:9]
    text = text_of(samples.make_report(findings=tuple(map(finding, codes))))
    assert "There are 3 more points: the program named below shows all." in text
    assert DeliveryOutcome.UNKNOWN not in text.split("What to change")[0]


@pytest.mark.parametrize("code", [each for each in Code if each.severity in ("high", "medium")])
def test_no_advice_in_a_letter_is_for_who_tested(code: Code) -> None:
    text = text_of(samples.make_report(findings=(finding(code, mx_host="mx.example"),)))
    assert "this machine" not in text
    assert "probe doctor" not in text


KNOWN = {  # to who runs a mail server
    *("A", "AAAA", "DNS", "IP", "SMTP", "TXT", "URL", "HTTPS", "MX", "HELO", "ESMTP", "RSA", "EC"),
    *("MD5", "SHA-1", "SHA-256", "AES-GCM", "ECDHE", "DS", "Cisco", "Postfix", "Exim", "OpenSSL"),
    *("UTC", "P-256", "DOMAIN", "CERTIFICATE", "NEXT-KEY", "CVE-2011-0411", "NIST", "SP", "ECDSA"),
}


@pytest.mark.parametrize("code", [each for each in Code if each.severity in ("high", "medium")])
def test_technical_words_are_explained(code: Code) -> None:
    text = text_of(samples.make_report(findings=(finding(code, mx_host="mx.example"),)))
    change = text.partition("What to change")[2].partition("How to check")[0]
    change = re.sub("`[^`]*`", "", change)  # lines of a configuration
    words = set(
        re.findall(r"(?<![\w-])[A-Z][A-Z0-9-]+(?![\w-])|ClientHello|subjectAltName", change)
    )
    explained = text.partition("What the words mean")[2]
    assert {word for word in words - KNOWN if f"{word}:" not in explained} == set()


def test_the_servers_with_a_problem_are_checked_first() -> None:
    names = ("mx1.a.example", "mx2.a.example", "mx3.a.example")
    endpoints = tuple(samples.make_endpoint(name) for name in names)
    found = (finding(Code.STARTTLS_NOT_SUPPORTED, mx_host="mx3.a.example"),)
    text = text_of(samples.make_report(endpoints=endpoints, findings=found))
    assert re.findall(r"-connect (\S+):25", text) == ["mx3.a.example", "mx1.a.example"]


def test_of_a_domain_without_a_problem_it_says_so() -> None:
    assert "We found nothing that you must change." in text_of(samples.passes())
    assert "We found nothing that you must change." not in text_of(samples.fails())
    assert "We found nothing that you must change." not in text_of(samples.unknown())


@pytest.mark.parametrize(
    "report",
    [samples.passes(), samples.fails(), samples.dns_error(), samples.null_mx()],
    ids=lambda each: each.domain,
)
def test_every_letter_says_how_to_check(report: DomainReport) -> None:
    assert f"    probe {report.domain}\n" in text_of(report)


def test_one_point_more_is_one() -> None:
    codes = [code for code in Code if code.severity == "high"][:7]
    text = text_of(samples.make_report(findings=tuple(map(finding, codes))))
    assert "There is 1 more point: the program named below shows all." in text


def checked(endpoint: Endpoint) -> list[str]:
    """The commands of the letter on a domain with one server."""
    return commands(samples.make_report(endpoints=(endpoint,)))


def commands(report: DomainReport) -> list[str]:
    return re.findall(r"^    (.*)$", text_of(report).partition("How to check")[2], re.MULTILINE)


def test_what_only_deep_finds_is_checked_with_deep() -> None:
    endpoint = samples.make_endpoint("mx.a.example")
    assert checked(endpoint)[-1] == "probe example.com"
    asked = replace(endpoint, deep=DeepFacts(observed_at=NOW))
    assert checked(asked)[-1] == "probe example.com --deep"


def test_the_port_that_was_tested_is_checked() -> None:
    openssl, probe = checked(replace(samples.make_endpoint("mx.a.example"), port=2525))
    assert "-connect mx.a.example:2525 " in openssl
    assert probe == "probe example.com --port 2525"


@pytest.mark.parametrize(
    ("address", "place"),
    [(None, "new.example"), ("192.0.2.7", "192.0.2.7"), ("2001:db8::7", "[2001:db8::7]")],
)
def test_a_server_that_is_not_live_yet(address: str | None, place: str) -> None:
    report = samples.make_report(
        endpoints=(samples.make_endpoint("new.example"),),
        server=GivenServer(name="new.example", address=address),
    )
    openssl, probe = commands(report)
    assert f"-connect {place}:25 -servername new.example" in openssl
    at = f"@{address}" if address else ""
    assert probe == f"probe example.com --server new.example{at}"
    assert "The MX records in DNS were not used." in text_of(report)
    assert "that we found" not in text_of(report)


def test_no_command_has_an_address_that_is_none() -> None:
    server = GivenServer(name="new.example", address="192.0.2.7; reboot")
    assert commands(samples.make_report(server=server)) == []


def test_openssl_is_not_said_to_show_every_fault() -> None:
    assert "not every fault that is named above" in text_of(samples.fails())
