"""Where implementations of MTA-STS are known to differ. RFC 8461 §3.1, §3.2.

Compared are an implementation that follows the grammar strictly (mox does; large providers publish
no code), and the two daemons that serve MTA-STS policies to Postfix: postfix-mta-sts-resolver
(1.5.1) and postfix-tlspol (of 2026), as their sources read. Only one thing counts: does it enforce
a policy, and for which MX hosts? Testing, none and invalid are all "not enforced". Not compared:
how a TXT record is split into strings.
"""

import ipaddress
import re
from collections.abc import Sequence
from typing import Final

from prober.records import PolicyFetch, StsStatus
from prober.rules.sts_policy import MAX_AGE_LIMIT_S, VERSION, StsPolicy, fetched_body, parse_policy

Enforced = frozenset[str] | None
"""The MX patterns that are enforced, in lower case; None if nothing is enforced."""

_BEGIN: Final = f"v={VERSION}"
_ENFORCE: Final = StsStatus.ENFORCE.value
_CHARSET: Final = re.compile(r';\s*charset\s*=\s*"?([^";\s]*)', re.IGNORECASE)
# postfix-mta-sts-resolver decodes with the charset of the header, or ASCII. A charset that Python
# does not know is an error. All of these include ASCII. The first group can decode any body.
_ANY_BODY: Final = ("utf-8", "utf8", "iso-8859-1", "latin1", "latin-1")
_ASCII_BODY: Final = frozenset(
    ["", "ascii", "us-ascii", "koi8-r", "gbk", "gb2312", "big5", "euc-jp", "euc-kr", "shift_jis"]
    + [f"iso-8859-{part}" for part in range(2, 16) if part != 12]
    + [f"windows-{page}" for page in range(1250, 1259)]
)
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_MAX_NAME: Final = 253
_DIGITS: Final = re.compile(r"[0-9]{1,20}")
_MAX_UINT64: Final = 2**64 - 1


def may_announce(records: Sequence[str]) -> bool:
    """Whether some implementation reads one of the TXT *records* as an announcement."""
    return any(record.startswith(_BEGIN) for record in records)


def media_type(content_type: str | None) -> str:
    """The media type of a Content-Type header in lower case, without its parameters."""
    return (content_type or "").partition(";")[0].strip().lower()


def disagreement(records: Sequence[str], fetch: PolicyFetch | None, *, valid_txt: bool) -> str:
    """Which implementations enforce the policy in *fetch* and which do not; empty if all agree.

    *valid_txt*: whether the TXT *records* are valid by RFC 8461. Without a policy, all agree.
    """
    body = fetched_body(fetch)
    if fetch is None or body is None:
        return ""
    content_type = fetch.content_type
    readers: dict[str, Enforced] = {
        "strict readers": _strict(body, content_type) if valid_txt else None,
        "postfix-mta-sts-resolver": (
            _mta_sts_resolver(body, content_type) if _mta_sts_resolver_fetches(records) else None
        ),
        "postfix-tlspol": _tlspol(body) if may_announce(records) else None,
    }
    if len(set(readers.values())) == 1:
        return ""
    enforcing = " and ".join(name for name, patterns in readers.items() if patterns is not None)
    others = " and ".join(name for name, patterns in readers.items() if patterns is None)
    if not others:
        return f"{enforcing} enforce it for different MX hosts"
    return f"enforced by {enforcing}, and not by {others}"


def _strict(body: str, content_type: str | None) -> Enforced:
    """Follows the grammar, so a remark makes it invalid. The media type SHOULD be checked."""
    policy = parse_policy(body)
    if not isinstance(policy, StsPolicy) or policy.remarks or policy.mode is not StsStatus.ENFORCE:
        return None
    return frozenset(policy.mx) if media_type(content_type) == "text/plain" else None


def _mta_sts_resolver_fetches(records: Sequence[str]) -> bool:
    """Needs exactly one record that begins with ``v=STSv1``, with that version and any ``id``."""
    chosen = [record for record in records if record.startswith(_BEGIN)]
    if len(chosen) != 1:
        return False
    pieces = (piece.strip() for piece in chosen[0].split(";"))
    fields = dict(piece.partition("=")[::2] for piece in pieces if piece)
    return fields.get("v") == VERSION and "id" in fields


def _mta_sts_resolver(body: str, content_type: str | None) -> Enforced:
    """Reads as postfix-mta-sts-resolver does.

    It accepts any line end and any text as an MX host. The last of several values counts. It checks
    the media type.
    """
    if media_type(content_type) != "text/plain" or not _decodes(body, content_type):
        return None
    fields: dict[str, str] = {}
    patterns: set[str] = set()
    for line in body.splitlines():
        name, _, value = line.rstrip().partition(":")
        if name == "mx":
            patterns.add(value.lstrip().lower())
        else:
            fields[name] = value.lstrip()
    try:
        max_age = int(fields.get("max_age", ""))
    except ValueError:
        return None
    known = fields.get("version") == VERSION and fields.get("mode") == _ENFORCE
    in_range = 0 <= max_age <= MAX_AGE_LIMIT_S
    return frozenset(patterns) if known and in_range and patterns else None


def _decodes(body: str, content_type: str | None) -> bool:
    match = _CHARSET.search(content_type or "")
    charset = match[1].lower() if match else ""
    return charset in _ANY_BODY or (charset in _ASCII_BODY and body.isascii())


def _tlspol(body: str) -> Enforced:
    """Reads as postfix-tlspol does.

    The first of several values counts. It accepts blanks around names and a large ``max_age``, and
    ignores the media type.
    """
    fields: dict[str, str] = {}
    patterns: set[str] = set()
    for line in body.split("\n"):
        name, colon, value = (part.strip() for part in line.strip().partition(":"))
        if not line.strip() or "{" in line or "}" in line:
            continue
        if not colon:
            return None
        if name == "mx":
            if not _is_host_name(value.removeprefix("*.")):
                return None
            patterns.add(value.lower())
        else:
            fields.setdefault(name, value)
    max_age = fields.get("max_age", "")
    if not _DIGITS.fullmatch(max_age) or int(max_age) > _MAX_UINT64:
        return None
    known = fields.get("version") == VERSION and fields.get("mode") == _ENFORCE
    return frozenset(patterns) if known and patterns else None


def _is_host_name(name: str) -> bool:
    """Letters, digits and hyphens, with an optional dot at the end, and not an IPv4 address."""
    labels = name.lower().removesuffix(".").split(".")
    try:
        ipaddress.IPv4Address(name.removesuffix("."))
    except ValueError:
        return len(name) <= _MAX_NAME and all(map(_LABEL.fullmatch, labels))
    return False
