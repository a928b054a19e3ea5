"""Policy maps: what a mail server may insist on for each domain, from saved results.

A map is a promise that a mail server relies on, so a line is written only where every run shows
that it loses no mail, and an unknown loosens nothing. decide takes the decision for one domain,
draft makes a map of results and of the live map, base says what a format can do; postfix, exim,
opensmtpd and csv write and read the maps. docs/policy.md.
"""
