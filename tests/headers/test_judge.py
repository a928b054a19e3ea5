"""Judging hops and messages. The first test is the example of docs/headers.md."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.headers.judge import judge_requirement
from prober.headers.records import (
    Basis,
    Judgement,
    MessageVerdict,
    RemarkKind,
    Requirement,
    Trust,
)
from prober.headers.tables import MAX_CHARACTERS
from prober.records import Standing
from tests.headers.builders import TLS, judge, line, message

LUXSCI = (
    "from abc.luxsci.com ([1.1.1.1]) by def.luxsci.com (8.14.4/8.13.8) with ESMTP id "
    "r7JEfLgH003867 (version=TLSv1/SSLv3 cipher=DHE-RSA-AES256-SHA bits=256 verify=NOT) for "
    "<user-xyz@def.luxsci.com>; Mon, 19 Aug 2019 10:41:21 -0400",
    "from abc.luxsci.com (localhost.localdomain [127.0.0.1]) by abc.luxsci.com (8.14.4/8.13.8) "
    "with ESMTP id r7JEfK0Z030182 for <user-xyz@def.luxsci.com>; Mon, 19 Aug 2019 09:41:20 -0500",
    "(from mail@localhost) by abc.luxsci.com (8.14.4/8.13.8/Submit) id r7JEfKXD030178 for "
    "user-xyz@def.luxsci.com; Mon, 19 Aug 2019 09:41:20 -0500",
    "from dispatch1-us1.ppe-hosted.com (dispatch1-us1.ppe-hosted.com [2.2.2.2]) by "
    "abc.luxsci.com (8.14.4/8.13.8) with ESMTP id r7JEfIkK030002 (version=TLSv1/SSLv3 "
    "cipher=DHE-RSA-AES256-SHA bits=256 verify=NOT) for <someone@luxsci.net>; "
    "Mon, 19 Aug 2019 09:41:19 -0500",
    "from unknown [65.54.190.216] (EHLO bay0-omc4-s14.bay0.hotmail.com) by "
    "dispatch1-us1.ppe-hosted.com.ppe-hosted.com (envelope-from <someone@hotmail.com>); "
    "Mon, 19 Aug 2019 08:41:18 -0600 (MDT)",
    "from BAY403-EAS373 ([65.54.190.199]) by bay0-omc4-s14.bay0.outlook.com with Microsoft "
    "SMTPSVC(6.0.3790.4675); Mon, 19 Aug 2019 07:41:19 -0700",
)
ANOTHER_BY_PROOFPOINT = (
    "from unknown [44.44.44.44] (EHLO wgh.luxsci.com) by "
    "dispatch1-us1.ppe-hosted.com.ppe-hosted.com (using TLSv1.2 with cipher "
    "ECDHE-RSA-AES256-GCM-SHA384 (256/256 bits)) with ESMTP id b-022.p01c11m003.ppe-hosted.com "
    "(envelope-from <from@domain.com>); Mon, 02 Feb 2009 19:28:27 -0700 (MST)"
)


def test_the_background_example_with_its_habit_evidence() -> None:
    report = judge(*LUXSCI, learnt_from=(message(ANOTHER_BY_PROOFPOINT),))

    assert [(hop.judgement, hop.basis) for hop in report.hops] == [
        (Judgement.ENCRYPTED, Basis.STATED),
        (Judgement.INTERNAL, Basis.NONE),  # the same host
        (Judgement.INTERNAL, Basis.NONE),  # submission
        (Judgement.ENCRYPTED, Basis.STATED),  # Proofpoint to LuxSci
        (Judgement.NOT_ENCRYPTED, Basis.HABIT),  # Hotmail to Proofpoint
        (Judgement.INTERNAL, Basis.NONE),  # within Hotmail
    ]
    facts = report.hops[3].received.tls_facts
    assert facts is not None
    assert (facts.protocol, facts.bits) == (None, 256)
    assert facts.cipher_iana == "TLS_DHE_RSA_WITH_AES_256_CBC_SHA"
    assert "some TLS version" in report.hops[3].reason
    assert report.hops[4].reason.startswith("probably not: this server stated TLS in 1 of ")
    assert (report.verdict, report.at_hop) == (MessageVerdict.NOT_ENCRYPTED, 4)
    assert report.as_claimed  # without --trusted-by, Proofpoint's lines are only claimed


def test_the_background_example_without_the_evidence_is_not_known() -> None:
    report = judge(*LUXSCI)

    assert report.hops[4].judgement is Judgement.UNKNOWN
    assert (report.verdict, report.at_hop) == (MessageVerdict.UNKNOWN, 4)


def test_the_background_example_with_proofpoint_trusted() -> None:
    trusted = ("luxsci.com", "1.1.1.1", "ppe-hosted.com")

    report = judge(*LUXSCI, trusted_by=trusted, learnt_from=(message(ANOTHER_BY_PROOFPOINT),))

    assert [hop.trust for hop in report.hops] == [Trust.TRUSTED] * 5 + [Trust.CLAIMED]
    assert [hop.index for hop in report.hops if hop.border] == [0, 3, 4]
    assert (report.verdict, report.as_claimed) == (MessageVerdict.NOT_ENCRYPTED, False)


@pytest.mark.parametrize(
    ("text", "judgement", "basis", "reason"),
    [
        pytest.param(line(), "unknown", "none", "not known to state TLS", id="silent"),
        pytest.param("from x with SMTP", "unknown", "none", "names no receiving", id="nobody"),
        pytest.param(
            line(software="(Postfix)"), "not-encrypted", "habit", "version 2.5", id="documented"
        ),
        pytest.param(
            line(tls="(NOT encrypted)"), "not-encrypted", "stated", "not used", id="denied"
        ),
        pytest.param(
            line(tls="(version=TLSv1.2 cipher=NULL-SHA256)"),
            "not-encrypted",
            "stated",
            "does not encrypt",
            id="null-cipher",
        ),
        pytest.param(
            "by gandalf.example.org (Postfix) id 4Jp34m3VCBz4xcR",
            *("internal", "none", "relayed the message"),
            id="postfix-handed-it-on-to-itself",
        ),
        pytest.param(
            "by mail.example.com (Postfix) with ESMTPA",
            *("unknown", "none", "names no peer"),
            id="the-client-was-taken-out",
        ),
        pytest.param(
            "from localhost (localhost) by mx.example.com (8.15.2/8.15.2) id u1ABC",
            *("internal", "none", "on the host itself"),
            id="sendmails-own-notice",
        ),
        pytest.param(
            line(software="(Postfix) " + "(x)" * MAX_CHARACTERS),
            *("unknown", "none", "too long"),
            id="cut-before-tls-could-be-stated",
        ),
        pytest.param(line(tls=TLS), "encrypted", "stated", "TLSv1.3", id="stated"),
        pytest.param(
            line(tls="(Using TLS)"), "encrypted", "stated", "of an unknown version", id="no-version"
        ),
        pytest.param(
            line(protocol="ESMTPS"), "encrypted", "keyword", "RFC 3848", id="keyword-alone"
        ),
        pytest.param(
            line("localhost", "127.0.0.1"), "internal", "none", "on one host", id="internal"
        ),
        pytest.param(
            line("localhost", "127.0.0.1", tls=TLS), "encrypted", "stated", "TLS", id="both"
        ),
        pytest.param(
            line(tls="(using TLSv1.2 with cipher AES256-SHA (256/256 bits)) (No client "
                 "certificate requested)"),
            "encrypted",
            "stated",
            "AES256-SHA",
            id="the-clients-certificate-is-not-judged",
        ),
    ],
)  # fmt: skip
def test_a_hop(text: str, judgement: str, basis: str, reason: str) -> None:
    hop = judge(text).hops[0]

    assert (hop.judgement, hop.basis) == (judgement, basis)
    assert reason in hop.reason


def test_operators_habits_are_worded_as_such() -> None:
    others = message(*(line(by=f"mx{n}.example.com", software="(Halon)", tls=TLS) for n in "123"))

    hop = judge(line(software="(Halon)"), learnt_from=(others,) * 3).hops[0]

    assert hop.judgement is Judgement.NOT_ENCRYPTED
    assert "other servers of its operator" in hop.reason


ENCRYPTED = line("out.example.net", tls=TLS)
CLAIMED = line("pc.example.org", "198.51.100.1", by="out.example.net", tls=TLS)
INTERNAL = line("localhost", "127.0.0.1")
CLEAR = line("pc.example.org", "198.51.100.1", by="out.example.net", software="(Postfix)")
SILENT = line("pc.example.org", "198.51.100.1", by="out.example.net")


@pytest.mark.parametrize(
    ("lines", "verdict", "at_hop", "claimed", "border", "as_claimed", "encrypted"),
    [
        ([], "unknown", None, False, "undecided", "undecided", "undecided"),
        ([INTERNAL], "unknown", None, False, "undecided", "undecided", "undecided"),
        ([ENCRYPTED], "encrypted", None, False, "meets", "meets", "meets"),
        (
            [INTERNAL, ENCRYPTED],
            *("encrypted-except-internal", None, False, "meets", "meets", "meets"),
        ),
        ([ENCRYPTED, CLAIMED], "encrypted", None, True, "meets", "meets", "undecided"),
        ([ENCRYPTED, SILENT], "unknown", 1, True, "meets", "undecided", "undecided"),
        (
            [ENCRYPTED, CLEAR],
            *("not-encrypted", 1, True, "meets", "falls-short", "falls-short"),
        ),
        (
            [CLEAR, SILENT],
            *("not-encrypted", 0, False, "falls-short", "falls-short", "falls-short"),
        ),
        ([SILENT], "unknown", 0, False, "undecided", "undecided", "undecided"),
    ],
)
def test_a_message(
    lines: list[str],
    verdict: str,
    at_hop: int | None,
    claimed: bool,
    border: str,
    as_claimed: str,
    encrypted: str,
) -> None:
    report = judge(*lines)

    assert (report.verdict, report.at_hop, report.as_claimed) == (verdict, at_hop, claimed)
    assert judge_requirement(report, Requirement.BORDER) == border
    assert judge_requirement(report, Requirement.AS_CLAIMED) == as_claimed
    assert judge_requirement(report, Requirement.ENCRYPTED) == encrypted


def test_what_could_not_be_read_is_invalid() -> None:
    report = judge(error="no header field")

    assert report.verdict is MessageVerdict.UNKNOWN
    assert report.reason == "no header field"
    assert judge_requirement(report, Requirement.BORDER) is Standing.INVALID


def test_lines_left_out_leave_it_open() -> None:
    report = judge(ENCRYPTED, received_left_out=3)

    assert report.verdict is MessageVerdict.UNKNOWN
    assert judge_requirement(report, Requirement.AS_CLAIMED) is Standing.UNDECIDED
    assert [remark.kind for remark in report.remarks] == [RemarkKind.TOO_MANY_LINES]


_LINES = st.lists(st.sampled_from([ENCRYPTED, CLAIMED, INTERNAL, CLEAR, SILENT]), max_size=5)
_RANK = {Standing.FALLS_SHORT: 0, Standing.UNDECIDED: 1, Standing.MEETS: 2}


@given(lines=_LINES, worse=st.sampled_from([CLEAR, SILENT]), require=st.sampled_from(Requirement))
def test_a_worse_line_below_never_betters_a_message(
    lines: list[str], worse: str, require: Requirement
) -> None:
    before = judge_requirement(judge(*lines), require)
    after = judge_requirement(judge(*lines, worse), require)

    if before is not Standing.UNDECIDED or require is not Requirement.BORDER:
        assert _RANK[after] <= _RANK[before]


@given(st.lists(st.text(max_size=60), max_size=5))
def test_any_lines_are_judged(lines: list[str]) -> None:
    report = judge(*lines)

    assert len(report.hops) == len(lines)
    assert all(hop.reason for hop in report.hops)


@given(_LINES)
def test_a_claimed_line_never_makes_a_message_encrypted_without_saying_so(
    lines: list[str],
) -> None:
    report = judge(*lines)

    if report.verdict in (MessageVerdict.ENCRYPTED, MessageVerdict.ENCRYPTED_EXCEPT_INTERNAL):
        assert report.as_claimed == any(hop.trust is Trust.CLAIMED for hop in report.hops)


NOON, LATER = "Mon, 1 Jan 2024 12:00:00 +0000", "Mon, 1 Jan 2024 12:02:00 +0000"


@pytest.mark.parametrize(
    ("lines", "remarks"),
    [
        pytest.param(
            [line("out.example.net"), line("x.example.org", by="out.example.net")], [], id="chains"
        ),
        pytest.param(
            [line("out.example.net"), line("x.example.org", by="in.example.net")],
            [],
            id="same-operator",
        ),
        pytest.param(
            [line("out.example.net"), line("x", "10.0.0.1", by="lonely")], [], id="private-name"
        ),
        pytest.param(
            ["from a (a) by mx.example.com; " + NOON, line("x", by="out.example.net", date=NOON)],
            [],
            id="peer-without-a-dot",
        ),
        pytest.param(
            [line("out.example.net", "192.0.2.7"), line("x.example.org", by="192.0.2.7")],
            [],
            id="chains-by-address",
        ),
        pytest.param(
            [line("out.example.net"), line("x.example.org", by="other.example")],
            [("does-not-chain", 0)],
            id="forged-below",
        ),
        pytest.param(
            [INTERNAL, line("x.example.org", by="other.example")], [], id="internal-says-nothing"
        ),
        pytest.param(
            [line("out.example.net"), "(qmail 1 invoked by uid 1); " + NOON],
            [("date-backwards", 0)],
            id="local-below-chains",
        ),
        pytest.param(
            [line(date=NOON), line("x.example.org", by="mail.example.net", date=LATER)],
            [("date-backwards", 0)],
            id="dated-before-the-line-below",
        ),
        pytest.param(
            [line(date=LATER), line("x.example.org", by="mail.example.net", date=NOON)],
            [],
            id="queues-delay",
        ),
        pytest.param(
            [line(date="yesterday"), line("x.example.org", by="mail.example.net")],
            [("no-date", 0)],
            id="no-date",
        ),
        pytest.param(
            ["x" * (MAX_CHARACTERS + 1)], [("truncated", 0), ("no-date", 0)], id="truncated"
        ),
        pytest.param(
            ["from x.example.org; " + NOON, line(date=NOON)],
            [("does-not-chain", 0)],
            id="by-nobody",
        ),
        pytest.param([line(None), line()], [], id="no-peer"),
    ],
)
def test_oddities_are_remarked(lines: list[str], remarks: list[tuple[str, int]]) -> None:
    report = judge(*lines)

    assert [(remark.kind.value, remark.hop) for remark in report.remarks] == remarks


GOOGLE_2025 = tuple(
    f"from mail{n}.example.net (mail{n}.example.net. [198.51.100.{n}]) by mx.google.com with "
    "ESMTPS id 1 for <a@example.com> (version=TLS1_3 cipher=TLS_AES_256_GCM_SHA384 bits=256/256); "
    "Thu, 13 Feb 2025 13:49:35 -0800 (PST)"
    for n in (11, 12, 13)
)
TOWERS = tuple(
    f"from mail{n}.example.net (HELO mx{n}.example.net) (198.51.100.{n}) by "
    f"server-{n}.tower-{n}.messagelabs.com with ECDHE-RSA-AES256-GCM-SHA384 encrypted SMTP; "
    "5 Aug 2019 00:51:45 -0000"
    for n in (11, 12, 13)
)
DOCKER = (
    "from out.example.net (unknown [172.18.0.1]) by mail.example.com (Postfix) with ESMTP id 1; "
    "Mon, 28 Aug 2023 02:21:37 +0000"
)
EXIM_IDENT = (
    "from [192.0.2.33] (helo=x ident=[10.1.1.5]) by mx.example.com with smtp (Exim 4.97) id 3k; "
    "Tue, 05 Aug 2025 03:14:37 +0000"
)
BELOW_IT = "from a.example.org ([203.0.113.1]) by b.example.org with ESMTP id 1; " + NOON


@pytest.mark.parametrize(
    ("text", "learnt", "judgement", "border", "reason"),
    [
        pytest.param(
            "from lists.example.org (lists.example.org [192.0.2.165]) by mx.google.com with ESMTP "
            "id h35; Sun, 10 Aug 2008 22:06:29 -0700 (PDT)",
            GOOGLE_2025,
            *("unknown", True, "not known to state TLS"),
            id="habits-of-later-years-say-nothing",
        ),
        pytest.param(
            "from lists.example.org (lists.example.org [192.0.2.165]) by mx.google.com with ESMTP "
            "id h35; Sun, 10 Aug 2025 22:06:29 -0700 (PDT)",
            GOOGLE_2025,
            *("not-encrypted", True, "3 of 3 other lines of 2025"),
            id="the-reason-gives-the-years",
        ),
        pytest.param(
            "from [192.0.2.35] by server-4.bemta-5.messagelabs.com id E2/27; "
            "Sat, 29 Feb 2020 08:07:30 +0000",
            TOWERS,
            *("internal", False, "relayed the message"),
            id="another-form-of-the-same-provider",
        ),
        pytest.param(
            "from mail by example.com with spam-scanned (Exim 4.97) id 46J; "
            "Sun, 29 Jun 2025 14:08:42 +0200",
            (),
            *("internal", False, "on the host itself"),
            id="no-keyword-of-smtp",
        ),
        pytest.param(
            line(software="(Postfix)", date="Mon, 1 Jan 2007 00:00:00 +0000"),
            (),
            *("unknown", True, "not known to state TLS"),
            id="postfix-before-it-wrote-esmtps",
        ),
        pytest.param(
            "from mail.example.net by mx.example.com (Postfix) with ESMTP id 1; " + NOON,
            (),
            *("unknown", True, "not known to state TLS"),
            id="no-address",
        ),
        pytest.param(
            line(software="(Postfix)", tls="(TLS was agreed upon in a way of its own)"),
            (),
            *("unknown", True, "cannot read"),
            id="words-about-tls-that-are-not-read",
        ),
        pytest.param(
            "from A.namprd19.prod.outlook.com (::1) by B.namprd19.prod.outlook.com with HTTPS; "
            + NOON,
            (),
            *("internal", False, "stayed on one host"),
            id="delivery-into-a-mailbox",
        ),
        pytest.param(
            "from 127.0.0.1 by atlas.omega.yahoo.com pod-id jba with HTTP; " + NOON,
            (),
            *("internal", False, "stayed on one host"),
            id="yahoos-own-delivery",
        ),
        pytest.param(
            "by recvd-0a1b2c3d4e-abcde with SMTP id acffh; " + NOON,
            (),
            *("internal", False, "relayed the message"),
            id="sendgrid",
        ),
        pytest.param("(Haraka outbound); " + NOON, (), *("internal", False, "no"), id="a-note"),
        pytest.param(DOCKER, (), *("unknown", True, "out.example.net"), id="container-gateway"),
        pytest.param(EXIM_IDENT, (), *("not-encrypted", True, "at a proxy or filter"), id="ident"),
        pytest.param(
            "from ([IPv6:::ffff:10.1.1.168] [192.0.2.32]) by mx.example.com (Exim) with ESMTP id "
            "2a8; Mon, 29 Sep 2025 13:14:32 +0000",
            (),
            *("unknown", True, "not known to state TLS"),
            id="two-literals",
        ),
        pytest.param(
            line("pc.example.net", "192.0.2.7", by="localhost"),
            (line("a.example.net", by="localhost", tls=TLS),),
            *("unknown", True, "not known to state TLS"),
            id="nothing-is-learnt-of-a-name-without-a-dot",
        ),
    ],
)
def test_real_kinds(
    text: str, learnt: tuple[str, ...], judgement: str, border: bool, reason: str
) -> None:
    report = judge(text, BELOW_IT, learnt_from=tuple(message(one) for one in learnt))

    hop = report.hops[0]
    assert (hop.judgement, hop.border) == (judgement, border)
    assert reason in hop.reason
    assert (report.hops[1].trust is Trust.TRUSTED) is not border
