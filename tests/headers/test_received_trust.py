"""The trust boundary: lines that a sender could have forged are only claimed. RFC 5321 §7.6."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.headers.parse import parse_received
from prober.headers.peer import is_internal_address, parse_address
from prober.headers.records import Trust
from prober.headers.tables import Internal
from prober.headers.trust import (
    TrustedBy,
    judge_internals,
    judge_trust,
    parse_trusted_by,
)
from tests.headers.builders import line, operator_of


def kind_of(text: str, above: str | None = None) -> Internal | None:
    texts = [text] if above is None else [above, text]
    return judge_internals([parse_received(one) for one in texts], operator_of)[-1]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        # nothing shows that it is internal
        pytest.param(line(), None, id="another-operator"),
        pytest.param("from mx.example.com by mx.example.com with SMTP", None, id="own-name-helo"),
        pytest.param(
            "from mx.example.com ([192.0.2.1]) by mx.example.com (8.14/8.14) with SMTP",
            None,
            id="own-name-helo-sendmail",
        ),
        pytest.param(
            "from mail.example.com (HELO x) (192.0.2.1) by mx.example.com with SMTP",
            None,
            id="reverse-name-that-nobody-confirmed",
        ),
        pytest.param(line("mail.example.com", by="mx"), None, id="lone-label"),
        pytest.param(line("mail.example.com", by="198.51.100.99"), None, id="by-an-address"),
        pytest.param(line(None), None, id="no-peer"),
        pytest.param(line(None, by="192.0.2.7"), None, id="no-peer-and-by-an-address"),
        pytest.param("by 192.0.2.7 with SMTP", None, id="public-address-hands-nothing-on"),
        pytest.param("with SMTP; x", None, id="nobody"),
        pytest.param(
            "from x (192.0.2.1) by mx.example.com (2001:db8::1) with SMTP", None, id="families"
        ),
        pytest.param("from x by loki.example.com with POP3", None, id="retrieval"),
        pytest.param(
            "from a.example.com (2001:db8:1::1) by b.example.com (2001:db8:2::1) with SMTP",
            None,
            id="a-hosters-ipv6-network-and-helo",
        ),
        pytest.param(
            "from a.example.net (192.0.2.1) by b.example.com (192.0.2.9) with SMTP",
            None,
            id="neighbours-of-two-operators",
        ),
        pytest.param(
            "from unknown (HELO [localhost]) (192.0.2.1) by mx.example.com with SMTP",
            None,
            id="local-by-its-own-word",
        ),
        pytest.param(
            'from x ([192.0.2.1]:2525 "EHLO [local]") by mx.example.com with SMTP',
            None,
            id="zmailers-ehlo",
        ),
        pytest.param(
            "from [192.0.2.1] (helo=[local]) by mx.example.com with SMTP", None, id="exims-helo"
        ),
        *(
            pytest.param(
                line("mail.example.com", software=f"({software})"), None, id=f"{software}-takes-any"
            )
            for software in ("Haraka/2.8.28", "OpenSMTPD", "hMailServer")
        ),
        pytest.param(
            line("pc7.dialup.example.com", protocol="ESMTPA"), None, id="a-customer-hands-in"
        ),
        # by what the server looked up
        pytest.param(line("localhost", "127.0.0.1"), Internal.SAME_HOST, id="loopback"),
        pytest.param(line("localhost", "IPv6:::1"), Internal.SAME_HOST, id="loopback-ipv6"),
        pytest.param(line("mx.example.com"), Internal.SAME_HOST, id="confirmed-own-name"),
        pytest.param(
            "from x (192.0.2.1) by mx.example.com (192.0.2.1) with SMTP",
            Internal.SAME_HOST,
            id="own-address",
        ),
        pytest.param(line("mail", "10.1.2.3"), Internal.PRIVATE_ADDRESS, id="rfc1918"),
        pytest.param(line("mail", "IPv6:fd00::1"), Internal.PRIVATE_ADDRESS, id="rfc4193"),
        pytest.param(line("gw.example.com"), Internal.SAME_PROVIDER, id="confirmed-name"),
        pytest.param(
            "from a.prod.outlook.com (2603:10b6:1::1) by b.prod.outlook.com (2603:10b6:2::1) "
            "with Microsoft SMTP Server",
            Internal.SAME_PROVIDER,
            id="microsofts-network-and-helo",
        ),
        pytest.param(
            "from a.example.com (192.0.2.1) by b.example.com (192.0.2.9) with SMTP",
            Internal.SAME_NETWORK,
            id="ipv4-network-is-no-provider",
        ),
        pytest.param(
            "from app1 (192.0.2.1) by b.example.com (192.0.2.9) with SMTP",
            Internal.SAME_NETWORK,
            id="ipv4-network-and-a-lone-label",
        ),
        pytest.param("by 2002:a05:6a10:206:: with SMTP id 1", Internal.INTERNAL_RELAY, id="google"),
        pytest.param(
            "by mail-x.google.com with SMTP id 1", Internal.INTERNAL_RELAY, id="google-name"
        ),
        # by keyword
        pytest.param(line(protocol="LMTP"), Internal.LMTP, id="lmtp"),
        pytest.param("from a by b with mapi id 1", Internal.MAPI, id="mapi"),
        pytest.param("from a by b with HTTPS", Internal.WEB, id="https"),
        pytest.param("from a by b with local (Exim 4.98)", Internal.LOCAL_SUBMISSION, id="local"),
        pytest.param("by b (Postfix, from userid 0) id 1", Internal.LOCAL_SUBMISSION, id="userid"),
    ],
)
def test_a_hop_is_internal_only_by_evidence(text: str, kind: Internal | None) -> None:
    assert kind_of(text) is kind


def test_the_line_above_may_state_a_servers_address() -> None:
    above = "from out.example.net ([192.0.2.9]) by mx.example.com with SMTP"
    below = "from app1 ([192.0.2.44]) by out.example.net with SMTP"

    assert kind_of(below) is None
    assert kind_of(below, above) is Internal.SAME_NETWORK


INSIDE = line("gw.example.com", by="store.example.com")
BORDER = line("mail.example.net", by="gw.example.com")
FORGED = line("victim.example.org", by="gw.example.com")
PRIVATE = line("gw", "10.0.0.1", by="store.example.com")
LOCAL = "(qmail 1 invoked by uid 7); Mon, 1 Jan 2024 00:00:00 +0000"
WEB = "from x by gw.example.com with HTTP"
HELO = "from gw.example.com ([192.0.2.9]) by store.example.com (8.14.4/8.14.4) with ESMTP"
CUSTOMER = line("pc7.dialup.example.com", by="gw.example.com", protocol="ESMTPSA")
NEIGHBOUR = "from a.example.com (192.0.2.1) by gw.example.com (192.0.2.9) with SMTP"


@pytest.mark.parametrize(
    ("lines", "trusted_by", "trusted", "border"),
    [
        pytest.param([], [], 0, None, id="none"),
        pytest.param([BORDER], [], 1, 0, id="lone-line"),
        pytest.param([INSIDE, BORDER, FORGED], [], 2, 1, id="down-to-the-border"),
        pytest.param([PRIVATE, BORDER, FORGED], [], 2, 1, id="private-address"),
        pytest.param([LOCAL, INSIDE, BORDER, FORGED], [], 3, 2, id="local"),
        pytest.param([HELO, BORDER, FORGED], [], 1, 0, id="helo-is-no-evidence"),
        pytest.param([NEIGHBOUR, FORGED], [], 1, 0, id="a-neighbour-ends-it"),
        pytest.param([CUSTOMER, FORGED], [], 1, 0, id="a-customer-ends-it"),
        pytest.param([WEB, FORGED], [], 1, 0, id="who-wrote-by-web-ends-it"),
        pytest.param([INSIDE], ["other.example"], 0, None, id="named-another"),
        pytest.param([INSIDE, BORDER, FORGED], ["example.com"], 2, 1, id="named-domain"),
        pytest.param(
            [INSIDE, BORDER], ["store.example.com"], 1, None, id="peer-of-the-provider-not-named"
        ),
        pytest.param([PRIVATE, BORDER], ["store.example.com"], 1, None, id="by-not-named"),
        pytest.param([HELO, BORDER], ["example.com"], 1, 0, id="helo-again"),
        pytest.param(
            [HELO, BORDER, FORGED], ["example.com", "192.0.2.9"], 2, 0, id="named-address"
        ),
        pytest.param(
            [BORDER, line("x.example.org", by="mail.example.net"), FORGED],
            ["example.com", "example.net", "192.0.2.0/24"],
            3,
            0,
            id="named-partner",
        ),
        pytest.param([LOCAL, INSIDE, BORDER], ["example.com"], 3, 2, id="a-line-without-by"),
        pytest.param(["from x with SMTP"], ["example.com"], 0, None, id="without-by-nor-local"),
        pytest.param([WEB, FORGED], ["example.com"], 1, 0, id="web-by-name"),
        pytest.param(["by gw.example.com with SMTP"], ["example.com"], 1, 0, id="no-peer"),
    ],
)
def test_trust_ends_where_a_sender_could_have_written_the_line(
    lines: list[str], trusted_by: list[str], trusted: int, border: int | None
) -> None:
    parsed = [parse_received(text) for text in lines]
    internals = judge_internals(parsed, operator_of)

    trusts = judge_trust(parsed, internals, parse_trusted_by(trusted_by))

    assert [one.trust for one in trusts[:trusted]] == [Trust.TRUSTED] * trusted
    assert all(one.trust is Trust.CLAIMED for one in trusts[trusted:])
    assert next((i for i, one in enumerate(trusts) if one.border), None) == border


def test_what_is_trusted_is_a_name_or_a_network() -> None:
    trusted = parse_trusted_by(["Example.COM.", ".example.net", "192.0.2.0/24", "[2001:db8::1]"])

    assert trusted.names == ("example.com", "example.net")
    assert trusted.covers_name("mx.example.com")
    assert trusted.covers_address("192.0.2.77")
    assert trusted.covers_address("2001:db8::1")
    assert not trusted.covers_name("badexample.com")
    assert not trusted.covers_name(None)
    assert not trusted.covers_address("198.51.100.1")
    assert not trusted.covers_address(None)
    assert not TrustedBy()
    with pytest.raises(ValueError, match="neither a host or domain"):
        parse_trusted_by(["*"])


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("example.com", None),
        ("192.0.2.256", None),
        ("[192.0.2.1]", "192.0.2.1"),
        ("192.0.2.1:25", "192.0.2.1"),
        ("192.0.2.1.2525", "192.0.2.1"),
        ("IPv6:2001:DB8::1", "2001:db8::1"),
        ("[fe80::1%6]", "fe80::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
    ],
)
def test_an_address_is_read_in_any_spelling(text: str, address: str | None) -> None:
    assert parse_address(text) == address


def test_documentation_addresses_are_not_internal() -> None:
    assert not is_internal_address("192.0.2.1")
    assert not is_internal_address(None)
    assert is_internal_address("192.168.1.1")


@given(st.ip_addresses() | st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,4}){3}", fullmatch=True))
def test_an_address_is_what_the_library_takes_for_one(given_address: object) -> None:
    text = str(given_address)
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        assert parse_address(text) in (None, text.rpartition(".")[0])  # with a port of one digit
        return
    mapped = getattr(address, "ipv4_mapped", None)

    assert parse_address(text) == (None if text == "::" else str(mapped or address))


INTERNAL = [
    ipaddress.ip_network(text)
    for text in (
        *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"),
        *("169.254.0.0/16", "::1/128", "fc00::/7", "fe80::/10", "2002:a00::/24"),
    )
]


@given(
    st.ip_addresses()
    | st.sampled_from(INTERNAL).flatmap(lambda network: st.ip_addresses(network=network))
)
def test_the_internal_networks_are_those_of_the_rfcs(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    expected = any(address in network for network in INTERNAL)

    assert is_internal_address(str(address)) is expected
