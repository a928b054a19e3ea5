"""Received header fields: from text to a record. Pure and total. RFC 5321 §4.4.

``tokens`` splits a line into clauses, ``peer`` reads who and where, ``tls`` finds what is said of
TLS by the forms in ``shapes``, ``ciphers`` gives IANA names, ``parse`` puts it together. Every
list and number is in ``tables``.
"""

from prober.rules.received.parse import parse_received

__all__ = ["parse_received"]
