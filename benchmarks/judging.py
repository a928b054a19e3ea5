"""Judging one domain and writing its report, as a multiple of the bare handshake.

Measured: the CPU time from the facts of a domain to its JSON line and its CSV row, with nothing
remembered of any certificate. The domain has two MX hosts, each with a chain of two P-256
certificates, asked with SNI and without it; once without TLSA records, and once with DNSSEC and two
TLSA records a host. The facts come from real sessions with the lab's hosts. The figure is the
median of the ratios, bare handshakes being measured before and after each round.
"""
