"""What forced TLS meets: unknown is never yes, and never no."""

import pytest

from prober.records import DomainFacts, Reason, Route, RouteStatus
from prober.rules.delivery import ForcedTls, forced_tls
from prober.rules.verdict import judge_domain
from tests.support.builders import (
    NO_TRUST,
    completed,
    confirmed,
    domain,
    handshake_failed,
    not_offered,
    run,
    untested,
)

MX2 = "mx2.example.com"


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param(domain(route=None), ForcedTls.UNKNOWN, id="invalid"),
        pytest.param(
            domain(route=Route(status=RouteStatus.NULL_MX)), ForcedTls.UNKNOWN, id="null-mx"
        ),
        pytest.param(domain(untested()), ForcedTls.UNKNOWN, id="not-tested"),
        pytest.param(domain(not_offered()), ForcedTls.UNKNOWN, id="unconfirmed"),
        pytest.param(
            domain(completed(), untested(mx_host=MX2)), ForcedTls.UNKNOWN, id="half-tested"
        ),
        pytest.param(domain(confirmed(not_offered())), ForcedTls.NO, id="clear"),
        pytest.param(
            domain(completed(), confirmed(handshake_failed(mx_host=MX2))), ForcedTls.NO, id="mixed"
        ),
        pytest.param(domain(completed(tls_version="TLSv1")), ForcedTls.NO, id="tls-1.0"),
        pytest.param(domain(completed()), ForcedTls.YES, id="any-certificate"),
        pytest.param(
            domain(completed(), run=run(NO_TRUST)), ForcedTls.YES, id="trust-does-not-matter"
        ),
        pytest.param(
            domain(completed(), confirmed(untested(reason=Reason.REFUSED, mx_host=MX2))),
            ForcedTls.YES,
            id="nolisting",
        ),
    ],
)
def test_forced_tls(facts: DomainFacts, expected: ForcedTls) -> None:
    assert forced_tls(judge_domain(facts)) is expected
