"""Real mail servers that take any message and hand it on to a sink: so one sees what they wrote.

The configurations are those of postfix.py, exim.py and sendmail.py with an onward way added.
"""

import contextlib
import dataclasses
import re
import socket
import threading
from collections.abc import Callable, Iterator
from queue import Queue

from tests.mta.base import MtaServer, Site
from tests.mta.exim import EXIM
from tests.mta.postfix import POSTFIX, write_main_cf
from tests.mta.sendmail import SENDMAIL

SINK_TIMEOUT_S = 120.0
_ACCEPTED = b"250 ok\r\n"


class Sink:
    """An SMTP server that keeps every message it is given. RFC 5321 §4.1, the least of it."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self.address, self.port = listener.getsockname()
        self.messages: Queue[bytes] = Queue()

    def serve(self) -> None:
        """Take sessions, one after the other, until the listener is shut down."""
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.settimeout(SINK_TIMEOUT_S)
            with connection, connection.makefile("rwb", buffering=0) as stream:
                with contextlib.suppress(ConnectionError):  # a server that is stopped hangs up
                    self._session(stream)

    def _session(self, stream: socket.SocketIO) -> None:
        stream.write(b"220 sink.test ESMTP\r\n")
        lines = iter(lambda: stream.readline(), b"")
        for line in lines:
            match line[:4].upper():
                case b"DATA":
                    stream.write(b"354 go on\r\n")
                    body = b"".join(iter(lambda: next(lines), b".\r\n"))
                    self.messages.put(body)
                    stream.write(_ACCEPTED)
                case b"QUIT":
                    stream.write(b"221 bye\r\n")
                    return
                case _:
                    stream.write(_ACCEPTED)


@contextlib.contextmanager
def running_sink() -> Iterator[Sink]:
    """A sink on a free port of loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sink = Sink(listener)
        thread = threading.Thread(target=sink.serve)
        thread.start()
        try:
            yield sink
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


_POSTFIX_MAIN = """\
compatibility_level = 3.6
myhostname = {site.host_name}
mydestination =
mynetworks = 127.0.0.0/8
inet_protocols = ipv4
queue_directory = /srv/queue
data_directory = /srv/data
alias_maps =
local_recipient_maps =
smtpd_peername_lookup = no
disable_dns_lookups = yes
relayhost = [{sink.address}]:{sink.port}
smtpd_recipient_restrictions = permit
smtp_tls_security_level = none
smtpd_tls_received_header = {header}
{tls}
"""
_POSTFIX_TLS = """\
smtpd_tls_security_level = may
smtpd_tls_chain_files = /srv/key.pem, /srv/cert.pem
"""
_POSTFIX_MASTER = """\
{site.address}:{site.port} inet n - n - - smtpd
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
smtp unix - - n - - smtp
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
"""
_POSTFIX_QUEUES = (
    *("incoming", "active", "deferred", "corrupt", "hold", "defer", "bounce", "trace", "flush"),
    *("saved", "private", "public"),
)


def receiving_postfix(sink: Sink, *, tls_header: bool) -> MtaServer:
    """Postfix with ``smtpd_tls_received_header`` on or off."""

    def configure(site: Site) -> tuple[str, ...]:
        (site.folder / "etc").mkdir()
        tls = _POSTFIX_TLS if site.has_tls else "smtpd_tls_security_level = none"
        main = _POSTFIX_MAIN.format(
            site=site, sink=sink, tls=tls, header="yes" if tls_header else "no"
        )
        write_main_cf(site.folder / "etc", main)
        site.write("etc/master.cf", _POSTFIX_MASTER.format(site=site))
        site.make_folder("data", owner="postfix")
        site.make_folder("queue", owner="root")
        site.make_folder("queue/pid", owner="root")
        for queue in _POSTFIX_QUEUES:
            site.make_folder(f"queue/{queue}", owner="postfix")
        return ("/usr/lib/postfix/sbin/master", "-c", "/srv/etc", "-s")

    return dataclasses.replace(POSTFIX, configure=configure)


_EXIM_ONWARD = """
acl_smtp_rcpt = acl_any
deliver_drop_privilege
queue_run_max = 1
begin acl
acl_any:
  accept
begin routers
onward:
  driver = manualroute
  route_list = * {sink.address}
  self = send
  transport = onward
begin transports
onward:
  driver = smtp
  port = {sink.port}
  hosts_avoid_tls = *
"""


def receiving_exim(sink: Sink) -> MtaServer:
    """Exim, its ``received_header_text`` as it comes."""

    def configure(site: Site) -> tuple[str, ...]:
        command = EXIM.configure(site)
        path = site.folder / "exim.conf"
        path.write_text(path.read_text() + _EXIM_ONWARD.format(sink=sink))
        return command

    return dataclasses.replace(EXIM, configure=configure)


def receiving_sendmail(sink: Sink) -> MtaServer:
    """Sendmail, its ``Received`` template as it comes; the smart host is written into its .cf."""

    def configure(site: Site) -> tuple[str, ...]:
        command = SENDMAIL.configure(site)
        path = site.folder / "sendmail.cf"
        text = re.sub(r"(?m)^DS$", f"DSrelay:[{sink.address}]", path.read_text())
        mailer = r"(?ms)^(Mrelay,.*?A=TCP \$h)$"
        path.write_text(re.sub(mailer, rf"\1 {sink.port}", text))
        return command

    return dataclasses.replace(SENDMAIL, configure=configure)


RECEIVING: dict[str, Callable[[Sink], MtaServer]] = {
    "postfix-header-on": lambda sink: receiving_postfix(sink, tls_header=True),
    "postfix-header-off": lambda sink: receiving_postfix(sink, tls_header=False),
    "exim": receiving_exim,
    "sendmail": receiving_sendmail,
}
