"""Options and their environment variables, offline: what is told of them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from prober.cli.options import (
    LookOptions,
    ReportOptions,
    RequireOptions,
    ShallowOptions,
    for_profile,
)
from prober.lab.internet import EHLO_NAME
from prober.records import Level, ProfileName
from prober.rules.norms import Profile
from prober.rules.profiles import PROFILES
from prober.settings import DEEP_FLAGS, Pace, Settings, Validation, declared
from tests.cli.commands import (
    CANNOT_SEE,
    NO_NAMESERVER,
    OFFLINE,
    invoke,
    scan_offline,
    unknown_offline,
)

VARIABLES = {"PROBE_RESOLVER": NO_NAMESERVER, "PROBE_EHLO_NAME": EHLO_NAME}


def unboxed(text: str) -> str:
    """A message that is folded in a box, on one line."""
    return " ".join(line.strip("│ ") for line in text.splitlines())


WRONG = [
    (["--resolver", "dns.example"], "not a nameserver: 'dns.example'; write ADDR, ADDR:PORT"),
    (["--resolver", "127.0.0.1:dns"], "not a nameserver: '127.0.0.1:dns'"),
    (["--resolver", "127.0.0.1:65536"], "not a nameserver: '127.0.0.1:65536'"),
    (["--resolver", ""], "not a nameserver: ''"),
    (["--ca-file", "/nowhere.pem"], "cannot read the trust store /nowhere.pem: No such file"),
    (["--ca-file", "/"], "cannot read the trust store /: Is a directory"),
    (["--ca-file", "/dev/null"], "/dev/null holds no certificate in PEM form"),
    (["--ca-file", "/bin/bash"], "/bin/bash holds no certificate in PEM form"),
    (["--trust-anchor", "/nowhere"], "cannot read the trust anchors /nowhere: No such file"),
    (["--trust-anchor", "/"], "cannot read the trust anchors /: Is a directory"),
    (["--trust-anchor", "/dev/null"], "/dev/null: there is no DS or DNSKEY record in it"),
    (["--trust-anchor", "/etc/hosts"], "the trust anchors /etc/hosts: no DS or DNSKEY records"),
    (["--proofs"], "--proofs needs --dnssec local"),
    (["--proofs", "--dnssec", "resolver"], "--proofs needs --dnssec local"),
    (["--dnssec", "always"], "'always' is not one of 'auto', 'local', 'resolver', 'off'"),
    (["--ipv4-only", "--ipv6-only"], "--ipv4-only and --ipv6-only leave no address to contact"),
    (["--ehlo-name", "two words"], "is not a label of a host name: letters, digits and hyphens"),
    (["--ehlo-name", "a.test\r\nMAIL FROM:<>"], "is not a label of a host name"),
    (["--ehlo-name", "192.0.2.1"], "an IP address, not a domain"),
    (["--ehlo-name", "[2001:db8::1]"], "no address literal; write [192.0.2.1] or [IPv6:"),
    (["--ehlo-name", "[IPv6:192.0.2.1]"], "no address literal"),
    (["--ehlo-name", "[IPv6:fe80::1%eth0]"], "no address literal"),
    (["--ehlo-name", "[192.0.2.1"], "no address literal"),
    (["--ehlo-name", "[192.0.2.256]"], "no address literal"),
    (["--ehlo-name", "[a.test]"], "no address literal"),
    (["--ehlo-name", "[192.0.2.1]\r\nMAIL FROM:<>"], "no address literal"),
    (["--profile", "hipaa", "--require", "authenticated"], "implies --require profile"),
    (["--profile", "default", "--require", "opportunistic"], "--require is opportunistic"),
    (["-v", "-q"], "--verbose and --quiet contradict: give one of them"),
    (["--per-endpoint", "-f", "text"], "--per-endpoint is for CSV and contradicts --format text"),
    (["--per-endpoint", "-f", "json"], "--per-endpoint is for CSV and contradicts --format json"),
    (["--per-endpoint"], "--per-endpoint is for CSV and contradicts the other outputs: add"),
    (["--per-endpoint", "-o", "r.json", "-o", "-"], "--per-endpoint is for CSV and contradicts"),
    (["--dnssec-probe", "a..b"], "an empty label"),
    (["--port", "0"], "'--port' (env var: 'PROBE_PORT'): must be from 1 to 65535, not 0"),
    (["--port", "smtp"], "Invalid value for '--port'"),
    (["--detail", "full"], "'full' is not a valid whole number."),
    (["--pace", "fast"], "'fast' is not a valid number."),
    (["--timeout", "0"], "must be from 0.1 to 3600, not 0.0"),
    (["--timeout", "inf"], "Invalid value for '--timeout'"),
    (["--timeout", "nan"], "Invalid value for '--timeout'"),
    (["--confirm-delay", "nan"], "Invalid value for '--confirm-delay'"),
    (["--pace", "nan"], "Invalid value for '--pace'"),
    (["--dns-rate", "nan"], "Invalid value for '--dns-rate'"),
    (["--stop-grace", "nan"], "nan is not a number"),
    (["--confirm-delay", "-1"], "Invalid value for '--confirm-delay'"),
    (["--concurrency", "0"], "must be from 1 to 10000, not 0"),
    (["--deep-budget", "0"], "must be from 1 to 1000000000, not 0"),
    (["--detail", "-1"], "must be from 0 to 20000, not -1"),
    (["--concurrency", "1000000"], "Invalid value for '--concurrency'"),
    (["--require", "none"], "'none' is none of opportunistic, authenticated, enforced"),
    (["--format", "xml"], "'xml' is not one of 'text', 'json', 'jsonl', 'csv'"),
]


@pytest.mark.parametrize(("options", "complaint"), WRONG, ids=[" ".join(row[0]) for row in WRONG])
def test_a_wrong_option_is_told_by_name_before_anything_is_probed(
    options: list[str], complaint: str
) -> None:
    ended = invoke("check", *OFFLINE, *options, "a.test")

    assert (ended.status, ended.out) == (2, "")
    assert complaint in unboxed(ended.err)
    assert "Value error" not in ended.err  # what the parser of options says to programmers


@pytest.mark.parametrize("name", ["[192.0.2.1]", "[IPv6:2001:db8::1]", "probe.test"])
def test_a_name_to_greet_with(name: str) -> None:
    variables = {"PROBE_RESOLVER": NO_NAMESERVER}
    ended = invoke("check", "-f", "jsonl", "--ehlo-name", name, "a.test", env=variables)
    assert json.loads(ended.out)["run"]["ehlo_name"] == name


@pytest.mark.parametrize(
    ("options", "required"),
    [
        pytest.param({}, Level.OPPORTUNISTIC, id="nothing"),
        pytest.param({"require": Level.ENFORCED}, Level.ENFORCED, id="level"),
        pytest.param({"require": "profile"}, PROFILES[ProfileName.DEFAULT], id="require-profile"),
        pytest.param({"profile": ProfileName.NIST}, PROFILES[ProfileName.NIST], id="profile-alone"),
        pytest.param(
            {"profile": ProfileName.NIST, "require": "profile"},
            PROFILES[ProfileName.NIST],
            id="both",
        ),
    ],
)
def test_what_a_domain_is_held_against(options: dict[str, Any], required: Level | Profile) -> None:
    assert ReportOptions(**options).required == required


def test_a_profile_and_another_requirement_by_variables_contradict() -> None:
    variables = {"PROBE_PROFILE": "hipaa", "PROBE_REQUIRE": "enforced"}
    ended = invoke("check", *OFFLINE, "a.test", env=variables)
    assert (ended.status, ended.out) == (2, "")
    assert "implies --require profile" in unboxed(ended.err)


def test_a_summary_and_hops_contradict() -> None:
    ended = invoke("headers", "--summary", "--per-hop", "-")
    assert (ended.status, ended.out) == (2, "")
    assert "--summary and --per-hop contradict" in unboxed(ended.err)


def test_rows_per_endpoint_want_one_output_in_csv(tmp_path: Path) -> None:
    files = [str(tmp_path / name) for name in ("r.csv", "r.json")]
    ended = invoke("check", *OFFLINE, "--per-endpoint", "-o", files[0], "-o", files[1], "a.test")
    assert ended.status == 4


def test_a_variable_stands_in_for_an_option() -> None:
    ended = invoke("check", "a.test", env={**VARIABLES, "PROBE_FORMAT": "jsonl"})

    run = json.loads(ended.out)["run"]
    assert (run["resolver"], run["ehlo_name"]) == ([NO_NAMESERVER], EHLO_NAME)


def test_an_option_beats_its_variable() -> None:
    ended = invoke("check", *OFFLINE, "-f", "jsonl", "a.test", env={"PROBE_FORMAT": "csv"})
    assert json.loads(ended.out)["input"] == "a.test"


def test_a_variable_has_several_values_between_blanks() -> None:
    variables = {**VARIABLES, "PROBE_RESOLVER": f"{NO_NAMESERVER} {NO_NAMESERVER}:54"}
    ended = invoke("check", "-f", "jsonl", "a.test", env=variables)
    assert json.loads(ended.out)["run"]["resolver"] == [NO_NAMESERVER, f"{NO_NAMESERVER}:54"]


@pytest.mark.parametrize("value", ["1", "true", "yes"])
def test_a_flag_is_set_by_its_variable(tmp_path: Path, value: str) -> None:
    (tmp_path / "list.txt").write_text("a.test\n")
    variables = {**VARIABLES, "PROBE_QUIET": value, "PROBE_OUTPUT": str(tmp_path / "r.csv")}
    ended = invoke("scan", str(tmp_path / "list.txt"), env=variables)

    counts = "probe: 1 domain: 1 UNKNOWN\n"
    assert (ended.out, ended.err) == ("", counts + unknown_offline("a.test") + CANNOT_SEE)
    assert (tmp_path / "r.csv").exists()


def test_an_empty_variable_is_none() -> None:
    empty = {"PROBE_REQUIRE": "", "PROBE_OUTPUT": "", "PROBE_QUIET": "", "PROBE_CA_FILE": ""}
    ended = invoke("check", "a.test", env={**VARIABLES, **empty})
    assert ended.out.startswith("a.test: UNKNOWN")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PROBE_PORT", "smtp"),
        ("PROBE_REQUIRE", "all"),
        ("PROBE_QUIET", "so"),
        ("PROBE_FORMAT", "x"),
    ],
)
def test_a_wrong_variable_is_told_by_name(name: str, value: str) -> None:
    ended = invoke("check", *OFFLINE, "a.test", env={name: value})

    assert (ended.status, ended.out) == (2, "")
    assert f"(env var: '{name}')" in unboxed(ended.err)


OTHER: dict[str, Any] = {  # for each option, a value that is not its default
    "resolver": ["192.0.2.53"],
    "dnssec_probe": "bogus.test",
    "dnssec": Validation.LOCAL,
    "trust_anchor": Path("root.ds"),
    "ca_file": Path("ca.pem"),
    "ehlo_name": "probe.test",
    "port": 2525,
    "timeout": 5.0,
    "confirm_delay": 1.0,
    "concurrency": 7,
    "pace": 1.0,
    "dns_rate": 7.0,
    "busy_tries": 2,
    "stop_grace": 1.0,
    "deep_budget": 7,
}


# what it needs
ALONG: dict[str, dict[str, Any]] = {"proofs": {"dnssec": Validation.LOCAL}}


@pytest.mark.parametrize("name", [each.parameter for each in declared(Settings)])
def test_where_runs_differ_the_option_is_named(name: str) -> None:
    """So --resume can say what to type."""
    along = ALONG.get(name, {})
    before = LookOptions(**along).settings().identity()
    after = LookOptions(**along, **{name: OTHER.get(name, True)}).settings().identity()
    changed = {shown for shown in before if before[shown] != after.get(shown)}
    flag = f"--{name.replace('_', '-')}"
    named = {shown for shown in before if flag in re.split(r"[(), ]+", shown)}
    assert changed
    assert changed == named


@pytest.mark.parametrize("name", [each.parameter for each in declared(Pace)])
def test_the_pace_makes_no_other_run(name: str) -> None:
    changed = LookOptions(**{name: OTHER[name]}).settings()
    assert changed != LookOptions().settings()
    assert changed.identity() == LookOptions().settings().identity()


def test_only_timeout_and_patience_change_more_than_their_own_setting() -> None:
    patient = LookOptions(patient=True).settings()
    assert (patient.greeting_s, patient.session_s) == (300.0, 390.0)
    short = LookOptions(timeout=20.0).settings()
    assert (short.session_s, short.slow_lane) == (20.0, False)
    both = LookOptions(timeout=20.0, patient=True).settings()
    assert (both.greeting_s, both.session_s, both.slow_lane) == (300.0, 20.0, False)


@pytest.mark.parametrize(
    ("profile", "groups"),
    [
        (ProfileName.NIST, ("secp256r1", "secp384r1")),
        (ProfileName.NCSC_NL, ()),
        (None, ()),
    ],
)
def test_deep_asks_for_the_groups_that_the_profile_needs(
    profile: ProfileName | None, groups: tuple[str, ...]
) -> None:
    required = RequireOptions(profile=profile).required
    assert for_profile(Settings(deep=True), required).norm_groups == groups
    assert for_profile(Settings(), required) == Settings()


def test_only_commands_that_judge_domains_offer_deep() -> None:
    flags = {each.option.flag for each in ShallowOptions.declared(Settings)}
    flags |= {each.option.flag for each in ShallowOptions.declared(Pace)}
    assert not flags & set(DEEP_FLAGS)
    assert "--port" in flags


def test_the_cost_of_listing_all_is_told_before(tmp_path: Path) -> None:
    list_ = tmp_path / "list.txt"
    list_.write_text("a.test\n")
    told = "probe: --deep-full makes about 40 further connections per endpoint, at most 120, and"
    assert scan_offline(str(list_), "--deep-full").err.startswith(told)
    for quiet in (("--deep",), ("--deep-full", "--quiet")):
        assert "--deep" not in scan_offline(str(list_), *quiet).err
