"""Policy maps as text: what is written can be read back, and what is not ours is left alone."""

import contextlib
from datetime import timedelta
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prober.errors import InputError, SettingsError
from prober.policy import opensmtpd as policy_opensmtpd
from prober.policy.base import LiveMap, MapFormat, Provenance, meaningful_lines
from prober.policy.csv import CsvMap
from prober.policy.decide import Change, Decision, Policy, PolicyLevel
from prober.policy.draft import show_changes
from prober.policy.exim import EximMap
from prober.policy.opensmtpd import OpenSmtpdMap
from prober.policy.postfix import PostfixMap, parse_policy
from tests.support.builders import NOW

DANE_ONLY = Policy(level=PolicyLevel.DANE_ONLY)
SECURE = Policy(level=PolicyLevel.SECURE, match=("nexthop", "dot-nexthop"))
VERIFY = Policy(level=PolicyLevel.VERIFY)
ENCRYPT = Policy(level=PolicyLevel.ENCRYPT)

FROM: Final = Provenance(
    version="9.9",
    files=3,
    first=NOW,
    last=NOW + timedelta(days=14),
    trust_stores=("144 anchors of /etc/ssl/ca.pem\n# oops",),
)
NOWHERE: Final = Provenance(version="9.9", files=1, first=None, last=None, trust_stores=())


def decided(
    domain: str,
    after: Policy | None,
    before: Policy | None = None,
    change: Change = Change.NEW,
    *,
    loses: bool = False,
) -> Decision:
    return Decision(
        domain=domain, before=before, after=after, change=change, reason="1 run", loses=loses
    )


DECISIONS: Final = (
    decided("own.test", SECURE),
    decided("dane.test", DANE_ONLY),
    decided("hosted.test", VERIFY),
    decided("xn--bcher-kva.test", ENCRYPT),
    decided("clear.test", None, change=Change.NONE),
)
NOT_IDNA: Final = decided("xn--zz.test", ENCRYPT)  # an A-label of nothing


def lines_of(text: str) -> list[str]:
    """Without the comments and what is blank."""
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_postfix() -> None:
    live = LiveMap(foreign=("[relay.test]:587 fingerprint match=ab", ".parent.test encrypt"))

    text = PostfixMap().render((*DECISIONS, NOT_IDNA), live, FROM)

    assert lines_of(text) == [
        "[relay.test]:587 fingerprint match=ab",
        ".parent.test encrypt",
        "dane.test dane-only",
        "hosted.test verify",
        "own.test secure match=nexthop:dot-nexthop",
        "xn--bcher-kva.test encrypt",
        "bücher.test encrypt",
        "xn--zz.test encrypt",
    ]
    assert text.startswith(
        "# Written by probe 9.9 from 3 files of results, checked 2026-01-02T03:04:05Z to "
        "2026-01-16T03:04:05Z.\n# Certificates were verified against 144 anchors of "
        "/etc/ssl/ca.pem\\x0a# oops.\n"
    )


BY_STS = Policy(level=PolicyLevel.SECURE, match=("mx.a.test", ".b.test"), sts=True)
OLD_LINE: Final = "sts.test secure match=mx.a.test:.b.test"
# TLSRPT_README: one mx_host_pattern for each mx of the policy
NEW_LINE: Final = (
    f"{OLD_LINE} policy_type=sts policy_domain=sts.test"
    " mx_host_pattern=mx.a.test mx_host_pattern=*.b.test"
)


@pytest.mark.parametrize(
    ("version", "line"),
    [
        (None, OLD_LINE),
        ("3.7", OLD_LINE),
        ("3.7.11", OLD_LINE),
        ("3.9.99", OLD_LINE),
        ("3.10", OLD_LINE),
        ("3.10.4", OLD_LINE),
        ("3.10.5", NEW_LINE),
        ("3.10.10", NEW_LINE),
        ("3.11", NEW_LINE),
        ("3.11.0", NEW_LINE),
        ("4.0", NEW_LINE),
    ],
)
def test_the_form_of_a_line_by_mta_sts_is_one_that_the_version_has(
    version: str | None, line: str
) -> None:
    by_name = decided("own.test", SECURE)
    text = PostfixMap(version).render((by_name, decided("sts.test", BY_STS)), LiveMap(), NOWHERE)

    assert lines_of(text) == ["own.test secure match=nexthop:dot-nexthop", line]
    assert ("smtp_tls_enforce_sts_mx_patterns = yes" in text) == (line is NEW_LINE)


def test_a_domain_in_unicode_is_an_a_label_in_policy_domain() -> None:
    text = PostfixMap("3.10.5").render((decided("xn--bcher-kva.test", BY_STS),), LiveMap(), NOWHERE)
    assert [line.split()[0] for line in lines_of(text)] == ["xn--bcher-kva.test", "bücher.test"]
    assert all(" policy_domain=xn--bcher-kva.test " in line for line in lines_of(text))


@pytest.mark.parametrize(
    "version", ["", "3", "3.", "3.10.5.1", "3.11-20250906", " 3.10", "3.10\n", "x", "3.99999"]
)
def test_what_is_no_version_of_postfix_is_refused(version: str) -> None:
    with pytest.raises(SettingsError, match="not a version of Postfix"):
        PostfixMap(version)


@pytest.mark.parametrize(
    ("line", "sts"),
    [
        pytest.param(OLD_LINE, False, id="old-form"),
        pytest.param(NEW_LINE, True, id="new-form"),
        pytest.param(NEW_LINE.replace("policy_type=sts", "Policy_Type=STS"), True, id="case"),
        pytest.param(NEW_LINE.replace("policy_domain=sts", "policy_domain=x"), None, id="domain"),
        pytest.param(NEW_LINE.replace("=*.b", "=*.c"), None, id="other-pattern"),
        pytest.param(NEW_LINE.replace(" mx_host_pattern=*.b.test", ""), None, id="fewer-patterns"),
        pytest.param(NEW_LINE + " mx_host_pattern=c.test", None, id="more-patterns"),
        pytest.param(NEW_LINE + " policy_ttl=60", None, id="another-attribute"),
        pytest.param(NEW_LINE.replace("=sts p", "=no-policy-found p"), None, id="another-type"),
        pytest.param("sts.test verify policy_type=sts", None, id="another-level"),
    ],
)
def test_lines_by_mta_sts_are_ours_where_we_would_write_them(line: str, sts: bool | None) -> None:
    live = PostfixMap().parse(f"{line}\n")
    if sts is None:
        assert live == LiveMap(foreign=(line,))
    else:
        assert live == LiveMap(policies={"sts.test": BY_STS})
        assert live.policies["sts.test"].sts is sts


def test_exim_has_no_name_of_ones_own_choice() -> None:
    assert PolicyLevel.SECURE not in EximMap.levels
    decisions = [each for each in DECISIONS if each.after != SECURE]

    text = EximMap().render(decisions, LiveMap(foreign=("*.parent.test: verify",)), NOWHERE)

    assert lines_of(text) == [
        "*.parent.test: verify",
        "dane.test: dane-only",
        "hosted.test: verify",
        "xn--bcher-kva.test: encrypt",
        "bücher.test: encrypt",
    ]


def test_opensmtpd() -> None:
    assert set(OpenSmtpdMap.levels) == {PolicyLevel.VERIFY, PolicyLevel.ENCRYPT}
    decisions = [decided("b.test", VERIFY), decided("a.test", VERIFY)]

    text = OpenSmtpdMap().render(decisions, LiveMap(), NOWHERE)

    assert lines_of(text) == [
        "table tls_verify { \\",
        '    "a.test", \\',
        '    "b.test" }',
        "table tls_encrypt { \\",
        '    "nobody.invalid" }',
    ]


def test_opensmtpd_says_when_it_is_too_much_for_its_parser() -> None:
    many = [decided(f"d{number}.test", VERIFY) for number in range(4901)]
    with pytest.raises(SettingsError, match="4901 domains"):
        OpenSmtpdMap().render(many, LiveMap(), NOWHERE)


def test_csv_has_a_row_for_every_domain() -> None:
    loses = decided("own.test", SECURE, SECURE, Change.KEPT, loses=True)

    text = CsvMap().render([*DECISIONS[1:], loses], LiveMap(), NOWHERE)

    assert text.splitlines() == [
        "domain,policy,match,before,change,reason,loses",
        "clear.test,,,,none,1 run,no",
        "dane.test,dane-only,,,new,1 run,no",
        "hosted.test,verify,,,new,1 run,no",
        "own.test,secure,nexthop dot-nexthop,secure,kept,1 run,yes",
        "xn--bcher-kva.test,encrypt,,,new,1 run,no",
    ]


LABEL = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)
DOMAIN = st.tuples(LABEL, LABEL).map(lambda labels: f"{labels[0]}.{labels[1]}.test")
BY_FORMAT: Final[dict[MapFormat, list[Policy]]] = {
    PostfixMap("3.11"): [DANE_ONLY, SECURE, BY_STS, VERIFY, ENCRYPT],
    PostfixMap(): [DANE_ONLY, SECURE, VERIFY, ENCRYPT],
    EximMap(): [DANE_ONLY, VERIFY, ENCRYPT],
    OpenSmtpdMap(): [VERIFY, ENCRYPT],
    CsvMap(): [DANE_ONLY, SECURE, VERIFY, ENCRYPT],
}


@pytest.mark.parametrize("format_", BY_FORMAT, ids=lambda each: type(each).__name__)
@settings(max_examples=30)
@given(data=st.data())
def test_what_is_written_is_read_back(format_: MapFormat, data: st.DataObject) -> None:
    policies = data.draw(st.dictionaries(DOMAIN, st.sampled_from(BY_FORMAT[format_])))
    decisions = [decided(domain, policy) for domain, policy in policies.items()]

    read = format_.parse(format_.render(decisions, LiveMap(), FROM))

    assert read == LiveMap(policies=policies)


@pytest.mark.parametrize("format_", BY_FORMAT, ids=lambda each: type(each).__name__)
@given(text=st.text())
def test_no_text_does_harm(format_: MapFormat, text: str) -> None:
    try:
        live = format_.parse(text)
        format_.render((), live, NOWHERE)
    except InputError:
        pass
    else:
        assert live.by_hand is not None


@pytest.mark.parametrize(
    ("text", "policies", "foreign"),
    [
        pytest.param("", {}, (), id="empty"),
        pytest.param("a.test may\n", {}, ("a.test may",), id="may"),
        pytest.param("a.test dane\n", {}, ("a.test dane",), id="dane"),
        pytest.param(
            "a.test fingerprint match=AB\n", {}, ("a.test fingerprint match=AB",), id="fingerprint"
        ),
        pytest.param(
            "a.test encrypt ciphers=high\n", {}, ("a.test encrypt ciphers=high",), id="attribute"
        ),
        pytest.param(
            "a.test verify match=mx.b.test\n", {}, ("a.test verify match=mx.b.test",), id="match"
        ),
        pytest.param("a.test secure match=\n", {}, ("a.test secure match=",), id="empty-match"),
        pytest.param(".a.test verify\n", {}, (".a.test verify",), id="parent"),
        pytest.param("[a.test]:25 verify\n", {}, ("[a.test]:25 verify",), id="next-hop"),
        pytest.param("u@a.test verify\n", {}, ("u@a.test verify",), id="address"),
        pytest.param(
            "# c\n\na.test\n   secure,\n\tmatch=mx.B.test:.c.test match=nexthop\n",
            {"a.test": Policy(level=PolicyLevel.SECURE, match=("mx.b.test", ".c.test", "nexthop"))},
            (),
            id="postconf-5-continued",
        ),
        pytest.param("a.test encrypt\na.test verify\n", {"a.test": ENCRYPT}, (), id="first-wins"),
        # what Postfix does not use is not written: first in the new map, it would be used
        pytest.param("a.test verify\nA.test may\n", {"a.test": VERIFY}, (), id="dead-foreign"),
        pytest.param("a.test may\na.test verify\n", {}, ("a.test may",), id="dead-own"),
        pytest.param("[a.test] may\n[a.test] verify\n", {}, ("[a.test] may",), id="dead-next-hop"),
        pytest.param("A.Test\tencrypt\n", {"a.test": ENCRYPT}, (), id="case-and-tab"),
        pytest.param(
            "xn--bcher-kva.test encrypt\nbücher.test encrypt\n",
            {"xn--bcher-kva.test": ENCRYPT},
            (),
            id="both-spellings",
        ),
    ],
)
def test_a_live_map_of_postfix(
    text: str, policies: dict[str, Policy], foreign: tuple[str, ...]
) -> None:
    assert PostfixMap().parse(text) == LiveMap(policies=policies, foreign=foreign)


def test_domains_of_foreign_lines_are_theirs_alone() -> None:
    live = PostfixMap().parse("a.test may\n.b.test may\nBücher.test may\n")
    assert live.by_hand == {"a.test", "xn--bcher-kva.test"}
    assert EximMap().parse("c.test: may\n").by_hand == {"c.test"}


def test_foreign_lines_are_also_about_what_is_below_their_domain() -> None:
    live = PostfixMap().parse(".B.test verify\n.bücher.test may\n[.c.test] may\nd.test may\n")
    below = {"a.b.test", "x.a.b.test", "mail.xn--bcher-kva.test"}
    for domain in (*below, "b.test", "ab.test", "c.test", "a.d.test", "test"):
        assert live.covers(domain) == (domain in below or domain == "d.test"), domain
    assert EximMap().parse("*.b.test: may\n").covers("a.b.test")
    assert not LiveMap().covers("a.b.test")


@pytest.mark.parametrize("text", ["verify,may", "may,verify"])
def test_exim_uses_the_first_of_two_lines(text: str) -> None:
    first, second = text.split(",")
    live = EximMap().parse(f"a.test: {first}\nA.test: {second}\n")
    if first == "verify":
        assert live == LiveMap(policies={"a.test": VERIFY})
    else:
        assert live == LiveMap(foreign=("a.test: may",))


@pytest.mark.parametrize("order", [("verify", "encrypt"), ("encrypt", "verify")])
def test_opensmtpd_matches_the_table_to_verify_first(order: tuple[str, str]) -> None:
    """The head of the map has the rules in this order, wherever the tables are."""
    text = "".join(f'table tls_{each} {{ "a.test" }}\n' for each in order)
    assert OpenSmtpdMap().parse(text) == LiveMap(policies={"a.test": VERIFY})


@pytest.mark.parametrize(
    ("format_", "text", "message"),
    [
        pytest.param(EximMap(), "a.test: encrypt\nb.test:\n", "line 2: .*without", id="exim"),
        pytest.param(EximMap(), "a.test secure match=b\n", "more than a level", id="exim-postfix"),
        pytest.param(PostfixMap(), "a.test\n", "line 1: no level", id="postfix-no-level"),
        pytest.param(PostfixMap(), "a.test: encrypt\nb.test,x\n", "line 2: no level", id="csv"),
        pytest.param(PostfixMap(), '{"input": "a.test"}\n', "line 1: no level", id="json"),
        pytest.param(OpenSmtpdMap(), "listen on lo0\n", "not a map of this", id="opensmtpd"),
        pytest.param(OpenSmtpdMap(), 'table other { "a.test" }\n', "table other", id="table"),
        pytest.param(
            OpenSmtpdMap(), 'table tls_verify { "a..b" }\n', "is not a domain", id="member"
        ),
        pytest.param(
            OpenSmtpdMap(), "table tls_verify { a.test }\n", "not in quotes", id="unquoted"
        ),
        pytest.param(
            OpenSmtpdMap(), 'table tls_verify { "a.test }\n', "not in quotes", id="unclosed"
        ),
        pytest.param(OpenSmtpdMap(), 'tls_verify { "a.test" }\n', "more in it", id="no-table"),
        pytest.param(OpenSmtpdMap(), "}\n", "more in it", id="lone-brace"),
        pytest.param(CsvMap(), "a,b\n1,2\n", "no columns", id="csv-columns"),
        pytest.param(CsvMap(), "domain,policy\n1.2.3.4,verify\n", "line 2: no domain", id="csv"),
        pytest.param(CsvMap(), "domain,policy\na.test,may\n", "line 2: no policy", id="csv-policy"),
        pytest.param(
            CsvMap(), "domain,policy\n" + "x" * 140_000, "line 1: field larger", id="csv-huge"
        ),
    ],
)
def test_what_cannot_be_a_live_map(format_: MapFormat, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        format_.parse(text)


def test_exim_leaves_levels_of_others_alone() -> None:
    live = EximMap().parse("a.test: secure\nb.test: verify\n")
    assert live == LiveMap(policies={"b.test": VERIFY}, foreign=("a.test: secure",))


def test_csv_reads_a_short_table() -> None:
    live = CsvMap().parse("domain,policy\na.test,verify\nb.test,\n")
    assert live == LiveMap(policies={"a.test": VERIFY})


def test_policies_of_a_right_hand_side() -> None:
    assert parse_policy("", "a.test") is None
    assert parse_policy("nonsense", "a.test") is None
    assert parse_policy("encrypt", "a.test") == ENCRYPT


@given(st.text())
def test_lines_are_never_lost_nor_made(text: str) -> None:
    assert all(line.strip() for _, line in meaningful_lines(text))


def test_what_changes_is_shown() -> None:
    decisions = [
        decided("new.test", VERIFY),
        decided("up.test", VERIFY, ENCRYPT, Change.TIGHTENED),
        decided("other.test", SECURE, VERIFY, Change.MOVED),
        decided("down.test", ENCRYPT, VERIFY, Change.LOOSENED),
        decided("gone.test", None, ENCRYPT, Change.REMOVED),
        decided("bad.test", ENCRYPT, ENCRYPT, Change.KEPT, loses=True),
        decided("good.test", ENCRYPT, ENCRYPT, Change.KEPT),
        decided("none.test", None, None, Change.NONE),
    ]
    assert list(show_changes(decisions)) == [
        "! bad.test: encrypt (1 run)",
        "v down.test: verify -> encrypt (1 run)",
        "- gone.test: encrypt -> no line (1 run)",
        "+ new.test: verify (1 run)",
        "~ other.test: verify -> secure match=nexthop:dot-nexthop (1 run)",
        "^ up.test: encrypt -> verify (1 run)",
        "1 as before, 1 without a line",
    ]


@given(st.text(alphabet='table tls_verify {}"a.\n#,\\'))
def test_any_text_is_a_map_of_opensmtpd_or_an_input_error(text: str) -> None:
    with contextlib.suppress(InputError):
        OpenSmtpdMap().parse(text)


def test_the_reader_for_opensmtpd_cannot_backtrack() -> None:
    """Blank lines in front of a comment cost a regular expression their number squared."""
    assert not hasattr(policy_opensmtpd, "re")


def test_only_line_ends_that_an_mta_knows_end_a_line() -> None:
    r"""A comment with U+2028 or a form feed in it stays a comment: postconf(5) has ``\n`` only."""
    live = PostfixMap().parse(
        "# old:\u2028a.test encrypt\n# \x0cb.test encrypt\r\nc.test encrypt\r\n"
    )
    assert live == LiveMap(policies={"c.test": ENCRYPT})
