"""Policy maps: what a mail server may require of each domain, from saved results.

A wrong line holds mail back. So a line is written only if every run shows that it loses no mail,
and an unknown result loosens no line. ``decide`` decides on one domain. ``draft`` makes a map from
results and the live map. ``base`` says what each format can do; ``postfix``, ``exim``,
``opensmtpd`` and ``csv`` write and read the maps. docs/policy.md.
"""
