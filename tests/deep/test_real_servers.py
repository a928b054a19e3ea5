"""--deep against real servers: each fact equals the configuration of the server."""

from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from prober.net.client_hello import OFFERS
from prober.net.smtp import Target
from prober.net.tls_names import SSL3, TLS1, TLS1_1, TLS1_2
from prober.records import Answer, DeepAnswer, DeepFacts, DeepQuestion, EndpointFacts
from prober.settings import Pace, Settings
from prober.vantage import Vantage
from tests.deep.backends import HOST, Keys, backend, make_keys
from tests.deep.configurations import CONFIGURATIONS, MAIL_SERVERS
from tests.deep.front import front
from tests.deep.referees import run_testssl, sslscan
from tests.deep.scripted import scripted
from tests.mta.base import Site
from tests.mta.certificates import make_mta_ca
from tests.mta.servers import SERVERS, require, running

SETTINGS: Final = Settings(
    allow_private=True,
    ehlo_name="probe.test",
    resolvers=("127.0.0.1",),
    confirm_delay_s=0.1,
    sni_only=True,
    deep=True,
    norm_groups=("secp256r1", "secp384r1"),
    pace=Pace(address_interval_s=0.0),
)
MOST: Final = 8  # connections beyond the main ones
MOST_MAIN: Final = 3  # a handshake that fails is tried in other ways
_EXTENSIONS: Final = {
    "ems": "extended_master_secret",
    "etm": "encrypt_then_mac",
    "renegotiation": "secure_renegotiation",
    "compression": "compression",
    "ticket": "session_ticket",
    "staple": "ocsp_staple",
}
_SAYS: Final = {"+": True, "-": False, "?": None}


Q: Final = DeepQuestion


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return make_keys(tmp_path_factory.mktemp("keys"))


async def observe(host: str, port: int) -> EndpointFacts:
    async with Vantage(SETTINGS) as vantage:
        return await vantage.endpoint(Target(mx_host=host, address="127.0.0.1", port=port))


def wrong(answer: DeepAnswer, expected: str) -> list[str]:
    """The words of *expected* that do not fit *answer*."""
    words = expected.split()
    if words[0] in (Answer.NO, Answer.NOT_TESTED):
        return [] if answer.accepted == words[0] else words
    if answer.accepted is not Answer.YES:
        return words
    return [word for word in words if not fits(word, answer)]


def fits(word: str, answer: DeepAnswer) -> bool:
    if word[0] in _SAYS:
        return getattr(answer, _EXTENSIONS[word[1:]]) is _SAYS[word[0]]
    found = ("yes", answer.tls_version, answer.key_exchange, str(answer.key_exchange_bits))
    return word in found or f"_{word}_" in f"{answer.cipher}_"


def check(facts: EndpointFacts, expected: dict[DeepQuestion, str], connections: int) -> DeepFacts:
    deep = facts.deep
    assert deep is not None, facts.failure
    answers = {answer.question: answer for answer in deep.answers}
    assert set(answers) == set(DeepQuestion)
    faults = {q: (wrong(answers[q], words), answers[q]) for q, words in expected.items()}
    assert not {q: fault for q, fault in faults.items() if fault[0]}
    assert deep.connections <= MOST
    assert 0 < connections - deep.connections <= MOST_MAIN
    return deep


@pytest.mark.parametrize("name", CONFIGURATIONS)
async def test_each_fact_equals_the_configuration(name: str, keys: Keys) -> None:
    configuration = CONFIGURATIONS[name]
    with backend(configuration.server, configuration.options, keys) as port:
        async with front("127.0.0.1", port, speaks_smtp=False) as server:
            facts = await observe(HOST, server.port)

    deep = check(facts, configuration.expected, server.connections)
    for answer in deep.answers:
        if answer.chain:
            kind = "ecdsa" if "ECDSA" in (answer.cipher or "") else "rsa"
            if answer.question is DeepQuestion.ECDSA_CERTIFICATE:
                kind = "ecdsa"
            assert answer.chain == (keys.der(kind),)


@pytest.mark.parametrize(
    ("suite", "version", "expected"),
    [
        pytest.param(
            "TLS_RSA_EXPORT_WITH_RC4_40_MD5",
            TLS1,
            {Q.LEGACY_VERSION: "TLSv1", Q.BROKEN_SUITES: "RSA_EXPORT_WITH_RC4_40_MD5"},
            id="export",
        ),
        pytest.param(
            "TLS_DHE_RSA_EXPORT_WITH_DES40_CBC_SHA",
            SSL3,
            {Q.LEGACY_VERSION: "SSLv3", Q.BROKEN_SUITES: "SSLv3 EXPORT DH 1024"},
            id="export-dhe",
        ),
        pytest.param(
            "TLS_RSA_WITH_NULL_SHA256", TLS1_2, {Q.BROKEN_SUITES: "RSA_WITH_NULL_SHA256"}, id="null"
        ),
        pytest.param(
            "TLS_ECDH_RSA_WITH_AES_128_CBC_SHA",
            TLS1_2,
            {Q.STATIC_KEY_EXCHANGE: "ECDH_RSA_WITH_AES_128_CBC_SHA"},
            id="static-ecdh",
        ),
        pytest.param(
            "TLS_DH_anon_WITH_RC4_128_MD5",
            TLS1_2,
            {Q.BROKEN_SUITES: "DH_anon_WITH_RC4_128_MD5 DH 1024"},
            id="anonymous-rc4",
        ),
        pytest.param(
            "TLS_RSA_WITH_DES_CBC_SHA",
            TLS1_1,
            {
                Q.LEGACY_VERSION: "TLSv1.1",
                Q.BROKEN_SUITES: "RSA_WITH_DES_CBC_SHA",
                Q.STATIC_KEY_EXCHANGE: "RSA_WITH_DES_CBC_SHA",
            },
            id="des",
        ),
    ],
)
async def test_each_fact_is_what_a_scripted_server_has(
    suite: str, version: int, expected: dict[DeepQuestion, str], keys: Keys
) -> None:
    async with (
        scripted(suite, version, keys.der("rsa")) as port,
        front("127.0.0.1", port, speaks_smtp=False) as server,
    ):
        facts = await observe(HOST, server.port)
    # no main session comes to an end, and no certificate comes with suites that are not broken
    unseen = {Q.RSA_CERTIFICATE: "not-tested", Q.ECDSA_CERTIFICATE: "not-tested"}
    words = dict.fromkeys(Q, "no") | unseen | expected
    check(facts, words, server.connections)


async def test_a_server_of_ssl_3_0_that_refuses_extensions_is_seen(keys: Keys) -> None:
    """SSL 3.0 has none, but lets a client send what it does not know: RFC 6101 §5.6.1.2."""
    old = scripted("TLS_RSA_WITH_RC4_128_MD5", SSL3, keys.der("rsa"), takes_extensions=False)
    async with old as port, front("127.0.0.1", port, speaks_smtp=False) as server:
        facts = await observe(HOST, server.port)

    assert facts.deep is not None
    [legacy] = [each for each in facts.deep.answers if each.question is Q.LEGACY_VERSION]
    assert (legacy.tls_version, legacy.cipher) == ("SSLv3", "TLS_RSA_WITH_RC4_128_MD5")


# servers whose suites Debian's OpenSSL, which sslscan runs, has too; others keep it waiting
SCANNED: Final = (
    *("openssl-rsa", "openssl-old-versions", "openssl-null-too", "openssl-no-dhe"),
    *("openssl-ecdhe-only", "openssl-dh-1024", "gnutls-normal", "gnutls-3des", "gnutls-rc4"),
    *("gnutls-no-static", "gnutls-ffdhe3072", "node-p-384-and-dh"),
)
_BELOW_TLS12: Final = ("TLSv1.1", "TLSv1", "SSLv3")  # highest first


@pytest.mark.parametrize("name", SCANNED)
async def test_each_fact_is_what_sslscan_sees(name: str, keys: Keys) -> None:
    configuration = CONFIGURATIONS[name]
    with backend(configuration.server, configuration.options, keys) as port:
        async with front("127.0.0.1", port, speaks_smtp=False) as server:
            facts = await observe(HOST, server.port)
            scanned = await sslscan(server.port)

    assert facts.deep is not None
    answers = {answer.question: answer for answer in facts.deep.answers}
    for question in (Q.BROKEN_SUITES, Q.STATIC_KEY_EXCHANGE, Q.FINITE_FIELD_DH):
        is_seen = not scanned.suites.isdisjoint(OFFERS[question].suites)
        assert (answers[question].accepted is Answer.YES) is is_seen, question
    old = [version for version in _BELOW_TLS12 if version in scanned.versions]
    assert answers[Q.LEGACY_VERSION].tls_version == (old[0] if old else None)
    bits = answers[Q.FINITE_FIELD_DH].key_exchange_bits
    assert bits is None or not scanned.dh_bits or bits in scanned.dh_bits


async def test_each_fact_is_what_testssl_sees(keys: Keys, tmp_path: Path) -> None:
    """Of SSL 3.0, which sslscan does not see."""
    configuration = CONFIGURATIONS["tlslite-ssl-3.0-3des"]
    with backend(configuration.server, configuration.options, keys) as port:
        async with front("127.0.0.1", port, speaks_smtp=False) as server:
            facts = await observe(HOST, server.port)
            versions, has_broken = await run_testssl(server.port, tmp_path)

    assert facts.deep is not None
    answers = {answer.question: answer for answer in facts.deep.answers}
    old = [version for version in _BELOW_TLS12 if version in versions]
    assert answers[Q.LEGACY_VERSION].tls_version == (old[0] if old else None)
    assert (answers[Q.BROKEN_SUITES].accepted is Answer.YES) is has_broken


@pytest.mark.parametrize("name", MAIL_SERVERS)
async def test_each_fact_equals_the_configuration_of_a_mail_server(
    name: str, tmp_path: Path
) -> None:
    case = MAIL_SERVERS[name]
    server = SERVERS[case.name]
    require(server)

    def configure(site: Site) -> tuple[str, ...]:
        command = server.configure(site)
        case.add(site)
        return command

    changed = replace(server, key_type=case.key_type, configure=configure)
    folder = tmp_path / "site"
    folder.mkdir()
    ca = make_mta_ca(tmp_path)
    with running(changed, "good", ca, folder) as mta:
        async with front(mta.address, mta.port, speaks_smtp=True) as counted:
            facts = await observe(mta.host_name, counted.port)
    check(facts, case.expected, counted.connections)
