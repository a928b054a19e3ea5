"""Looking for one recipient's keys: in DNS, and in the Web Key Directory."""

from collections.abc import AsyncIterator

import pytest
import typer
from typer.testing import CliRunner

from prober.cli.recipient import recipient, render
from prober.errors import InputError
from prober.lab.demo import mail_domain
from prober.lab.faults import Fault
from prober.lab.internet import Lab, LabDomain, LabHost
from prober.lab.personalities.ehlo import NoStarttls
from prober.lab.policy_host import PolicyHost
from prober.recipient import (
    KeySource,
    RecipientReport,
    Way,
    owner_name,
    parse_recipient,
    probe_recipient,
)
from prober.records import Answer, Dnssec
from prober.vantage import Vantage
from tests.report import samples
from tests.support.policy_hosts import NotFound
from tests.support.waiting import PATIENT

PGP_NAME = owner_name("me", "clear.test", KeySource.OPENPGPKEY)
SMIME_NAME = owner_name("me", "clear.test", KeySource.SMIMEA)


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    domains = [
        mail_domain("clear.test", NoStarttls()),
        mail_domain("directory.test", NoStarttls()),
        LabDomain(
            name="wkd.test",
            hosts=(LabHost(name="openpgpkey.directory.test", personality=PolicyHost("a key")),),
        ),
        mail_domain("empty.test", NoStarttls()),
        LabDomain(
            name="wkd2.test",
            hosts=(LabHost(name="openpgpkey.empty.test", personality=NotFound()),),
        ),
    ]
    async with Lab(domains) as lab:
        yield lab


async def look(lab: Lab, recipient: str) -> RecipientReport:
    settings = lab.settings(**{**PATIENT, "confirm_delay_s": 0.0})
    async with Vantage(settings) as vantage:
        return await probe_recipient(recipient, vantage)


def answers(report: RecipientReport) -> dict[KeySource, Answer]:
    return {key.source: key.found for key in report.keys}


async def test_nothing_is_published(lab: Lab) -> None:
    report = await look(lab, "me@clear.test")
    assert set(answers(report).values()) <= {Answer.NO, Answer.NOT_TESTED}
    assert report.way is Way.PORTAL


@pytest.mark.parametrize(
    ("domain", "why"), [("null.test", "by a null MX"), ("gone.test", "does not exist")]
)
async def test_an_address_that_cannot_receive_mail(lab: Lab, domain: str, why: str) -> None:
    lab.dns.add("null.test", "MX", "0 .")
    report = await look(lab, f"me@{domain}")
    assert report.way is Way.NONE
    assert "cannot receive mail" in report.reason
    assert why in report.reason
    shown = render(report)
    assert shown.startswith(f"me@{domain}: this address cannot receive mail")
    assert "portal" not in shown


async def test_a_key_that_cannot_exist_is_absent_by_length(lab: Lab) -> None:
    """RFC 1035 §2.3.4: the name to ask would exceed 255 octets."""
    long = ".".join(["a" * 60, "b" * 60, "c" * 60, "d" * 15, "test"])
    assert len(long) == 203
    lab.dns.add(long, "MX", "10 mx1.clear.test")
    report = await look(lab, f"me@{long}")
    in_dns = [key for key in report.keys if key.source is not KeySource.WKD]
    assert {key.found for key in in_dns} == {Answer.NO}
    assert all("absent by length" in (key.detail or "") for key in in_dns)


async def test_a_key_in_signed_dns(lab: Lab) -> None:
    lab.dns.add(PGP_NAME, "OPENPGPKEY", "AQID")
    lab.dns.sign("clear.test")
    report = await look(lab, "me@clear.test")

    assert (report.keys[0].found, report.keys[0].dnssec) == (Answer.YES, Dnssec.SECURE)
    assert report.way is Way.PGP
    assert "me@clear.test: send by pgp" in render(report)


async def test_a_certificate_in_unsigned_dns_is_not_relied_on(lab: Lab) -> None:
    lab.dns.add(SMIME_NAME, "SMIMEA", f"3 0 1 {'00' * 32}")
    report = await look(lab, "me@clear.test")

    assert answers(report)[KeySource.SMIMEA] is Answer.YES
    assert report.way is Way.PORTAL


@pytest.mark.parametrize("fault", [Fault.SERVFAIL, Fault.REFUSED])
async def test_a_failed_look_up_is_no_absence(lab: Lab, fault: Fault) -> None:
    lab.dns.fail(PGP_NAME, fault)
    report = await look(lab, "me@clear.test")
    assert answers(report)[KeySource.OPENPGPKEY] is Answer.NOT_TESTED


async def test_a_key_in_the_directory(lab: Lab) -> None:
    report = await look(lab, "me@directory.test")
    assert answers(report)[KeySource.WKD] is Answer.YES
    assert report.keys[2].where.startswith("https://openpgpkey.directory.test")
    assert report.way is Way.PGP


async def test_no_key_in_the_directory(lab: Lab) -> None:
    assert answers(await look(lab, "me@empty.test"))[KeySource.WKD] is Answer.NO


async def test_a_directory_that_refuses_is_no_absence(lab: Lab) -> None:
    lab.dns.add("openpgpkey.clear.test", "A", "127.77.200.200")  # nobody listens there
    assert answers(await look(lab, "me@clear.test"))[KeySource.WKD] is Answer.NOT_TESTED


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.com",
        "@example.com",
        "user@",
        "user@192.0.2.1",
        "user@a..test",
        "user@a b.test",
        "a\x00b@example.com",
        "x" * 65 + "@example.com",
    ],
)
def test_what_is_no_mail_address(text: str) -> None:
    with pytest.raises(InputError, match="not an address"):
        parse_recipient(text)


def test_the_domain_may_be_spelt_in_any_way() -> None:
    assert parse_recipient(' "a@b"@EXAMPLE.com. ') == ('"a@b"', "example.com")


@pytest.mark.parametrize(
    ("format_", "shown"),
    [
        ("json", '"reason":"\\u001b[2J\\u009b\\u202e\\\\ud800"'),
        ("text", "me@example.com: send by portal: \\x1b[2J\\x9b\\u202e\\ud800\n"),
    ],
)
def test_hostile_text_does_no_harm(
    monkeypatch: pytest.MonkeyPatch, format_: str, shown: str
) -> None:
    async def probed(*_: object) -> RecipientReport:
        return RecipientReport(
            recipient="me@example.com",
            keys=(),
            way=Way.PORTAL,
            reason="\x1b[2J\x9b\u202e\ud800",
            domain=samples.passes(),
        )

    app = typer.Typer()
    app.command()(recipient)
    monkeypatch.setattr("prober.cli.recipient._probe", probed)

    written = CliRunner().invoke(app, ["me@example.com", "--format", format_]).stdout

    assert shown in written
    assert written.replace("\n", "").isprintable()
