"""Logs as they are found: rotated in mid-session, clocks that step, lines cut off or binary."""

import gzip
import io
import lzma
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.logs.lines import in_order
from prober.logs.reading import Reading, Wanted
from prober.logs.records import Delivery, Internal, Tls
from prober.logs.summary import Summary
from tests.logs import test_opensmtpd as opensmtpd
from tests.logs import test_sendmail as sendmail
from tests.logs.reading import read, told
from tests.logs.test_hostile import BEGIN, TRUTH, rfc_3164
from tests.logs.test_postfix import NEW, START, to

STEADY = datetime(2026, 11, 28, 18, tzinfo=UTC)
POSTFIX = ("postfix/smtp[7]", (NEW,), to())
SENDMAIL = ("sm-mta[9]", (sendmail.TLS,), sendmail.SENT)
OPENSMTPD = (
    "smtpd[5]",
    (opensmtpd.CONNECTING, opensmtpd.CONNECTED, opensmtpd.TLS),
    opensmtpd.done(),
)
SESSIONS = pytest.mark.parametrize(
    ("program", "before", "delivery"),
    [POSTFIX, SENDMAIL, OPENSMTPD],
    ids=["postfix", "sendmail", "opensmtpd"],
)


def line(stamp: str, program: str, text: str) -> str:
    return f"{stamp} mx1 {program}: {text}"


def files(*paths: Path) -> tuple[list[Delivery], Summary, list[str]]:
    """What is in logs of these files, and the lines that were not understood."""
    deliveries: list[Delivery] = []
    unread: list[str] = []
    summary = Summary()
    Reading(
        lambda delivery, _: deliveries.append(delivery),
        wanted=Wanted(),
        internal=Internal(),
        summary=summary,
        unread=lambda _name, _number, raw: unread.append(raw),
    ).read(in_order([str(path) for path in paths], io.BytesIO(), STEADY))
    return deliveries, summary, unread


@SESSIONS
@pytest.mark.parametrize("pack", [bytes, gzip.compress, lzma.compress], ids=["", "gz", "xz"])
def test_a_log_is_rotated_in_mid_session(
    program: str,
    before: tuple[str, ...],
    delivery: str,
    pack: Callable[[bytes], bytes],
    tmp_path: Path,
) -> None:
    older, newer = tmp_path / "mail.log.1", tmp_path / "mail.log"
    first = "".join(line("Nov 28 00:00:01", program, text) + "\n" for text in before)
    older.write_bytes(pack(first.encode()))
    newer.write_text(line("Nov 28 00:00:03", program, delivery) + "\n")
    for path in (older, newer):
        os.utime(path, (STEADY.timestamp(), STEADY.timestamp()))
    (found,), summary, _ = files(newer, older)
    assert (found.session.tls, summary.unread) == (Tls.ENCRYPTED, 0)


@SESSIONS
@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param("Nov 28 02:59:59", "Nov 28 02:00:00", id="back"),
        pytest.param("Nov 28 02:00:00", "Nov 28 05:00:00", id="forward"),
        pytest.param("Dec 31 23:59:59", "Jan  1 00:00:01", id="year"),
        pytest.param("2026-10-25T02:59:59+02:00", "2026-10-25T02:00:00+01:00", id="summer time"),
    ],
)
def test_a_clock_steps_between_the_lines_of_a_session(
    program: str, before: tuple[str, ...], delivery: str, first: str, second: str
) -> None:
    lines = [*(line(first, program, text) for text in before), line(second, program, delivery)]
    (found,) = read(lines).deliveries
    assert found.session.tls is Tls.ENCRYPTED


@SESSIONS
def test_processes_are_interleaved(program: str, before: tuple[str, ...], delivery: str) -> None:
    """The other process, or session, is the one that used TLS."""
    name, _, pid = program.partition("[")
    other = f"{name}[8{pid}"
    known = line("Nov 28 00:00:01", name + "[1]", "starting daemon (8.17.1)")
    begun = [text for text in before if "tls" not in text.lower()]
    if opensmtpd.ID in delivery:
        another = delivery.replace(opensmtpd.ID, opensmtpd.OTHER)
        begun = [text.replace(opensmtpd.ID, opensmtpd.OTHER) for text in begun]
    else:
        another = delivery
    lines = [
        START,
        known,
        *(line("Nov 28 17:00:02", program, text) for text in before),
        *(line("Nov 28 17:00:02", other, text) for text in begun),
        line("Nov 28 17:00:03", other, another),
        line("Nov 28 17:00:04", program, delivery),
    ]
    found = read(lines).deliveries
    assert [each.session.tls for each in found] == [Tls.CLEAR, Tls.ENCRYPTED]


@pytest.mark.parametrize("server", TRUTH)
@given(
    cuts=st.dictionaries(st.integers(0, 20), st.integers(0, 200), max_size=4),
    junk=st.binary(max_size=20),
)
def test_what_is_cut_off_or_binary_is_never_taken_for_more(
    server: str, cuts: dict[int, int], junk: bytes
) -> None:
    """Another version, address or way than the truth has is in no delivery."""
    write, truth = TRUTH[server]
    lines = [rfc_3164(BEGIN, *written) for written in write("no")]
    end = "\\" + junk.decode("utf-8", "backslashreplace")  # no part of a name or an address
    for at, length in cuts.items():
        if at < len(lines):
            lines[at] = lines[at][:length] + end
    relays = {each.rpartition(" ")[2] for each in truth} | {"-[-]", "local"}
    for delivery in read(lines, inbound=True).deliveries:
        assert told(delivery).rpartition(" ")[2] in relays


def test_lines_that_are_not_understood_are_counted_and_given(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    broken = [
        line("Nov 28 17:00:01", "postfix/smtp[7]", "AAAAAA: to=<a@example.com>, relay="),
        line("Nov 28 17:00:01", "exim[6]", "1xXNIG-00000J-0N => "),
        line("Nov 28 17:00:01", "sm-mta[9]", f"{sendmail.QUEUE_ID}: to=<a@example.com>"),
        line("Nov 28 17:00:01", "smtpd[5]", f"{opensmtpd.ID} mta delivery evpid=f6"),
        "\x7fELF\x02\x01",
    ]
    others = [line("Nov 28 17:00:02", "kernel", "no mail"), "", START]
    log.write_text("\n".join([*broken, *others]) + "\n")
    deliveries, summary, unread = files(log)
    assert (deliveries, unread, summary.unread) == ([], broken, len(broken))
    assert (summary.lines, summary.other_lines) == (len(broken) + len(others), 1)
