"""`probe headers --probe`: compares what receivers offer now with what lines say."""

from itertools import product

import pytest

from prober.headers.infer import Receivers
from prober.headers.join import DECISIONS, judge_offer, receiving_hops
from prober.headers.records import HopProbe, Judgement, MessageReport, Offer
from prober.lab.demo import mail_domain
from prober.lab.internet import Lab, LabDomain
from prober.lab.personalities.ehlo import NoStarttls
from prober.lab.personalities.greeting import Busy
from prober.lab.personalities.sound import WellConfigured
from prober.vantage import Vantage
from tests.headers.builders import TLS, judge, line
from tests.support.builders import completed, confirmed, not_offered, untested

DOMAINS = (
    mail_domain("good.test", WellConfigured()),
    mail_domain("clear.test", NoStarttls()),
    mail_domain("busy.test", Busy()),
    mail_domain("mixed.test", WellConfigured(), NoStarttls()),
    LabDomain(name="gone.test"),
)


async def look(report: MessageReport, recipient: str | None = None) -> tuple[HopProbe, ...]:
    async with Lab(DOMAINS) as lab, Vantage(lab.settings(confirm_delay_s=0.1)) as vantage:
        receivers = Receivers(vantage, recipient)
        try:
            return (await receivers.add_to(report)).probe
        finally:
            await receivers.aclose()


@pytest.mark.parametrize(
    ("by", "tls", "software", "offer", "conclusion"),
    [
        ("mx1.good.test", TLS, "", "offers", "consistent"),
        ("mx1.good.test", "", "(Postfix)", "offers", "sender-did-not-use-tls"),
        ("mx1.good.test", "", "", "offers", "tls-was-possible"),
        ("mx1.clear.test", TLS, "", "nothing", "receiver-changed"),
        ("mx1.clear.test", "", "(Postfix)", "nothing", "receiver-offers-none"),
        ("mx1.clear.test", "", "", "nothing", "probably-clear"),
        ("mx1.busy.test", TLS, "", "not-tested", "not-tested"),
        ("nobody.good.test", "", "(Postfix)", "not-tested", "not-tested"),
        ("lonely", "", "", "not-tested", "not-tested"),
        ("bad_name.test", "", "", "not-tested", "not-tested"),
    ],
)
async def test_the_answer_combines_both(
    by: str, tls: str, software: str, offer: str, conclusion: str
) -> None:
    report = judge(line(by=by, tls=tls, software=software))
    [seen] = await look(report)

    assert (seen.hop, seen.host) == (0, by)
    assert (seen.offer, seen.conclusion) == (offer, conclusion)
    assert by in seen.text
    assert "{" not in seen.text
    if offer == "offers":
        assert seen.tls_versions == ("TLSv1.3",)
        assert "TLSv1.3" in seen.text


async def test_the_mx_hosts_of_the_recipients_domain_are_probed() -> None:
    lines = line(by="mx1.clear.test").replace(" id 1;", " id 1 for <user@mixed.test>;")

    named, of_domain = await look(judge(lines))

    assert (named.hop, named.host) == (0, "mx1.clear.test")
    assert (of_domain.hop, of_domain.host) == (None, "mixed.test")
    assert of_domain.offer is Offer.PARTLY
    assert of_domain.conclusion == "receiver-varies"


@pytest.mark.parametrize(
    ("delivered_to", "recipient", "host"),
    [
        (None, None, None),
        ("good.test", None, "good.test"),
        ("clear.test", "good.test", "good.test"),
        (None, "gone.test", "gone.test"),
    ],
)
async def test_the_recipients_domain(
    delivered_to: str | None, recipient: str | None, host: str | None
) -> None:
    report = judge(line(None, by="mx1.good.test"), delivered_to=delivered_to)

    probes = [seen for seen in await look(report, recipient) if seen.hop is None]

    assert [seen.host for seen in probes] == ([host] if host else [])
    if host == "gone.test":
        assert probes[0].detail == "no endpoint: nxdomain"


async def test_a_recipient_that_is_no_domain_is_passed_over() -> None:
    lines = line(by="mx1.good.test").replace(" id 1;", " id 1 for <user@[192.0.2.1]>;")

    assert [seen.host for seen in await look(judge(lines))] == ["mx1.good.test"]


async def test_servers_of_forged_lines_are_not_probed() -> None:
    border = line("out.example.net", by="mx1.good.test", tls=TLS)
    forged = line(by="mx1.clear.test").replace(" id 1;", " id 1 for <user@clear.test>;")

    probes = await look(judge(border, forged, forged))

    assert [seen.host for seen in probes] == ["mx1.good.test"]


async def test_a_probable_judgement_stays_probable() -> None:
    [by_habit] = await look(judge(line(by="mx1.good.test", software="(Postfix)")))
    [stated] = await look(judge(line(by="mx1.good.test", tls="(NOT encrypted)")))

    assert "The message probably came in clear" in by_habit.text
    assert "The message came in clear" in stated.text


def test_only_trusted_border_hops_are_receiving() -> None:
    report = judge(
        line("localhost", "127.0.0.1"),
        line("out.example.net", tls=TLS),
        line(by="out.example.net"),
    )

    assert [hop.index for hop in receiving_hops(report)] == [1]


async def test_the_number_of_names_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prober.headers.infer.MAX_PROBED", 0)

    [seen] = await look(judge(line(by="mx1.good.test")))

    assert seen.offer is Offer.NOT_TESTED
    assert seen.detail is not None
    assert seen.detail.startswith("not contacted")


@pytest.mark.parametrize(
    ("endpoints", "offer"),
    [
        ([], Offer.NOT_TESTED),
        ([untested()], Offer.NOT_TESTED),
        ([not_offered()], Offer.NOT_TESTED),  # not confirmed
        ([confirmed(not_offered())], Offer.NOTHING),
        ([confirmed(not_offered()), untested()], Offer.NOTHING),
        ([completed(), untested()], Offer.OFFERS),
        ([completed(), confirmed(not_offered())], Offer.PARTLY),
    ],
)
def test_an_offer(endpoints: list[object], offer: Offer) -> None:
    assert judge_offer(endpoints) is offer  # type: ignore[arg-type] # builders give the records


def test_the_decision_table_is_complete() -> None:
    judgements = set(Judgement) - {Judgement.INTERNAL}

    assert set(DECISIONS) == set(product(judgements, Offer))
