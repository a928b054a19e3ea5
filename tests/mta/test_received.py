"""Real mail servers write the lines: what is parsed must be what the connection used."""

import smtplib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from prober.domains import operator_of
from prober.headers.habits import Habits
from prober.headers.mailbox import parse_header
from prober.headers.parse import parse_received
from prober.headers.records import Basis, Judgement, Received, TlsStatement
from prober.rules.ciphers import iana_name
from tests.headers.builders import judge_message
from tests.mta.certificates import MtaCa
from tests.mta.receiving import RECEIVING, SINK_TIMEOUT_S, Sink, running_sink
from tests.mta.servers import RunningMta, require, running

_VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}
_SAYS_NO_MORE_THAN_THE_KEYWORD = ("postfix-header-off",)


@dataclass(frozen=True, slots=True)
class Receiver:
    """A running server under test, and where what it takes ends up."""

    kind: str
    mta: RunningMta
    sink: Sink


@pytest.fixture(scope="module", params=RECEIVING)
def receiver(
    request: pytest.FixtureRequest, mta_ca: MtaCa, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Receiver]:
    with running_sink() as sink:
        server = RECEIVING[request.param](sink)
        require(server)
        folder: Path = tmp_path_factory.mktemp(request.param)
        with running(server, "good", mta_ca, folder) as mta:
            yield Receiver(request.param, mta, sink)


@dataclass(frozen=True, slots=True)
class Used:
    """What the connection used, by the client's own TLS."""

    protocol: str
    cipher: str
    bits: int


def send(receiver: Receiver, version: str | None) -> Used | None:
    """Send a message, over TLS of that *version*, or in clear."""
    mta, used = receiver.mta, None
    with smtplib.SMTP(mta.address, mta.port, "client.test", timeout=SINK_TIMEOUT_S) as client:
        if version is not None:
            context = ssl.create_default_context(cafile=str(mta.ca_file))
            context.check_hostname = False
            context.minimum_version = context.maximum_version = _VERSIONS[version]
            client.starttls(context=context)
            assert isinstance(client.sock, ssl.SSLSocket)
            cipher = client.sock.cipher()
            assert cipher is not None
            used = Used(client.sock.version() or "", cipher[0], cipher[2])
        client.sendmail("", ["user@receive.test"], b"Subject: x\r\nFrom: a@sender.test\r\n\r\nx")
    return used


def received(receiver: Receiver) -> tuple[str, Received]:
    """The topmost line of the message that came out, as it is and parsed."""
    try:
        message = receiver.sink.messages.get(timeout=SINK_TIMEOUT_S)
    except Exception:
        raise AssertionError(receiver.mta.log()) from None
    text = parse_header(message, "sink", 1).received[0]
    return text, parse_received(text)


@pytest.mark.parametrize("version", _VERSIONS)
def test_the_parse_equals_what_the_connection_used(receiver: Receiver, version: str) -> None:
    used = send(receiver, version)
    text, line = received(receiver)

    assert used is not None
    assert line.tls is TlsStatement.STATED, text
    assert line.by == receiver.mta.host_name
    assert line.peer is not None
    assert (line.peer.helo, line.peer.address) == ("client.test", "127.0.0.1"), text
    assert line.date is not None
    if receiver.kind in _SAYS_NO_MORE_THAN_THE_KEYWORD:
        assert (line.with_, line.tls_facts) == ("ESMTPS", None), text
        return
    facts = line.tls_facts
    assert facts is not None, text
    assert facts.protocol == used.protocol == version, text
    assert facts.cipher_iana == iana_name(used.cipher, used.protocol), text
    assert facts.bits in {used.bits, None}, text


def test_without_tls_the_line_states_none_and_habit_tells(receiver: Receiver) -> None:
    send(receiver, None)
    text, line = received(receiver)

    assert (line.tls, line.tls_facts) == (TlsStatement.NOT_STATED, None), text
    public = text.replace("127.0.0.1", "192.0.2.1").replace("localhost", "client.test")
    message = parse_header(f"Received: {public}".encode(), "sink", 1)
    hop = judge_message(message, Habits(operator_of)).hops[0]
    assert (hop.judgement, hop.basis) == (Judgement.NOT_ENCRYPTED, Basis.HABIT), text
