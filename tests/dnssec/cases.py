"""MX hosts, each of a domain of its own below ``test``, and what a DANE sender makes of them."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from prober.lab.certificates import CertificateKind, LabCa, ServerCertificate
from prober.lab.personalities import sound
from prober.lab.personalities.ehlo import NoStarttls
from prober.lab.personalities.scripted import Personality, Scripted
from prober.records import Answer, Dane
from tests.dnssec.tree import Trust, Zone
from tests.personalities.sound import MisorderedChain


@dataclass(frozen=True, kw_only=True)
class Case:
    """A domain ``{id}.test`` whose MX host, ``mx.{id}.test`` unless told, has these records.

    A record is written as in a zone file, but with what it is of in place of its data: ``leaf``,
    ``intermediate``, ``root``, ``other`` for a certificate of nobody here, or ``short`` for one
    byte, which is of nothing.
    """

    id: str
    tlsa: tuple[str, ...]
    dane: Dane
    personality: Personality = field(default_factory=sound.WellConfigured)
    mx: str | None = None  # the name of the MX host; the domain's own: there is no MX record
    certificate_for: str | None = None  # in place of the MX host's name
    alias_of: str | None = None  # the name of the host's address
    tlsa_at: str | None = None  # in place of the MX host's name
    own_zone: Trust | None = None  # of the domain, where it is not of the zone ``test``
    host_zone: Trust | None = None  # of the host, where it is not of the domain's
    tlsa_zone: Trust | None = None  # of ``_tcp`` below the host, where it is one

    @property
    def domain(self) -> str:
        return f"{self.id}.test"

    @property
    def host(self) -> str:
        return self.mx or f"mx.{self.id}.test"

    @property
    def server_name(self) -> str:
        """What the mail server calls itself."""
        return self.certificate_for or self.host

    @property
    def insists(self) -> Answer:
        """Whether the domain tells senders to insist on TLS by DANE. RFC 7672 §2.2.1."""
        if self.own_zone is Trust.UNSIGNED or self.dane in (NONE, UNUSABLE):
            return Answer.NO
        return Answer.NOT_TESTED if self.dane is NOT_TESTED else Answer.YES

    def zones(self) -> Iterator[tuple[str, Trust]]:
        if self.own_zone is not None:
            yield self.domain, self.own_zone
        if self.host_zone is not None:
            yield self.host, self.host_zone
        if self.tlsa_zone is not None:
            yield f"_tcp.{self.host}", self.tlsa_zone

    def records(self, address: str, port: int, ca: LabCa) -> Iterator[tuple[str, str, str]]:
        if self.host != self.domain:
            yield self.domain, "MX", f"10 {self.host}."
        if self.alias_of is not None:
            yield self.host, "CNAME", f"{self.alias_of}."
        yield self.alias_of or self.host, "A", address
        certificates = _certificates(ca.issue(_kind(self.personality), self.server_name), ca)
        for text in self.tlsa:
            yield f"_{port}._tcp.{self.tlsa_at or self.host}", "TLSA", _fill_in(text, certificates)


def _kind(personality: Personality) -> CertificateKind:
    return personality.certificate if isinstance(personality, Scripted) else CertificateKind.GOOD


def _certificates(server: ServerCertificate, ca: LabCa) -> dict[str, x509.Certificate]:
    other = ca.issue(CertificateKind.SELF_SIGNED, "other.test").leaf
    return {"leaf": server.leaf, "intermediate": ca.intermediate, "root": ca.root, "other": other}


def _fill_in(text: str, certificates: dict[str, x509.Certificate]) -> str:
    usage, selector, matching_type, of = text.split()
    if of == "short":
        return f"{usage} {selector} {matching_type} 00"
    certificate = certificates[of]
    data = certificate.public_bytes(Encoding.DER)
    if selector == "1":
        key = certificate.public_key()
        data = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    digest = {"1": hashlib.sha256, "2": hashlib.sha512}.get(matching_type)
    if digest is not None:
        data = digest(data).digest()
    return f"{usage} {selector} {matching_type} {data.hex()}"


def lay_out(records: Sequence[tuple[str, str, str]], zones: dict[str, Trust]) -> tuple[Zone, ...]:
    """Each record in the closest zone above it."""
    return tuple(
        Zone(name, trust, tuple(each for each in records if _zone_of(each[0], zones) == name))
        for name, trust in zones.items()
    )


def _zone_of(owner: str, zones: dict[str, Trust]) -> str:
    above = [zone for zone in zones if not zone or f".{owner}".endswith(f".{zone}")]
    return max(above, key=len)


MATCH, MISMATCH, UNUSABLE = Dane.MATCH, Dane.MISMATCH, Dane.UNUSABLE
NONE, NO_TLS, NOT_TESTED = Dane.NONE, Dane.NO_TLS, Dane.NOT_TESTED

CASES = (
    Case(
        id="mismatch",
        tlsa=("3 1 1 other",),
        dane=MISMATCH,
    ),
    Case(
        id="ee-expired-elsewhere",
        tlsa=("3 0 1 other",),
        personality=sound.Expired(),
        dane=MISMATCH,
    ),
    Case(
        id="ta-not-sent",
        tlsa=("2 0 1 root",),
        dane=MISMATCH,
    ),
    Case(
        id="ta-wrong-name",
        tlsa=("2 0 1 intermediate",),
        personality=sound.WrongName(),
        dane=MISMATCH,
    ),
    Case(
        id="ta-expired",
        tlsa=("2 0 1 intermediate",),
        personality=sound.Expired(),
        dane=MISMATCH,
    ),
    Case(
        id="no-tls",
        tlsa=("3 1 1 leaf",),
        personality=NoStarttls(),
        dane=NO_TLS,
    ),
    Case(
        id="weaker-digest-matches",
        tlsa=("3 1 1 leaf", "3 1 2 other"),
        dane=MISMATCH,
    ),
    Case(
        id="ta-name-of-alias",
        tlsa=("2 0 1 intermediate",),
        alias_of="real.ta-name-of-alias.test",
        tlsa_at="real.ta-name-of-alias.test",
        dane=MISMATCH,
    ),
    Case(
        id="mixed-mismatch",
        tlsa=("1 1 1 leaf", "3 1 1 other"),
        dane=MISMATCH,
    ),
    Case(
        id="servfail",
        tlsa=("3 1 1 leaf",),
        tlsa_zone=Trust.NOT_LOADED,
        dane=NOT_TESTED,
    ),
    Case(
        id="bogus-tlsa",
        tlsa=("3 1 1 leaf",),
        tlsa_zone=Trust.BOGUS,
        dane=NOT_TESTED,
    ),
    Case(
        id="bogus-host",
        tlsa=("3 1 1 leaf",),
        host_zone=Trust.BOGUS,
        dane=NOT_TESTED,
    ),
    Case(
        id="bogus",
        tlsa=("3 1 1 leaf",),
        own_zone=Trust.BOGUS,
        dane=NOT_TESTED,
    ),
    Case(
        id="unusable",
        tlsa=("0 0 1 root", "1 1 1 leaf"),
        dane=UNUSABLE,
    ),
    Case(id="malformed", tlsa=("3 1 1 short",), dane=UNUSABLE),
    Case(
        id="none",
        tlsa=(),
        dane=NONE,
    ),
    Case(
        id="insecure",
        tlsa=("3 1 1 other",),
        own_zone=Trust.UNSIGNED,
        dane=NONE,
    ),
    Case(
        id="insecure-tlsa",
        tlsa=("3 1 1 other",),
        tlsa_zone=Trust.UNSIGNED,
        dane=NONE,
    ),
    Case(
        id="ee-key",
        tlsa=("3 1 1 leaf",),
        dane=MATCH,
    ),
    Case(
        id="ee-key-full",
        tlsa=("3 1 0 leaf",),
        dane=MATCH,
    ),
    Case(
        id="ee-certificate",
        tlsa=("3 0 2 leaf",),
        dane=MATCH,
    ),
    Case(
        id="ee-expired",
        tlsa=("3 1 1 leaf",),
        personality=sound.Expired(),
        dane=MATCH,
    ),
    Case(
        id="ee-wrong-name",
        tlsa=("3 1 1 leaf",),
        personality=sound.WrongName(),
        dane=MATCH,
    ),
    Case(
        id="ee-self-signed",
        tlsa=("3 1 1 leaf",),
        personality=sound.SelfSigned(),
        dane=MATCH,
    ),
    Case(
        id="ta-sent",
        tlsa=("2 0 1 root",),
        personality=MisorderedChain(),
        dane=MATCH,
    ),
    Case(
        id="ta-intermediate",
        tlsa=("2 1 1 intermediate",),
        dane=MATCH,
    ),
    Case(
        id="ta-next-hop",
        tlsa=("2 0 1 intermediate",),
        certificate_for="ta-next-hop.test",
        dane=MATCH,
    ),
    Case(
        id="ta-name-of-base",
        tlsa=("2 0 1 intermediate",),
        alias_of="real.ta-name-of-base.test",
        tlsa_at="real.ta-name-of-base.test",
        certificate_for="real.ta-name-of-base.test",
        dane=MATCH,
    ),
    Case(
        id="ta-published",
        tlsa=("2 0 0 root",),
        dane=MATCH,
    ),
    Case(
        id="ta-key-published",
        tlsa=("2 1 0 root",),
        dane=MATCH,
    ),
    Case(
        id="mixed",
        tlsa=("1 1 1 other", "3 1 1 leaf"),
        dane=MATCH,
    ),
    Case(id="mixed-malformed", tlsa=("3 1 1 leaf", "3 1 2 short"), dane=MATCH),
    Case(
        id="stale-and-fresh",
        tlsa=("3 1 1 other", "3 1 1 leaf"),
        dane=MATCH,
    ),
    Case(
        id="cname-base",
        tlsa=("3 1 1 leaf",),
        alias_of="real.cname-base.test",
        tlsa_at="real.cname-base.test",
        dane=MATCH,
    ),
    Case(
        id="cname-base-mismatch",
        tlsa=("3 1 1 other",),
        alias_of="real.cname-base-mismatch.test",
        tlsa_at="real.cname-base-mismatch.test",
        dane=MISMATCH,
    ),
    Case(
        id="cname-original",
        tlsa=("3 1 1 leaf",),
        alias_of="real.cname-original.test",
        dane=MATCH,
    ),
    Case(
        id="secure-alias-out",
        tlsa=("3 1 1 leaf",),
        alias_of="secure-alias-out.insecure.test",
        dane=MATCH,
    ),
    Case(
        id="secure-alias-out-mismatch",
        tlsa=("3 1 1 other",),
        alias_of="secure-alias-out-mismatch.insecure.test",
        dane=MISMATCH,
    ),
    Case(
        id="secure-alias-out-no-tlsa",
        tlsa=(),
        alias_of="secure-alias-out-no-tlsa.insecure.test",
        dane=NONE,
    ),
    Case(id="implicit-mx", tlsa=("3 1 1 leaf",), mx="implicit-mx.test", dane=MATCH),
    Case(id="implicit-mismatch", tlsa=("3 1 1 other",), mx="implicit-mismatch.test", dane=MISMATCH),
    Case(
        id="mx-insecure",
        tlsa=("3 1 1 leaf",),
        own_zone=Trust.UNSIGNED,
        mx="mx-insecure-host.test",
        dane=MATCH,
    ),
    Case(
        id="mx-insecure-mismatch",
        tlsa=("3 1 1 other",),
        own_zone=Trust.UNSIGNED,
        mx="mx-insecure-mismatch-host.test",
        dane=MISMATCH,
    ),
)
