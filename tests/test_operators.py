import pytest

from prober import domains
from prober.domains import operator_of


@pytest.mark.parametrize(
    ("host", "operator"),
    [
        ("mx.example.co.uk", "example.co.uk"),
        ("a.b.mx.example.com", "example.com"),
        ("example.com", "example.com"),
        ("com", "com"),
        ("localhost", "localhost"),
    ],
)
def test_the_operator_is_the_registered_domain(host: str, operator: str) -> None:
    assert operator_of(host) == operator


def test_a_host_that_comes_again_is_not_looked_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mailbox asks 20 times per message, and mostly for the same few hosts."""
    operator_of.cache_clear()
    asked: list[str] = []

    class Suffixes:
        def privatesuffix(self, host: str) -> str:
            asked.append(host)
            return host

    monkeypatch.setattr(domains, "_suffixes", Suffixes)
    for _ in range(3):
        operator_of("mx.example.com")
    operator_of.cache_clear()

    assert asked == ["mx.example.com"]
