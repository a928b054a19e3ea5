"""What ``--profile`` takes: each name with its norm. rules/norms has the tables.

docs/policy.md shows the user what is ours in them.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from prober.records import ProfileName
from prober.rules.norms import Profile
from prober.rules.norms.bsi import BSI
from prober.rules.norms.ncsc import NCSC
from prober.rules.norms.nist import NIST
from prober.rules.norms.rfc9325 import DEFAULT

_HIPAA: Final = replace(
    NIST,
    name=ProfileName.HIPAA,
    # HHS guidance, 74 FR 19006 (2009): in motion, encryption that complies with SP 800-52
    norm="45 CFR 164.312(e), 74 FR 19006, by way of NIST SP 800-52 Rev. 2",
    authenticated=False,
    ours=(
        "The rule names no version, suite or key: encryption is addressable (45 CFR "
        "164.312(e)(2)(ii), 164.306(d)(3)), and NIST's lists are what HHS points to.",
        "Every value is NIST's, and so is every choice that nist-800-52r2 names.",
        "No text was found that asks for a certificate that matches; whether you ask for one is "
        "yours to decide and to document.",
    ),
)

PROFILES: Final[Mapping[ProfileName, Profile]] = MappingProxyType(
    {profile.name: profile for profile in (DEFAULT, NIST, NCSC, BSI, _HIPAA)}
)
