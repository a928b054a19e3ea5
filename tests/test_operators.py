import pytest

from prober.operators import operator_of


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
