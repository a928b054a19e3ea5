"""Splits the bytes of a server into handshake messages and alerts, as far as they are in clear.

Record protocol: RFC 5246 §6.2.1, RFC 8446 §5.1. Pure. Subclasses say what to do with the messages.
"""

from typing import Final

HANDSHAKE: Final = 22  # content types: RFC 5246 §6.2.1
ALERT: Final = 21
TLS_MAJOR: Final = 3  # of the version in a record, from SSL 3.0 to TLS 1.3
_RECORD_HEADER: Final = 5  # type, version, length: RFC 5246 §6.2.1
_MESSAGE_HEADER: Final = 4  # type, length: RFC 5246 §7.4
_ALERT_SIZE: Final = 2  # level, description: RFC 5246 §7.2

# handshake messages: RFC 5246 §7.4
HELLO_REQUEST: Final = 0
SERVER_HELLO: Final = 2
CERTIFICATE: Final = 11
SERVER_KEY_EXCHANGE: Final = 12
CERTIFICATE_REQUEST: Final = 13
SERVER_HELLO_DONE: Final = 14
CERTIFICATE_STATUS: Final = 22  # RFC 6066 §8


class HandshakeReader:
    """Takes the bytes of a server in pieces of any size.

    Keeps only the headers of the current record and message. Ends when the messages are no longer
    in clear, or when the subclass sets ``is_over``.
    """

    def __init__(self) -> None:
        self.is_over = False
        self._header = b""  # of the record that begins
        self._record_left = 0
        self._content_type = 0
        self._message_header = b""  # of the handshake message that begins
        self._message_left = 0
        self._message_type = 0
        self._alert = b""

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the server."""
        rest = memoryview(data)
        while rest and not self.is_over:
            if self._record_left:
                piece, rest = rest[: self._record_left], rest[self._record_left :]
                self._record_left -= len(piece)
                if self._content_type == HANDSHAKE:
                    self._read_messages(piece)
                elif self._content_type == ALERT:
                    self._read_alerts(piece)
            else:
                wanted = _RECORD_HEADER - len(self._header)
                self._header += rest[:wanted]
                rest = rest[wanted:]
                if len(self._header) == _RECORD_HEADER:
                    self._begin_record()

    def on_record(self, content_type: int, major: int, length: int) -> None:
        """A record begins. After ChangeCipherSpec, and in application data, all is encrypted."""
        is_clear = content_type in (HANDSHAKE, ALERT)
        self.is_over = not is_clear or major != TLS_MAJOR

    def on_message(self, message_type: int, length: int) -> None:
        """A handshake message of *length* bytes begins."""

    def on_piece(self, message_type: int, piece: memoryview, left: int) -> None:
        """The next bytes of that message arrived. *left* bytes are still missing."""

    def on_alert(self, level: int, code: int) -> None:
        """A complete alert arrived."""

    def _begin_record(self) -> None:
        self._content_type, major = self._header[:2]
        self._record_left = int.from_bytes(self._header[3:])
        self._header = b""
        self.on_record(self._content_type, major, self._record_left)

    def _read_messages(self, data: memoryview) -> None:
        """A message may span records, and a record hold several messages: RFC 5246 §6.2.1."""
        while data and not self.is_over:
            if self._message_left:
                piece, data = data[: self._message_left], data[self._message_left :]
                self._message_left -= len(piece)
                self.on_piece(self._message_type, piece, self._message_left)
            else:
                wanted = _MESSAGE_HEADER - len(self._message_header)
                self._message_header += data[:wanted]
                data = data[wanted:]
                if len(self._message_header) == _MESSAGE_HEADER:
                    self._begin_message()

    def _begin_message(self) -> None:
        self._message_type = self._message_header[0]
        self._message_left = int.from_bytes(self._message_header[1:])
        self._message_header = b""
        self.on_message(self._message_type, self._message_left)
        if not self._message_left and not self.is_over:
            self.on_piece(self._message_type, memoryview(b""), 0)

    def _read_alerts(self, data: memoryview) -> None:
        """Up to TLS 1.2 an alert may span records, and a record hold several: RFC 5246 §6.2.1."""
        for byte in data:
            self._alert += bytes([byte])
            if len(self._alert) == _ALERT_SIZE:
                level, code = self._alert
                self._alert = b""
                self.on_alert(level, code)
            if self.is_over:
                return
