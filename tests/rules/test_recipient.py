"""Where a recipient's keys stand, and which way to send: the norm's own examples."""

import pytest

from prober.recipient import KeySource, RecipientKey, Way, choose_way, owner_name, wkd_path
from prober.records import Answer, Dnssec, DomainFacts, Route, RouteStatus
from prober.rules.verdict import judge_domain
from tests.rules.certificates import issue
from tests.support.builders import MX, completed, confirmed, domain, not_offered, untested

CHAIN = (issue(MX, san=(MX,), by=issue("ca.example")).der,)
PROVEN = domain(completed(chain=CHAIN, path=(0,)))
ENCRYPTED = domain(completed())
CLEAR = domain(confirmed(not_offered()))
UNSEEN = domain(untested())
NULL_MX, GONE, NO_HOST, FAILED = (
    domain(route=Route(status=status))
    for status in (
        RouteStatus.NULL_MX,
        RouteStatus.NXDOMAIN,
        RouteStatus.NO_MAIL_HOST,
        RouteStatus.DNS_ERROR,
    )
)
HUGH = "c93f1e400f26708f98cb19d936620da35eec8f72e57f9eec01c1afd6"


@pytest.mark.parametrize(
    ("local_part", "source", "name"),
    [
        ("hugh", KeySource.OPENPGPKEY, f"{HUGH}._openpgpkey.example.com"),  # RFC 7929 §3
        ("hugh", KeySource.SMIMEA, f"{HUGH}._smimecert.example.com"),
        ('"hugh"', KeySource.OPENPGPKEY, f"{HUGH}._openpgpkey.example.com"),
    ],
)
def test_the_name_in_dns(local_part: str, source: KeySource, name: str) -> None:
    assert owner_name(local_part, "example.com", source) == name


def test_the_name_in_dns_keeps_the_case_of_the_local_part() -> None:
    names = {owner_name(each, "example.com", KeySource.SMIMEA) for each in ("hugh", "Hugh")}
    assert len(names) == 2


def test_the_path_in_a_directory() -> None:
    """draft-koch-openpgp-webkey-service §3.1: its example is Joe.Doe@example.org."""
    digest = "iy9q119eutrkn8s1mk4r39qejnbu3n5q"
    assert wkd_path("Joe.Doe", None) == f"/.well-known/openpgpkey/hu/{digest}"
    assert wkd_path("Joe.Doe", "example.org").endswith(f"/openpgpkey/example.org/hu/{digest}")


def key(
    source: KeySource, found: Answer = Answer.YES, dnssec: Dnssec | None = Dnssec.SECURE
) -> RecipientKey:
    return RecipientKey(source=source, found=found, where="x", dnssec=dnssec)


NONE = tuple(key(source, Answer.NO) for source in KeySource)
PGP = key(KeySource.OPENPGPKEY)
INSECURE_PGP = key(KeySource.OPENPGPKEY, dnssec=Dnssec.INSECURE)
SMIME = key(KeySource.SMIMEA)
WKD = key(KeySource.WKD, dnssec=None)
UNKNOWN = key(KeySource.SMIMEA, Answer.NOT_TESTED)


@pytest.mark.parametrize(
    ("facts", "keys", "way", "because"),
    [
        pytest.param(NULL_MX, NONE, Way.NONE, "cannot receive mail", id="rfc7505-null-mx"),
        pytest.param(NULL_MX, (WKD,), Way.NONE, "null MX", id="rfc7505-null-mx-and-a-key"),
        pytest.param(GONE, NONE, Way.NONE, "does not exist", id="unknown-domain"),
        pytest.param(NO_HOST, NONE, Way.NONE, "no mail server", id="no-mail-host"),
        pytest.param(FAILED, NONE, Way.PORTAL, "offer TLS is not known", id="dns-failed"),
        pytest.param(CLEAR, NONE, Way.PORTAL, "would not be delivered, and no key", id="nothing"),
        pytest.param(UNSEEN, NONE, Way.PORTAL, "offer TLS is not known", id="unseen"),
        pytest.param(CLEAR, (UNKNOWN,), Way.PORTAL, "not all places", id="unknown-is-no-key"),
        pytest.param(CLEAR, (INSECURE_PGP,), Way.PORTAL, "without DNSSEC", id="rfc7929-insecure"),
        pytest.param(CLEAR, (PGP,), Way.PGP, "RFC 7929", id="openpgpkey"),
        pytest.param(CLEAR, (WKD,), Way.PGP, "Web Key Directory", id="wkd"),
        pytest.param(CLEAR, (PGP, SMIME), Way.SMIME, "RFC 8162", id="smimea"),
        pytest.param(
            ENCRYPTED, NONE, Way.FORCED_TLS, "an active attacker could read it", id="encrypted"
        ),
        pytest.param(ENCRYPTED, (PGP,), Way.PGP, "RFC 7929", id="a-key-beats-unproven-tls"),
        pytest.param(
            PROVEN, (PGP,), Way.FORCED_TLS, "every server can be verified", id="proven-tls"
        ),
    ],
)
def test_the_best_way(
    facts: DomainFacts, keys: tuple[RecipientKey, ...], way: Way, because: str
) -> None:
    chosen, reason = choose_way(judge_domain(facts), keys)
    assert chosen is way
    assert because in reason
