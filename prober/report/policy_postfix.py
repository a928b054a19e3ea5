"""A policy map for Postfix: a table for ``smtp_tls_policy_maps``. postconf(5), TLS_README."""

from collections.abc import Iterator, Sequence
from typing import Final

import idna

from prober.report.policy_format import (
    LiveMap,
    MapFormat,
    Provenance,
    commented,
    domain_of,
    meaningful_lines,
    standing,
    told,
)
from prober.rules.policy_map import Decision, Policy, PolicyLevel

_PRESUMED: Final = """
main.cf must have, or this map holds mail back, or promises what it does not keep:
  smtp_tls_policy_maps = texthash:/etc/postfix/tls_policy
  smtp_tls_security_level = may            (for all other domains. With dane, a line here takes
                                            the place of DANE: use results of a machine whose
                                            resolver validates, and not --no-dane)
  smtp_tls_mandatory_protocols = >=TLSv1.2 (Postfix 3.6; before: !SSLv2,!SSLv3,!TLSv1,!TLSv1.1)
  smtp_tls_servername = hostname           (or else no SNI is sent, and servers with several
                                            certificates send one that does not match)
  smtp_tls_CAfile = /etc/ssl/certs/ca-certificates.crt
  smtp_dns_support_level = dnssec          (for dane-only, with a validating resolver that only
                                            this machine can speak to; or write no dane-only
                                            line: --no-dane)
texthash: needs "postfix reload" after a change; for hash: or lmdb: run postmap.
"""


class PostfixMap(MapFormat):
    """``domain level [match=name:name]``, one a line; IDN domains in both their spellings."""

    levels = tuple(PolicyLevel)

    def parse(self, text: str) -> LiveMap:
        """Lines of other levels, attributes or keys stay as they are: they are foreign."""
        policies: dict[str, Policy] = {}
        foreign: list[str] = []
        for _, line in meaningful_lines(text):
            key, _, value = line.replace("\t", " ").partition(" ")
            domain, policy = domain_of(key), parse_policy(value)
            if domain is None or policy is None:
                foreign.append(line)
            else:
                policies.setdefault(domain, policy)
        return LiveMap(policies=policies, foreign=tuple(foreign))

    def render(self, decisions: Sequence[Decision], live: LiveMap, provenance: Provenance) -> str:
        """Foreign lines first, then ours by domain."""
        head = commented([*told(provenance), *_PRESUMED.splitlines()])
        lines = [
            f"{key} {show_policy(policy)}"
            for domain, policy in standing(decisions)
            for key in _spellings(domain)
        ]
        return head + "".join(f"{line}\n" for line in (*live.foreign, *lines))


def parse_policy(value: str) -> Policy | None:
    """The policy in the right-hand side of a table; ``None`` for one that we do not write."""
    word, *attributes = value.replace(",", " ").split() or [""]
    if word not in tuple(PolicyLevel):
        return None
    level = PolicyLevel(word)
    match: list[str] = []
    for attribute in attributes:
        name, _, names = attribute.partition("=")
        if name.lower() != "match" or level is not PolicyLevel.SECURE or not names:
            return None
        match += names.lower().split(":")
    return Policy(level=level, match=tuple(match))


def show_policy(policy: Policy) -> str:
    """*policy* as the right-hand side of a table."""
    names = ":".join(policy.match)
    return f"{policy.level} match={names}" if names else str(policy.level)


def _spellings(domain: str) -> Iterator[str]:
    """Postfix looks an address up as it is spelt: SMTPUTF8_README, "no conversion"."""
    yield domain
    try:
        unicode = idna.decode(domain)
    except (idna.IDNAError, UnicodeError):
        return
    if unicode != domain and " " not in unicode:
        yield unicode
