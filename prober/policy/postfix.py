"""A policy map for Postfix: a table for ``smtp_tls_policy_maps``. postconf(5), TLS_README."""

import re
from collections.abc import Sequence
from typing import Final

from prober.errors import InputError, SettingsError
from prober.policy.base import (
    LiveMap,
    MapFormat,
    Provenance,
    commented,
    domain_of,
    meaningful_lines,
    spellings,
    standing,
    told,
)
from prober.policy.decide import Decision, Policy, PolicyLevel, mx_patterns

_PRESUMED: Final = """
Without these settings in main.cf this map holds mail back, or does not require what it says:
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


_PRESUMED_OF_STS: Final = """
Lines with policy_type=sts need Postfix 3.10.5, and the default of this setting:
  smtp_tls_enforce_sts_mx_patterns = yes   (it goes only to MX hosts that the MTA-STS policy lists,
                                            and asks each for a certificate of its own name)
Older versions hold the mail for such a line back.
"""
# RELEASE_NOTES of Postfix 3.10.5. The attributes are of 3.10 (TLSRPT_README, "MTA-STS Support via
# smtp_tls_policy_maps"), which takes them and does not enforce them.
_ENFORCES_STS: Final = (3, 10, 5)
_VERSION: Final = re.compile(r"(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?")


# postconf(5), smtp_tls_policy_maps
_LEVELS_OF_POSTFIX: Final = [
    [level] for level in "none may encrypt dane dane-only fingerprint verify secure".split()
]


class PostfixMap(MapFormat):
    """``domain level [match=name:name]``, one per line; IDN domains in both spellings.

    *version* is that of the Postfix that reads it; without it, every version can. Raises
    ``SettingsError`` if it is not a version.
    """

    levels = tuple(PolicyLevel)

    def __init__(self, version: str | None = None) -> None:
        numbers = _VERSION.fullmatch(version) if version is not None else None
        if version is not None and numbers is None:
            raise SettingsError(
                f"{version!a} is not a version of Postfix: give X.Y.Z, as in "
                "`postconf -h mail_version`"
            )
        parts = (int(number or 0) for number in numbers.groups()) if numbers is not None else ()
        self._enforces_sts = tuple(parts) >= _ENFORCES_STS

    def parse(self, text: str) -> LiveMap:
        """Read a table. Lines with other levels, attributes or keys are foreign: they stay.

        Raises InputError for a line without a level of Postfix: the file is another kind of map.
        """
        policies: dict[str, Policy] = {}
        foreign: list[str] = []
        known: set[str] = set()
        for number, line in meaningful_lines(text):
            key, _, value = line.replace("\t", " ").partition(" ")
            if value.replace(",", " ").split()[:1] not in _LEVELS_OF_POSTFIX:
                raise InputError(f"line {number}: no level of Postfix behind {key[:80]!a}")
            if key.lower() in known:  # "duplicate entry": Postfix uses the first one
                continue
            known.add(key.lower())
            domain = domain_of(key)
            policy = parse_policy(value, domain) if domain is not None else None
            if domain is None or policy is None:
                foreign.append(line)
            else:
                policies.setdefault(domain, policy)
        return LiveMap(policies=policies, foreign=tuple(foreign))

    def render(self, decisions: Sequence[Decision], live: LiveMap, provenance: Provenance) -> str:
        """Foreign lines first, then ours by domain."""
        of_sts = _PRESUMED_OF_STS.splitlines() if self._enforces_sts else ()
        head = commented([*told(provenance), *_PRESUMED.splitlines(), *of_sts])
        lines = [
            f"{key} {show_policy(policy)}{self._attributes(domain, policy)}"
            for domain, policy in standing(decisions)
            for key in spellings(domain)
        ]
        return head + "".join(f"{line}\n" for line in (*live.foreign, *lines))

    def _attributes(self, domain: str, policy: Policy) -> str:
        """The attributes that mark an MTA-STS line. TLSRPT_README; one mx_host_pattern per name."""
        if not policy.sts or not self._enforces_sts:
            return ""
        patterns = (f" mx_host_pattern={pattern}" for pattern in mx_patterns(policy.match))
        return f" policy_type=sts policy_domain={domain}{''.join(patterns)}"


def parse_policy(value: str, domain: str) -> Policy | None:
    """The policy for *domain* in a right-hand side; ``None`` if this program does not write it."""
    word, *attributes = value.replace(",", " ").split() or [""]
    if word not in tuple(PolicyLevel):
        return None
    level = PolicyLevel(word)
    match: list[str] = []
    of_sts: list[tuple[str, str]] = []
    for attribute in attributes:
        name, _, text = attribute.lower().partition("=")
        if level is not PolicyLevel.SECURE or not text:
            return None
        if name == "match":
            match += text.split(":")
        else:
            of_sts.append((name, text))
    patterns = (("mx_host_pattern", pattern) for pattern in mx_patterns(match))
    if of_sts and of_sts != [("policy_type", "sts"), ("policy_domain", domain), *patterns]:
        return None
    return Policy(level=level, match=tuple(match), sts=bool(of_sts))


def show_policy(policy: Policy) -> str:
    """*policy* as the right-hand side of a table."""
    names = ":".join(policy.match)
    return f"{policy.level} match={names}" if names else str(policy.level)
