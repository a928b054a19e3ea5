"""docs/policy.md has every word that the code uses, and hides none of our choices."""

import re
from pathlib import Path

import pytest

from prober.cli.policy import Mta
from prober.policy.base import LiveMap, Provenance
from prober.policy.csv import COLUMNS
from prober.policy.decide import Change, PolicyLevel
from prober.policy.postfix import PostfixMap
from prober.records import ProfileName
from prober.records.delivery import DeliveryOutcome, SenderKind
from prober.rules.norms import Profile
from prober.rules.profiles import PROFILES
from tests.report.test_docs import named, rows_below
from tests.rules.test_profiles import values

PAGE = (Path(__file__).parents[2] / "docs/policy.md").read_text()


def test_every_sender_and_outcome_is_explained_in_order() -> None:
    first, second = re.findall(r"(?:^\|.*\n)+", PAGE, re.MULTILINE)[:2]
    assert re.findall(r"^\| `([a-z-]+)`", first, re.MULTILINE) == list(SenderKind)
    assert re.findall(r"^\| `([a-z-]+)`", second, re.MULTILINE) == list(DeliveryOutcome)


@pytest.mark.parametrize("word", [*PolicyLevel, *Change, *(f"--for {mta}" for mta in Mta)])
def test_the_words_of_the_map_are_there(word: str) -> None:
    assert word in PAGE


def test_the_columns_of_the_csv() -> None:
    assert named(rows_below("policy.md", "CSV")) == list(COLUMNS)


def test_the_settings_that_the_map_presumes() -> None:
    nowhere = Provenance(version="0", files=0, first=None, last=None, trust_stores=())
    head = PostfixMap().render((), LiveMap(), nowhere)
    for setting in re.findall(r"^#   (\w+ = \S+)", head, re.MULTILINE):
        assert f"\n{setting}\n" in PAGE


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
def test_a_profile_is_told_with_what_is_ours_in_it(profile: Profile) -> None:
    asks = "yes" if profile.authenticated else "no"
    assert f"| `{profile.name}` | {profile.norm} | {profile.floor} | {asks} |" in PAGE
    own = PAGE.partition(f"- `{profile.name}`:\n")[2]
    lines = own.partition("\n- `")[0].partition("\n\n")[0].splitlines()
    for sentence in profile.ours:
        assert f"  - {sentence}" in lines


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
def test_each_value_that_is_ours_is_told_with_its_reason(profile: Profile) -> None:
    inherits = ProfileName.NIST if profile.name is ProfileName.HIPAA else profile.name
    own = PAGE.partition(f"- `{inherits}`:\n")[2].partition("\n- `")[0].splitlines()
    told = {line.partition("`: ")[2] for line in own}
    assert {value.ours for value in values(profile) if value.ours is not None} <= told
