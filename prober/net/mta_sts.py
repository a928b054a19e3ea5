"""What a domain publishes for MTA-STS and TLS-RPT: its TXT records and its policy file.

RFC 8461 §3, RFC 8460 §3. ``https.py`` fetches the policy. Nothing is cached between runs (§3.3
forbids HTTP caching). Revocation, which senders MAY check, is not checked.
"""

import logging
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from dns.rdtypes.ANY.TXT import TXT

from prober.errors import SettingsError
from prober.escape import as_ascii
from prober.net.resolver import Resolver
from prober.net.trust import pem_blocks
from prober.records import Failure, PolicyFetch, Step, StsFacts, TrustStore, TxtFacts
from prober.rules.sts_readers import may_announce
from prober.settings import Settings

log = logging.getLogger(__name__)

STS_LABEL: Final = "_mta-sts"  # RFC 8461 §3.1
TLS_RPT_LABEL: Final = "_smtp._tls"  # RFC 8460 §3
_PATH: Final = "/.well-known/mta-sts.txt"  # RFC 8461 §3.3


async def observe_sts(
    domain: str, resolver: Resolver, client: "PolicyClient", *, without_txt: bool = False
) -> StsFacts:
    """The TXT record of *domain* and, if some sender would fetch it, the policy file.

    RFC 8461 §3.1, §3.3. *without_txt* fetches the policy without regard to the record, to find a
    policy that no sender looks for.
    """
    txt = await observe_txt(STS_LABEL, domain, resolver)
    announced = txt.failure is None and may_announce(txt.records)
    fetched = await client.fetch(domain) if announced or without_txt else None
    return StsFacts(txt=txt, fetch=fetched)


async def observe_txt(label: str, domain: str, resolver: Resolver) -> TxtFacts:
    """The TXT records at *label* below *domain*. The strings of a record are joined."""
    answer = await resolver.query(f"{label}.{domain}", "TXT")
    if answer.reason is not None:
        failure = Failure(step=Step.RESOLVE, reason=answer.reason, detail=answer.detail)
        return TxtFacts(failure=failure)
    texts = (b"".join(record.strings) for record in answer.records if isinstance(record, TXT))
    return TxtFacts(records=tuple(map(as_ascii, texts)))


class PolicyClient:
    """Fetches policies, each over its own connection, so there is nothing to close.

    The certificate of a policy host must chain to *trust_store* and name the host in a DNS-ID (RFC
    8461 §3.3). Raises SettingsError if the store cannot be read any more.
    """

    def __init__(self, settings: Settings, resolver: Resolver, trust_store: TrustStore) -> None:
        self._settings = settings
        self._resolver = resolver
        self._context = _tls_context(trust_store)

    async def fetch(self, domain: str) -> PolicyFetch:
        """The policy file of *domain*; ``failure`` says why there is none. RFC 8461 §3.3.

        Redirects are not followed, and the size is bounded. The body is not parsed.
        """
        return await self.fetch_from(f"mta-sts.{domain}", _PATH)

    async def fetch_from(self, host: str, path: str) -> PolicyFetch:
        """The file at *path* of *host*, such as a key in a Web Key Directory."""
        from prober.net.https import HttpsClient  # slow to import, and most domains have no policy

        client = HttpsClient(self._settings, self._resolver, self._context)
        return await client.fetch_from(host, path)


def _tls_context(trust_store: TrustStore) -> ssl.SSLContext | None:
    """RFC 8461 §3.3, §7.1, §7.2: by DNS-ID only, with SNI, TLS 1.2 at least; ``None``: no store."""
    if trust_store.source is None or trust_store.certificates == 0:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_RENEGOTIATION  # a server could ask for it forever
    context.set_ciphers(":".join(_without_dhe(context)))
    try:
        pem = Path(trust_store.source).read_bytes()
    except OSError as error:
        why = f"cannot read the trust store {trust_store.source}: {error.strerror}"
        raise SettingsError(why) from error
    for block in pem_blocks(pem):
        try:
            context.load_verify_locations(cadata=block.decode("ascii", "replace"))
        except ssl.SSLError as error:
            log.warning("a certificate of the trust store cannot be read: %r", error)
    return context


def _without_dhe(context: ssl.SSLContext) -> Iterator[str]:
    """The suites of *context* except those with finite-field Diffie-Hellman.

    The server chooses the group, and 10,000 bits take two seconds. Browsers do not offer it.
    """
    return (each["name"] for each in context.get_ciphers() if each["kea"] != "kx-dhe")
