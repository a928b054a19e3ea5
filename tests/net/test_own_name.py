"""The name to greet with. RFC 5321 §4.1.1.1: fully qualified, or none."""

import socket

import pytest

from prober.net.route import own_fqdn


@pytest.mark.parametrize(
    ("hostname", "canonical", "name"),
    [
        pytest.param("mx", None, None, id="single-label"),
        pytest.param("mx.localdomain", None, None, id="localdomain"),
        pytest.param("mx.local", "mx.local", None, id="mdns"),
        pytest.param("192.0.2.1", None, None, id="an-address"),
        pytest.param("mx_1.example.com", None, None, id="underscore"),
        pytest.param("mx", "MX.example.com", "mx.example.com", id="canonical-name"),
        pytest.param("mx.example.com", None, "mx.example.com", id="fqdn"),
    ],
)
def test_own_fqdn(
    monkeypatch: pytest.MonkeyPatch, hostname: str, canonical: str | None, name: str | None
) -> None:
    def getaddrinfo(*_: object, **__: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        if canonical is None:
            raise socket.gaierror("Name or service not known")
        return [(2, 1, 6, canonical, ("192.0.2.1", 0))]

    monkeypatch.setattr(socket, "gethostname", lambda: hostname)
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    assert own_fqdn() == name
