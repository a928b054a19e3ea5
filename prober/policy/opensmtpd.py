"""Policy tables for OpenSMTPD: a file to ``include`` in smtpd.conf. smtpd.conf(5), table(5).

``match … for domain`` takes a list, and a list has no values. So each level has a table; inline
tables keep both in one file. OpenSMTPD has no DANE, and no setting for the name to verify.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from prober.errors import InputError, SettingsError
from prober.policy.base import (
    LiveMap,
    MapFormat,
    Provenance,
    commented,
    domain_of,
    standing,
    told,
)
from prober.policy.decide import Decision, Policy, PolicyLevel

PRESUMED: Final = """
smtpd.conf must have, in this order:
  include "/etc/mail/tls-policy.conf"
  action "tls_verify" relay tls
  action "tls_encrypt" relay tls no-verify
  match for domain <tls_verify> action "tls_verify"
  match for domain <tls_encrypt> action "tls_encrypt"
and below that what delivers to all other domains. Its TLS is LibreSSL's: 1.2 or better.
"""
_TABLES: Final = {"tls_verify": PolicyLevel.VERIFY, "tls_encrypt": PolicyLevel.ENCRYPT}
_SEPARATORS: Final = ", \t\r\n\\"
_MOST: Final = 4900  # of one table: more exhausts the stack of smtpd's parser, "memory exhausted"
_NOBODY: Final = "nobody.invalid"  # RFC 6761 §6.4; a table must have a member


class OpenSmtpdMap(MapFormat):
    """``table tls_verify { "domain", … }`` and ``table tls_encrypt { … }``."""

    levels = (PolicyLevel.VERIFY, PolicyLevel.ENCRYPT)
    weak_dh = False  # Debian's has OpenSSL 3, with the security level 2

    def parse(self, text: str) -> LiveMap:
        """Read what ``render`` writes. Anything else is not a map of this program."""
        lines = (line for line in text.split("\n") if not line.lstrip().startswith("#"))
        *tables, rest = "\n".join(lines).split("}")
        if rest.strip():
            raise InputError("it has more in it than tables: it is not a map of this program")
        policies: dict[str, Policy] = {}
        for table in tables:
            head, _, listed = table.partition("{")
            level = _level_of(head)
            for domain in _members(listed, head.split()[1]):
                if level is PolicyLevel.VERIFY or domain not in policies:  # as the rules match
                    policies[domain] = Policy(level=level)
        return LiveMap(policies=policies)

    def render(self, decisions: Sequence[Decision], live: LiveMap, provenance: Provenance) -> str:
        """Raises ``SettingsError`` if a table has more members than smtpd.conf can hold."""
        tables = [commented([*told(provenance), *PRESUMED.splitlines()])]
        lines = tuple(standing(decisions))
        for name, level in _TABLES.items():
            members = [domain for domain, policy in lines if policy.level is level] or [_NOBODY]
            if len(members) > _MOST:
                raise SettingsError(
                    f"{len(members)} domains for {name}; OpenSMTPD reads at most {_MOST} from its "
                    "configuration: take --for csv, and make table files of that"
                )
            # the grammar takes no line end between the braces, unless behind a backslash
            listed = ", \\\n".join(f'    "{member}"' for member in members)
            tables.append(f"table {name} {{ \\\n{listed} }}\n")
        return "".join(tables)


def _level_of(head: str) -> PolicyLevel:
    """The level of the table that begins with *head*."""
    match head.split():
        case ["table", name] if name in _TABLES:
            return _TABLES[name]
        case ["table", name]:
            raise InputError(f"a table {name}: it is not a map of this program")
        case _:
            raise InputError("it has more in it than tables: it is not a map of this program")


def _members(listed: str, table: str) -> Iterator[str]:
    """The domains between the braces: each in quotes, with only separators between them."""
    pieces = listed.split('"')  # by turns what is between quoted members, and a member
    if len(pieces) % 2 == 0 or any(piece.strip(_SEPARATORS) for piece in pieces[::2]):
        raise InputError(f"table {table} has a member that is not in quotes: quote all of them")
    for member in pieces[1::2]:
        domain = domain_of(member)
        if domain is None:
            raise InputError(f"{member!a} in table {table} is not a domain")
        if domain != _NOBODY:
            yield domain
