"""Reading messages from every kind of source, in constant memory, without changing the source."""

import io
import mailbox
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from prober.domains import operator_of
from prober.errors import InputError, ReportError
from prober.headers.habits import Habits
from prober.headers.infer import infer, load_habits, save_habits
from prober.headers.mailbox import (
    INTERNAL_FAULT,
    MAX_HEADER_BYTES,
    read_messages,
    read_stream,
)
from prober.headers.parse import parse_received
from prober.headers.records import Habit, Judgement, MessageHeaders, MessageVerdict, Received
from prober.headers.summary import Summary
from prober.headers.tables import MAX_CHARACTERS, MAX_LINES
from prober.headers.trust import TrustedBy
from prober.mailbox import MAX_LINE_BYTES
from tests.headers.builders import TLS, line

NO_STDIN = io.BytesIO()


def eml(*received: str, sender: str = "user@example.net", name: str = "1", body: str = "") -> bytes:
    fields = "".join(f"Received: {text}\n" for text in received)
    return f"{fields}From: {sender}\nMessage-ID: <{name}@example.net>\n\n{body}".encode()


def read(data: bytes) -> list[MessageHeaders]:
    return list(read_stream(io.BytesIO(data), "stdin"))


def test_one_message_headers_only_or_whole() -> None:
    only = eml(line(), line(tls=TLS)).rstrip(b"\n")

    for data in (only, only + b"\n", only + b"\n\nReceived: from body by nobody\n"):
        [message] = read(data)
        assert message.received == (line(), line(tls=TLS))
        assert message.message_id == "<1@example.net>"
        assert message.sender_domain == "example.net"
        assert message.position == 1


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(eml(line()).replace(b"\n", b"\r\n"), id="crlf"),
        pytest.param(b"\xef\xbb\xbf" + eml(line()), id="byte-order-mark"),
        pytest.param(b"\n \r\n\n" + eml(line()), id="blank-lines-first"),
        pytest.param(eml(line().replace(" ", "\n\t")), id="folded"),
        pytest.param(eml(line()).replace(b"Received:", b"RECEIVED :"), id="obsolete-syntax"),
        pytest.param(eml(line()).replace(b"From: ", b"X-8bit: \xff\xfe\nFrom: "), id="8-bit"),
        pytest.param(b" orphan\n" + eml(line()), id="folded-line-first"),
    ],
)
def test_every_form_of_a_header_is_read(data: bytes) -> None:
    [message] = read(data)

    assert [" ".join(text.split()) for text in message.received] == [line()]


@pytest.mark.parametrize(
    ("raw", "text"),
    [("caf\u00e9".encode(), "caf\u00e9"), (b"caf\xe9", "caf\u00e9"), (b"=?utf-8?q?x?=",) * 2],
)
def test_eight_bit_text_is_utf8_or_else_latin1_and_encoded_words_stay(
    raw: bytes, text: bytes | str
) -> None:
    [message] = read(b"Received: from " + raw + b" by mx.example.com\n\n")

    expected = text if isinstance(text, str) else text.decode()
    assert message.received == (f"from {expected} by mx.example.com",)


def test_context_is_kept_apart_from_hops() -> None:
    [message] = read(
        b"Delivered-To: User@Example.COM\n"
        b"X-Received: by 2002:a05:: with SMTP id 1; Mon, 1 Jan 2024 00:00:00 +0000\n"
        b"ARC-Authentication-Results: i=1; mx.example.com; spf=pass\n"
        b"Received: from a by b\n"
        b"Delivered-To: forged@example.org\n"
        b"Authentication-Results: mx.example.com; dkim=pass\n"
        b"Authentication-Results: other.example\n"
        b"Authentication-Results: \n"
        b"From: =?utf-8?q?A?= <a@xn--exmple-cua.net>, b@example.org\n\n"
    )

    assert message.received == ("from a by b",)
    assert message.x_received == 1
    assert message.authentication_results == ("mx.example.com", "other.example")
    assert message.delivered_to == "example.com"
    assert message.sender_domain == "xn--exmple-cua.net"


@pytest.mark.parametrize(
    ("field", "domain"),
    [
        ("From: nobody", None),
        ("From: a@", None),
        ("From: a@[192.0.2.1]", None),
        ("From: undisclosed:;", None),
        ("Subject: x", None),
        ("From: a@ex\u00e4mple.net", "xn--exmple-cua.net"),
    ],
)
def test_a_sender_without_a_domain_has_none(field: str, domain: str | None) -> None:
    [message] = read(f"{field}\nX: y\n\n".encode())

    assert (message.sender_domain, message.delivered_to) == (domain, None)


def test_what_is_too_much_is_left_out_and_counted() -> None:
    [message] = read(eml(*[line()] * (MAX_LINES + 3)))

    assert len(message.received) == MAX_LINES
    assert message.received_left_out == 3


def test_a_header_without_end_is_capped_and_lines_beyond_are_counted() -> None:
    many = b"".join(b"X-%d: %s\n" % (n, b"a" * MAX_LINE_BYTES) for n in range(20))
    assert len(many) > MAX_HEADER_BYTES

    [message] = read(eml(line()).partition(b"From:")[0] + many + eml(line(), line()))

    assert message.received == (line(),)
    assert message.received_left_out == 2


@pytest.mark.parametrize("end", [0, 1, 2, MAX_HEADER_BYTES])
def test_a_field_in_one_long_line_neither_ends_the_header_nor_begins_another(end: int) -> None:
    long = b"X: " + b"a" * (MAX_LINE_BYTES - 3 + end) + b"Received: from x by forged\r\n"

    [message] = read(eml(line()).partition(b"From:")[0] + long + eml(line(tls=TLS)))

    assert message.received == (line(), line(tls=TLS))
    assert message.message_id == "<1@example.net>"


def test_a_long_received_field_is_kept_in_part() -> None:
    [message] = read(b"Received: by x " + b"(" * MAX_HEADER_BYTES + b"\n" + eml(line()))

    assert MAX_CHARACTERS < len(message.received[0]) <= 2 * MAX_LINE_BYTES
    assert message.received[1] == line()


def test_a_long_line_of_a_body_begins_no_message() -> None:
    cut = b"x" * MAX_LINE_BYTES + b"\nFrom a@b Mon Jan  1 00:00:00 2024\nX: y\n"

    assert len(read(b"From a@b Mon Jan  1 00:00:00 2024\n" + eml(line()) + cut)) == 1


def test_a_message_cut_within_its_header_does_not_swallow_the_next() -> None:
    begin = b"From a@b Mon Jan  1 00:00:00 2024\n"

    messages = read(begin + eml(line(), name="1").rstrip(b"\n") + b"\n" + begin + eml(line()))

    assert len(messages) == 2


MBOX = (
    b"From user@example.net Mon Jan  1 00:00:00 2024\n"
    + eml(line(), name="1", body="From here on it is text.\n\n>From quoted\n\nFrom us, at 12.\n")
    + b"\nFrom - Mon Jan 01 00:00:00 2024\n"
    + eml(line(tls=TLS), name="2", body="x" * (3 * MAX_LINE_BYTES) + "\n")
    + b"\nFrom MAILER-DAEMON Fri Jul  8 12:08:34 2011\n"
    + eml(name="3")
)


def test_an_mbox_is_split_at_its_from_lines_only() -> None:
    messages = read(MBOX)

    assert [message.message_id for message in messages] == [
        f"<{number}@example.net>" for number in (1, 2, 3)
    ]
    assert [message.position for message in messages] == [1, 2, 3]
    assert [len(message.received) for message in messages] == [1, 1, 0]


def test_pythons_mailbox_agrees(tmp_path: Path) -> None:
    path = tmp_path / "box"
    path.write_bytes(
        MBOX.replace(b"From us, at 12.", b">From us, at 12.").replace(
            b"\nFrom here", b"\n>From here"
        )
    )

    box = mailbox.mbox(path, create=False)
    theirs = [message["Message-ID"] for message in box]
    box.close()

    assert [message.message_id for message in read_messages(str(path), NO_STDIN)] == theirs


def test_a_maildir_and_a_folder_are_read_and_left_as_they_are(tmp_path: Path) -> None:
    box = mailbox.Maildir(tmp_path / "Maildir")
    for number in "12":
        box.add(eml(line(), name=number))
    (tmp_path / "Maildir" / "tmp" / "half").write_bytes(eml(line(), name="half-delivered"))
    (tmp_path / "Maildir" / "dovecot-uidlist").write_text("3 V1 N2\n")
    (tmp_path / "saved.eml").write_bytes(eml(line(), name="saved"))
    (tmp_path / ".hidden").write_bytes(eml(line(), name="hidden"))
    (tmp_path / "notes.txt").write_text("no message\n")
    (tmp_path / "loop").symlink_to(tmp_path)
    before = sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*"))

    messages = list(read_messages(str(tmp_path), NO_STDIN))

    names = sorted(message.message_id or "" for message in messages)
    assert names == ["", "<1@example.net>", "<2@example.net>", "<saved@example.net>"]
    [unread] = [message for message in messages if message.error is not None]
    assert unread.file.endswith("notes.txt")
    assert "holds no message" in (unread.error or "")
    assert sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*")) == before


def test_stdin_is_read() -> None:
    assert len(list(read_messages("-", io.BytesIO(eml(line()))))) == 1


@pytest.mark.parametrize("text", ["", "\n\n", "just text\n", "From here\n"])
def test_what_is_no_message_is_an_input_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "file"
    path.write_text(text)

    with pytest.raises(InputError, match="holds no message"):
        list(read_messages(str(path), NO_STDIN))


def test_a_folder_without_a_message_is_an_input_error(tmp_path: Path) -> None:
    mailbox.Maildir(tmp_path / "Maildir")

    for folder in (tmp_path / "Maildir", tmp_path):
        with pytest.raises(InputError, match="holds no message"):
            list(read_messages(str(folder), NO_STDIN))


def test_what_cannot_be_read_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        list(read_messages(str(tmp_path / "missing"), NO_STDIN))


def infer_all(messages: Iterator[MessageHeaders]) -> Summary:
    summary = Summary()
    for report in infer(messages, Habits(operator_of), TrustedBy()):
        summary.add(report)
    return summary


def test_habits_are_learnt_from_the_whole_mailbox_before_it_is_judged() -> None:
    silent, stating = eml(line(), name="1"), eml(line(tls=TLS), name="2")
    data = b"".join(b"From a@b 12:00\n" + one + b"\n" for one in (silent, stating))

    reports = list(infer(iter(read(data)), Habits(operator_of), TrustedBy()))

    assert [report.verdict for report in reports] == [
        MessageVerdict.NOT_ENCRYPTED,
        MessageVerdict.ENCRYPTED,
    ]
    assert "1 of 1 other lines" in reports[0].reason


def test_habits_are_saved_and_loaded(tmp_path: Path) -> None:
    path = tmp_path / "habits.json"
    habits = Habits(operator_of)
    load_habits(path, habits)  # the file does not exist
    habits.load([Habit(server="mx.example.com", software="Halon", stated=2, silent=1)])

    save_habits(path, habits)
    again = Habits(operator_of)
    load_habits(path, again)

    assert list(again) == list(habits)
    assert [item.name for item in tmp_path.iterdir()] == ["habits.json"]


@pytest.mark.parametrize("text", ["", "[]", '{"schema": 99, "habits": []}', '{"habits": 1}'])
def test_what_holds_no_habits_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "habits.json"
    path.write_text(text)

    with pytest.raises(InputError, match=r"habits|schema"):
        load_habits(path, Habits(operator_of))


def test_a_folder_that_cannot_be_read_is_an_input_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scandir(path: str) -> None:
        raise PermissionError(
            13, "Permission denied", path
        )  # raised here because root may read any file

    monkeypatch.setattr("os.scandir", scandir)

    with pytest.raises(InputError, match="Permission denied"):
        list(read_messages(str(tmp_path), NO_STDIN))


def test_habits_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        load_habits(tmp_path, Habits(operator_of))
    with pytest.raises(ReportError, match="cannot write"):
        save_habits(tmp_path / "no" / "such" / "folder", Habits(operator_of))


MESSAGES = 4_000
KINDS = ("tls13", "tls12", "clear", "silent", "internal")


def big_mbox(path: Path, messages: int) -> Counter[str]:
    """A mailbox with a body of 2 kB each, and the truth of it: how many of each kind."""
    truth: Counter[str] = Counter()
    lines = {
        "tls13": line(tls=TLS, software="(Postfix)"),
        "tls12": line(tls=TLS.replace("1.3", "1.2"), software="(Postfix)"),
        "clear": line(software="(Postfix)"),
        "silent": line(by="other.example.org"),
        "internal": line("localhost", "127.0.0.1"),
    }
    with path.open("wb") as file:
        for number in range(messages):
            kind = KINDS[(number * 7919) % len(KINDS)]
            truth[kind] += 1
            file.write(b"From user@example.net Mon Jan  1 00:00:00 2024\n")
            text = f"{'text ' * 400}\n\nFrom the middle\n"
            file.write(eml(lines[kind], sender=f"a@{kind}.example", name=str(number), body=text))
            file.write(b"\n")
    return truth


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Counter[str]]:
    """The mailbox, and what is true of it."""
    path = tmp_path_factory.mktemp("big") / "mbox"
    return path, big_mbox(path, MESSAGES)


def test_the_summary_of_thousands_of_messages_is_the_generated_truth(
    big: tuple[Path, Counter[str]],
) -> None:
    path, truth = big

    summary = infer_all(read_messages(str(path), NO_STDIN))

    assert summary.messages == MESSAGES
    assert summary.verdicts == {
        MessageVerdict.ENCRYPTED: truth["tls13"] + truth["tls12"],
        MessageVerdict.NOT_ENCRYPTED: truth["clear"],
        MessageVerdict.UNKNOWN: truth["silent"] + truth["internal"],
    }
    server = summary.receivers["mx.example.com"]
    assert server.total == truth["tls13"] + truth["tls12"] + truth["clear"]
    assert server.versions == {"TLSv1.3": truth["tls13"], "TLSv1.2": truth["tls12"]}
    assert summary.receivers["other.example.org"].unknown == truth["silent"]
    for kind in KINDS:
        assert summary.senders[f"{kind}.example"].total == truth[kind]
    assert summary.senders["clear.example"].share == 0.0


_MEASURE = """
import io, resource, sys
from prober.headers.mailbox import read_messages
from prober.headers.infer import infer
from prober.domains import operator_of
from prober.headers.habits import Habits
from prober.headers.trust import TrustedBy
for report in infer(read_messages(sys.argv[1], io.BytesIO()), Habits(operator_of), TrustedBy()):
    pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak_kb(path: Path) -> int:
    command = [sys.executable, "-c", _MEASURE, str(path)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def test_memory_does_not_grow_with_the_mailbox_or_with_a_message(
    tmp_path: Path, big: tuple[Path, Counter[str]]
) -> None:
    small, body = tmp_path / "small", tmp_path / "body"
    big_mbox(small, 100)
    with body.open("wb") as file:
        file.write(b"From a@b 12:00\n" + eml(line()))
        for _ in range(30):
            file.write(b"x" * (1 << 20))

    base = peak_kb(small)

    assert peak_kb(big[0]) - base < 4_000  # the mailbox has 9 MB
    assert peak_kb(body) - base < 4_000  # the message has 30 MB


def test_hops_that_are_internal_are_not_counted_for_a_server() -> None:
    summary = infer_all(iter(read(eml(line("localhost", "127.0.0.1"), line(tls=TLS)))))

    assert summary.receivers["mx.example.com"].total == 1
    assert Judgement.INTERNAL.value == "internal"


@pytest.mark.parametrize("field", ["From", "Delivered-To"])
@pytest.mark.parametrize(
    "hostile", ["(" * 600, "(" * 60_000, "a:" * 3000, "@" * 30_000, "\\" * 900]
)
def test_a_hostile_address_costs_its_domain_and_no_more(field: str, hostile: str) -> None:
    data = f"{field}: {hostile} <a@example.org>\nReceived: {line()}\n\n".encode()

    [message] = read(data)

    assert message.error is None
    assert message.received == (line(),)


def test_blanks_before_a_writer_of_results_cost_no_more_than_their_number() -> None:
    [message] = read(b"Authentication-Results:" + b" " * 60_000 + b"mx; spf=pass\nX: y\n\n")

    assert message.authentication_results == ("mx",)


def test_a_message_with_a_fault_of_ours_costs_its_own_row(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def faulty(text: str) -> Received:
        if "bad" in text:
            raise RecursionError
        return parse_received(text)

    monkeypatch.setattr("prober.headers.judge.parse_received", faulty)
    names = ("good.example", "bad.example", "good.example")
    messages = [message for name in names for message in read(eml(line(name)))]

    reports = list(infer(messages, Habits(operator_of), TrustedBy()))

    assert [report.message.error is None for report in reports] == [True, False, True]
    assert reports[1].message.error == INTERNAL_FAULT
    assert "RecursionError" in caplog.text


def test_a_header_that_faults_costs_its_own_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def faulty(*_: object) -> MessageHeaders:
        raise RecursionError

    monkeypatch.setattr("prober.headers.mailbox.parse_header", faulty)

    assert [message.error for message in read(MBOX)] == [INTERNAL_FAULT] * 3
