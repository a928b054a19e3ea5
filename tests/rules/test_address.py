"""Which addresses may be contacted, by the IANA special-purpose registries."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.rules.address import may_contact


@pytest.mark.parametrize(
    "address",
    [
        "not an address",
        "",
        "0.0.0.0",  # noqa: S104
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "127.77.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.0.9",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",  # compatible, 127.0.0.1
        "::8.8.8.8.",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::192.168.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1:a00:0:100::",  # RFC 6052 §2.2: 10.0.0.1 behind the /48
        "64:ff9b:2::1",
        "100::1",
        "2001::1",
        "2001:2::1",
        "2001:db8::1",
        "2002:0a00:0001::1",
        "2002:7f00:0001::1",
        "2002:c0a8:0101::1",
        "3fff::1",
        "4000::1",
        "5f00::1",
        "fc00::1",
        "fd00::2",
        "fe80::1",
        "fe80::1%eth0",
        "2a00:1450:4001::1%eth0",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
    ],
)
def test_what_is_not_globally_reachable_is_not_contacted(address: str) -> None:
    assert not may_contact(address)


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "1.1.1.1",
        "100.63.255.255",
        "100.128.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.1",
        "223.255.255.255",
        "2001:4860:4860::8888",
        "2a00:1450:4001::1",
        "2606:4700::1111",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "64:ff9b:1:808:8:800::",
        "2002:0808:0808::1",
    ],
)
def test_what_is_globally_reachable_is_contacted(address: str) -> None:
    assert may_contact(address)


@pytest.mark.parametrize(
    "address",
    ["0.0.0.0", "::", "::ffff:0.0.0.0", "64:ff9b::", "2002::", "no address"],  # noqa: S104
)
def test_the_unspecified_addresses_are_never_contacted(address: str) -> None:
    assert not may_contact(address, allow_private=True)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "::1", "fd00::1"])
def test_allow_private_lets_private_addresses_pass(address: str) -> None:
    assert may_contact(address, allow_private=True)


EMBEDDING = [  # what stands in these is looked at instead
    ipaddress.ip_network(network)
    for network in ("::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16")
]


@given(st.ip_addresses())
def test_nothing_that_python_calls_private_passes(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    private = address.is_private or address.is_multicast or address.is_loopback
    assert not (private and may_contact(str(address))) or any(
        address in network for network in EMBEDDING if network.version == address.version
    )


@given(st.text())
def test_any_text_gets_an_answer(text: str) -> None:
    assert may_contact(text) in (True, False)
