"""``probe logs``: outputs, filters, exit statuses, privacy. No network is used."""

import csv
import gzip
import io
import json
from pathlib import Path

import pytest

from prober.logs.report import COLUMNS, SUMMARY_COLUMNS
from prober.logs.text import MAX_SHOWN
from tests.cli.commands import Ended, invoke

START = "Nov 23 10:00:00 mx1 postfix/"
MX = "mx.good.test[192.0.2.1]:25"
CLEAR_MX = "mx.clear.test[192.0.2.2]:25"
TLS = (
    f"smtp[7]: Verified TLS connection established to {MX}: TLSv1.3 with cipher "
    "TLS_AES_256_GCM_SHA384 (256/256 bits)"
)
UNTRUSTED = TLS.replace("Verified", "Untrusted")
BEGIN = ["master[1]: daemon started -- version 3.7.11, configuration /etc/postfix"]
ID = ["cleanup[3]: AAAAAA: message-id=<1@us.test>"]
INBOUND = [
    "smtpd[5]: connect from c.test[198.51.100.1]",
    "smtpd[5]: AAAAAA: client=c.test[198.51.100.1]",
    *ID,
    "qmgr[2]: AAAAAA: from=<s@us.test>, size=9, nrcpt=1 (queue active)",
    "smtpd[5]: disconnect from c.test[198.51.100.1] ehlo=2 starttls=1 mail=1 rcpt=1 commands=5",
]


def sent(queue_id: str, relay: str, who: str, status: str = "sent (250 2.0.0 Ok)") -> str:
    return (
        f"smtp[7]: {queue_id}: to=<{who}>, relay={relay}, delay=0.6, delays=0.1/0.1/0.2/0.2, "
        f"dsn=2.0.0, status={status}"
    )


GOOD = sent("AAAAAA", MX, "jane.doe@good.test")
CLEAR = sent("BBBBBB", CLEAR_MX, "jane.doe@clear.test")
REFUSED = sent(
    "CCCCCC", MX, "jane.doe@good.test", "bounced (host mx.good.test[192.0.2.1] said: 550 5.1.1 "
    "<jane.doe@good.test>: Jane Doe has left (in reply to RCPT TO command))"
)  # fmt: skip


def run(*lines: str, options: tuple[str, ...] = ()) -> Ended:
    text = "".join(f"{START}{line}\n" for line in [*BEGIN, *lines])
    return invoke("logs", "-", *options, stdin=text.encode())


@pytest.mark.parametrize(
    ("lines", "options", "status"),
    [
        pytest.param([TLS, GOOD], (), 0, id="encrypted"),
        pytest.param([TLS, GOOD, CLEAR], (), 1, id="clear"),
        pytest.param([CLEAR], (), 3, id="unknown"),
        pytest.param([CLEAR], ("--tls-logged",), 1, id="clear-since-tls-is-logged"),
        pytest.param([TLS, GOOD, CLEAR], ("--internal", "clear.test"), 0, id="internal-domain"),
        pytest.param([TLS, GOOD, CLEAR], ("--internal", "192.0.2.2/31"), 0, id="internal-net"),
        pytest.param([TLS, GOOD, CLEAR], ("--domain", "good.test"), 0, id="another-domain"),
        pytest.param([TLS, GOOD, CLEAR], ("--until", "2000-01-01"), 0, id="another-time"),
        pytest.param([TLS, GOOD, CLEAR], ("--since", "2000-01-01"), 1, id="since"),
        pytest.param([TLS, GOOD, CLEAR], ("--queue-id", "AAAAAA"), 0, id="one-message"),
        pytest.param([TLS, GOOD], ("--at-least", "verified"), 0, id="verified"),
        pytest.param([UNTRUSTED, GOOD], ("--at-least", "verified"), 1, id="not-verified"),
        pytest.param([TLS, REFUSED], (), 0, id="held-back"),
        pytest.param([], (), 0, id="nothing"),
        pytest.param([TLS, GOOD], ("--queue-id", "BBBBBB"), 3, id="no-such-message"),
        pytest.param([], ("--internal", "a b"), 2, id="bad-internal"),
        pytest.param([], ("--pseudonyms", "/no/key"), 2, id="no-key"),
    ],
)
def test_the_exit_status(lines: list[str], options: tuple[str, ...], status: int) -> None:
    assert run(*lines, options=options).status == status


@pytest.mark.parametrize(
    ("raw", "status", "says"),
    [
        (b"", 3, "No line of a mail server is in the log: nothing is known."),
        (
            b"2026-11-28 17:00:01 startup archives unpack\n",
            3,
            "No line of a mail server is in the log: nothing is known.",
        ),
        (b"Nov 23 10:00:00 mx1 sshd[1]: hi\n", 3, "No line of a mail server"),
        (b"root:x:0:0:root:/root:/bin/sh\n", 2, "stdin is not a log: none of its 1 lines"),
        pytest.param(bytes(range(256)), 2, "stdin is not a log", id="binary"),
    ],
)
def test_what_is_no_log_of_a_mail_server_is_no_pass(raw: bytes, status: int, says: str) -> None:
    ended = invoke("logs", "-", stdin=raw)
    assert ended.status == status
    assert says in ended.out + ended.err


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    log = tmp_path / "mail.log.gz"
    log.write_bytes(gzip.compress((START + BEGIN[0]).encode())[:-10])
    ended = invoke("logs", str(log))
    assert (ended.status, "mail.log.gz: damaged: " in ended.err) == (2, True)


def test_a_file_that_is_named_twice_is_refused(tmp_path: Path) -> None:
    log, link = tmp_path / "mail.log", tmp_path / "link"
    log.write_text(START + BEGIN[0] + "\n")
    link.symlink_to(log)
    ended = invoke("logs", str(log), str(link))
    assert ended.status == 2
    assert "are the same file: name it once" in ended.err


def test_the_text_begins_with_what_left_in_clear() -> None:
    out = run(*ID, TLS, GOOD, CLEAR, REFUSED).out
    assert out.startswith(
        "1 of 2 messages left in clear, without encryption. 1 more was held back.\n\n"
        "Sent in clear, without encryption:\n"
    )
    assert "clear.test" in out
    assert "TLS versions: TLSv1.3: 1" in out
    assert "…" not in out


def test_what_to_do_next_comes_before_the_counts() -> None:
    out = run(TLS, GOOD, CLEAR).out
    order = ("Sent in clear", "What to do next", "probe check clear.test", "week of", "Lines read")
    places = [out.index(words) for words in order]
    assert places == sorted(places)


@pytest.mark.parametrize("domain", ["x;id", "--help", "$(id).test", "x y.test"])
def test_no_command_is_shown_with_what_is_no_domain(domain: str) -> None:
    out = run(TLS, GOOD, sent("BBBBBB", CLEAR_MX, f"a@{domain}")).out
    assert domain in out
    assert "probe check" not in out


def test_what_falls_below_verified_is_said_in_the_text() -> None:
    ended = run(UNTRUSTED, GOOD, options=("--at-least", "verified"))
    assert ended.out.startswith(
        "The 1 message that left was encrypted.\nBelow --at-least verified: 1"
    )


def test_a_long_list_is_cut_and_says_so() -> None:
    many = [sent(f"B{at:05}", CLEAR_MX, f"a@d{at}.test") for at in range(MAX_SHOWN + 2)]
    out = run(TLS, GOOD, *many).out
    assert "  and 2 more messages: see -o FILE.csv" in out
    assert "  and 3 more rows: see -o FILE.csv" in out


def test_unknown_comes_with_advice() -> None:
    out = run(CLEAR).out
    assert out.startswith(
        "No message is known to have left in clear, but for 1 of 1 it is not known"
    )
    assert "smtp_tls_loglevel = 1" in out


def test_csv_has_a_row_for_each_attempt() -> None:
    rows = list(csv.DictReader(io.StringIO(run(*ID, TLS, GOOD, CLEAR, options=("-f", "csv")).out)))
    assert list(rows[0]) == list(COLUMNS)
    assert [(row["domain"], row["tls"], row["message_id"]) for row in rows] == [
        ("good.test", "encrypted", "<1@us.test>"),
        ("clear.test", "clear", ""),
    ]


def test_json_lines_have_an_object_for_each_attempt() -> None:
    (line,) = run(TLS, GOOD, options=("-f", "jsonl")).out.splitlines()
    row = json.loads(line)
    assert list(row) == ["schema", *COLUMNS]
    assert (row["schema"], row["identity"], row["recipient"]) == (1, "verified", None)


def test_the_summary_in_every_format() -> None:
    rows = list(
        csv.reader(io.StringIO(run(TLS, GOOD, CLEAR, options=("--summary", "-f", "csv")).out))
    )
    assert rows[0] == list(SUMMARY_COLUMNS)
    assert rows[1][1:8] == ["clear.test", rows[1][2], "1", "0", "0", "1", "0"]
    found = json.loads(run(TLS, GOOD, CLEAR, options=("--summary", "-f", "json")).out)
    assert (found["below"], found["undecided"], found["total"]["messages"]) == (1, 0, 2)
    assert found["groups"][1]["tls_versions"] == {"TLSv1.3": 1}


@pytest.mark.parametrize("format_", ["text", "csv", "json", "jsonl"])
def test_no_format_names_people(format_: str) -> None:
    lines = (TLS, GOOD, CLEAR, REFUSED)
    out = (
        run(*lines, options=("-f", format_)).out + run(*lines, options=("--queue-id", "CCCCCC")).out
    )
    assert "jane" not in out.lower()
    assert "doe" not in out.lower()


def test_people_are_named_on_demand() -> None:
    out = run(TLS, GOOD, options=("-f", "csv", "--addresses", "keep")).out
    assert "jane.doe@good.test" in out


def test_pseudonyms_stand_for_people(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(b"0123456789abcdef")
    options = ("-f", "csv", "--pseudonyms", str(key))
    rows = list(csv.DictReader(io.StringIO(run(TLS, GOOD, CLEAR, options=options).out)))
    assert all(row["recipient"].endswith(f"@{row['domain']}") for row in rows)
    assert run(TLS, GOOD, options=(*options, "--addresses", "keep")).status == 2
    key.write_bytes(b"short")
    assert run(TLS, GOOD, options=options).status == 2


def test_the_story_of_one_message() -> None:
    lines = (*INBOUND, TLS, GOOD, CLEAR)
    out = run(*lines, options=("--message-id", "1@us.test")).out
    assert out.count("message <1@us.test>, queue id AAAAAA, on mx1 (postfix)") == 2
    assert "from us.test (outside), server c.test [198.51.100.1]" in out
    assert "to good.test (outside), server mx.good.test [192.0.2.1]" in out
    assert "BBBBBB" not in out
    assert run(*lines, options=("--message-id", "2")).out == "No such message is in the log.\n"


def test_lines_that_were_not_understood_are_counted_and_shown() -> None:
    ended = run("smtp[7]: AAAAAA: to=<jane@example.com>, in a new form")
    assert "Lines that were not understood: 1. --unread shows them." in ended.out
    assert ended.err == ""
    shown = run("smtp[7]: AAAAAA: to=<jane@example.com>, in a new form", options=("--unread",))
    assert "not understood: -:2: Nov 23 10:00:00 mx1 postfix/smtp[7]: AAAAAA: to=<*@" in shown.err


def test_a_message_may_be_in_a_line_that_was_not_understood() -> None:
    new = "smtp[7]: DDDDDD: to=<jane@example.com>, in a new form"
    ended = run(TLS, GOOD, new)
    assert ended.status == 3
    assert "1 line of the mail server was not understood" in " ".join(ended.out.split())
    assert run(TLS, GOOD, CLEAR, new).status == 1
    assert run(TLS, GOOD, new, options=("--until", "2000-01-01")).status == 0
    assert run(TLS, GOOD, new, options=("--queue-id", "AAAAAA")).status == 0
    counts = json.loads(run(TLS, GOOD, new, options=("--summary", "-f", "json")).out)
    assert counts["undecided"] == 1
    assert counts["unknown_because"] == {"a line of the mail server was not understood": 1}


@pytest.mark.parametrize(
    "line",
    [
        "Nov 23 10:00:00 mx1 sm-mta[9]: 4AN1Ab0C012345: from=<a b@x.test>, size=1",
        "Nov 23 10:00:00 mx1 exim[9]: 1xXNIG-00000J-0N <= >b",
        "Nov 23 10:00:00 mx1 exim[9]: 2026-11-23 10:00:00 +0000 [7] 1xXNIG-00000J-0N <= >b",
    ],
)
def test_a_message_that_came_in_decides_nothing(line: str) -> None:
    text = "".join(f"{START}{each}\n" for each in [*BEGIN, TLS, GOOD])
    ended = invoke("logs", "-", stdin=f"{text}{line}\n".encode())
    assert "Lines that were not understood: 1" in ended.out
    assert ended.status == 0


def test_what_is_no_line_of_a_mail_server_says_nothing_about_messages() -> None:
    text = "".join(f"{START}{line}\n" for line in [*BEGIN, TLS, GOOD])
    assert invoke("logs", "-", stdin=text.encode() + b"\x7fELF\n").status == 0


def test_names_in_lines_that_were_not_understood_are_left_out() -> None:
    line = "smtp[7]: AAAAAA: to=<jane@example.com>, orig_to=<mary>, in a new form"
    shown = run(line, options=("--unread",)).err
    assert "mary" not in shown
    assert "orig_to=<*>" in shown


def test_inbound_is_reported_and_does_not_change_the_exit_status() -> None:
    plain = [line for line in INBOUND if "disconnect" not in line]
    ended = run(*plain, TLS, GOOD, options=("--inbound", "-f", "csv", "--tls-logged"))
    rows = list(csv.DictReader(io.StringIO(ended.out)))
    assert {(row["direction"], row["tls"]) for row in rows} == {
        ("out", "encrypted"),
        ("in", "clear"),
    }
    assert ended.status == 0


def test_a_rotated_set_is_one_log_and_is_never_overwritten(tmp_path: Path) -> None:
    older, newer = tmp_path / "mail.log.1.gz", tmp_path / "mail.log"
    first = "\n".join(START + line for line in (*BEGIN, *ID, TLS)) + "\n"
    older.write_bytes(gzip.compress(first.encode()))
    newer.write_text("Nov 23 10:00:01" + (START + GOOD)[15:] + "\n")
    ended = invoke("logs", str(newer), str(older), "-f", "csv")
    (row,) = csv.DictReader(io.StringIO(ended.out))
    assert (row["tls"], row["message_id"]) == ("encrypted", "<1@us.test>")
    assert invoke("logs", str(newer), "-o", str(newer), "-f", "csv").status == 2
    assert invoke("logs", str(tmp_path / "none")).status == 2


def test_hostile_text_is_harmless_in_every_format() -> None:
    bad = sent("AAAAAA", MX, "a@good.test", "bounced (=cmd|'x' \x1b[31m\u202e)")
    for format_ in ("csv", "json", "jsonl"):
        out = run(TLS, bad, options=("-f", format_)).out
        assert "\x1b" not in out
        assert "\u202e" not in out
        assert ",=cmd" not in out
    story = run(TLS, bad, options=("--queue-id", "AAAAAA")).out
    assert "\x1b" not in story
