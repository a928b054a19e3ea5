"""How the certificates of a chain belong together, and whether they are strong enough.

A certificate is named by its position as sent; 0 is the leaf. Which one issued another is decided
by names alone (RFC 5280 §6.1.3 (a)(4)). OpenSSL has verified the signatures: the facts say so.
"""

from collections.abc import Iterable, Iterator, Sequence

from prober.records import Answer, all_of
from prober.rules.certificate_fields import Key, ReadCertificate, Signature
from prober.rules.thresholds import MIN_KEY_BITS, WEAK_SIGNATURE_DIGESTS


def weak_key(certificate: ReadCertificate) -> Key | None:
    """The key, where it is below 112-bit strength; a kind without a threshold never is."""
    key = certificate.key
    if key is None or key.bits is None or key.bits >= MIN_KEY_BITS.get(key.kind, 0):
        return None
    return key


def weak_signature(certificate: ReadCertificate) -> Signature | None:
    """The signature, where its digest does not resist collisions.

    A certificate's signature on itself proves nothing, so its strength does not matter.
    """
    signature = certificate.signature
    if signature is None or certificate.self_signed:
        return None
    return signature if signature.digest in WEAK_SIGNATURE_DIGESTS else None


def judge_strength(certificates: Iterable[ReadCertificate]) -> Answer:
    """Whether every key and signature is strong; not tested where one could not be read."""
    return all_of(map(_is_strong, certificates))


def _is_strong(certificate: ReadCertificate) -> Answer:
    if weak_key(certificate) or weak_signature(certificate):
        return Answer.NO
    is_read = certificate.key is not None and certificate.signature is not None
    return Answer.YES if is_read else Answer.NOT_TESTED


def missing_issuer(chain: Sequence[ReadCertificate]) -> int | None:
    """The position of the first certificate, from the leaf up, whose issuer was not sent.

    None where the chain ends in a certificate that names itself as issuer, or is unreadable.
    """
    position, visited = 0, {0}
    while not _is_top(chain[position]):
        above = (
            other
            for other in range(len(chain))
            if other not in visited and _issued(chain[other], chain[position])
        )
        issuer = next(above, None)
        if issuer is None:
            return position
        position = issuer
        visited.add(position)
    return None


def out_of_place(chain: Sequence[ReadCertificate]) -> Iterator[str]:
    """What is wrong with the order, one certificate a text. RFC 8446 §4.4.2, RFC 5246 §7.4.2.

    Each certificate after the leaf is to have issued one sent before it. That is more lenient than
    RFC 5246 ("directly certify the one preceding it"), so that a second, cross-signed issuer is no
    fault: RFC 8446 allows for those. Copies and certificates that issued no other are faults.
    """
    if any(certificate.subject is None for certificate in chain):
        return
    for position, certificate in enumerate(chain[1:], start=1):
        before, after = chain[:position], chain[position + 1 :]
        if certificate.sha256 in (other.sha256 for other in before):
            yield f"certificate {position + 1} was sent before"
        elif not any(_issued(certificate, other) for other in before):
            if any(_issued(certificate, other) for other in after):
                yield f"certificate {position + 1} comes before the one it issued"
            else:
                yield f"certificate {position + 1} issued none of the others"


def _issued(issuer: ReadCertificate, certificate: ReadCertificate) -> bool:
    return (
        issuer.subject is not None
        and certificate.issuer is not None
        and issuer.subject.equals(certificate.issuer)
    )


def _is_top(certificate: ReadCertificate) -> bool:
    return certificate.issuer is None or _issued(certificate, certificate)
