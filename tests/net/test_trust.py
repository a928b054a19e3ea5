"""The trust store: which certificates are in it, however odd the file."""

from typing import Any

import pytest

from prober.net.trust import pem_blocks

BEGIN = b"-----BEGIN CERTIFICATE-----"
END = b"-----END CERTIFICATE-----"
ONE = BEGIN + b"\nMQ==\n" + END
TWO = BEGIN + b"\nMg==\n" + END


@pytest.mark.parametrize(
    ("pem", "blocks"),
    [
        pytest.param(b"", [], id="empty"),
        pytest.param(BEGIN, [], id="no-end"),
        pytest.param(END + BEGIN, [], id="end-first"),
        pytest.param(BEGIN + END, [BEGIN + END], id="nothing-in-it"),
        pytest.param(b"# of ours\r\n" + ONE + b"\n\n" + TWO, [ONE, TWO], id="two"),
        pytest.param(ONE + TWO + BEGIN + b"\nMw==", [ONE, TWO], id="the-last-is-torn"),
    ],
)
def test_certificates_are_found(pem: bytes, blocks: list[bytes]) -> None:
    assert list(pem_blocks(pem)) == blocks


class _Counted(bytes):
    """Counts the bytes that are searched."""

    searched = 0

    def find(self, *args: Any) -> int:
        found = super().find(*args)
        self.searched += (found if found >= 0 else len(self)) - int(args[1])
        return found


@pytest.mark.parametrize("piece", [BEGIN + b"\n", ONE + b"\n", END + b"\n"])
def test_each_byte_is_searched_once(piece: bytes) -> None:
    pem = _Counted(piece * 1000)
    list(pem_blocks(pem))

    assert 0 < pem.searched <= 2 * len(pem)
