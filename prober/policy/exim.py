"""A policy map for Exim: a file for ``lsearch``, and the transport options that use it.

The Exim specification, chapter 30 (the smtp transport): the options are host lists, which Exim
expands first. Exim checks a certificate against the name of the host, and cannot check it against
the domain, so ``secure`` is not among its levels.
"""

from collections.abc import Sequence
from typing import Final

from prober.errors import InputError
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
from prober.policy.decide import Decision, Policy, PolicyLevel

PRESUMED: Final = """
Before the routers:
  TLS_NEXTHOP = ${utf8_domain_to_alabel:$domain}         (built without SMTPUTF8: $domain)
  TLS_POLICY = ${lookup{TLS_NEXTHOP}lsearch{/etc/exim4/tls_policy}{$value}{may}}
In the smtp transport that delivers to other domains:
  multi_domain = false
  connection_max_messages = 1
  hosts_require_tls = ${if inlist{TLS_POLICY}{encrypt:verify:dane-only}{*}}
  tls_verify_hosts = ${if eq{TLS_POLICY}{verify}{*}}
  tls_verify_cert_hostnames = *
  tls_verify_certificates = system
  hosts_require_dane = ${if eq{TLS_POLICY}{dane-only}{*}}
  tls_sni = $host
  tls_require_ciphers = NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2
The last is for GnuTLS, which Debian's Exim has, and holds for all mail; with OpenSSL:
  openssl_options = +no_sslv3 +no_tlsv1 +no_tlsv1_1      (in the main section)
Without connection_max_messages = 1, mail that waits for a server goes over a connection that was
opened to it for another domain, and which meets the line of that other domain only.
For dane-only, in the router: dnssec_request_domains = *, and a resolver that validates.
"""


class EximMap(MapFormat):
    """``domain: level``, one per line; IDN domains in both spellings."""

    levels = (PolicyLevel.DANE_ONLY, PolicyLevel.VERIFY, PolicyLevel.ENCRYPT)
    asks_behind_alias = True  # $host is the target, and no variable has the alias

    def parse(self, text: str) -> LiveMap:
        policies: dict[str, Policy] = {}
        foreign: list[str] = []
        known: set[str] = set()
        for number, line in meaningful_lines(text):
            key, _, value = line.replace(":", " ", 1).partition(" ")
            if not value.strip():
                raise InputError(f"line {number}: a domain without a level")
            if len(value.split()) > 1:
                raise InputError(f"line {number}: more than a level behind {key[:80]!a}")
            if key.lower() in known:  # lsearch uses the first one
                continue
            known.add(key.lower())
            domain, word = domain_of(key), value.strip()
            if domain is None or word not in self.levels:
                foreign.append(line)
            else:
                policies.setdefault(domain, Policy(level=PolicyLevel(word)))
        return LiveMap(policies=policies, foreign=tuple(foreign))

    def render(self, decisions: Sequence[Decision], live: LiveMap, provenance: Provenance) -> str:
        head = commented([*told(provenance), *PRESUMED.splitlines()])
        lines = [
            f"{key}: {policy.level}"
            for domain, policy in standing(decisions)
            for key in spellings(domain)
        ]
        return head + "".join(f"{line}\n" for line in (*live.foreign, *lines))
