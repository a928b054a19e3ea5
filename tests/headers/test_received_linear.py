"""Every regular expression that reads foreign text takes steps in proportion to its length."""

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import prober.headers
from prober.headers import mailbox, parse, peer, shapes, tables, tls, tokens
from prober.rules import ciphers
from tests.support.regex_steps import steps_a_character

MODULES: tuple[ModuleType, ...] = (*(ciphers, mailbox, parse, peer, shapes, tables, tls, tokens),)
SOURCE = "".join(
    path.read_text()
    for path in (
        *Path(prober.headers.__path__[0]).glob("*.py"),
        Path(ciphers.__file__),
    )
)
LENGTH = 200  # characters
MOST = 80  # maximum steps per character; only a nested loop takes more
BEGINNINGS = (
    *("", "From ", "using ", "using TLS:", "TLSv1:", "version=TLSv1 cipher=", "TLS: ", "AUTH: x, "),
    *("Cellopoint ", "client CN ", "8.1", "8.1/", "qmail 1 invoked by ", "from a", "envelope"),
    *("over x, plain text!,", "[", '"', '<"', "a@", "a=", "tls=none ", "p00-icloudmta-", "i=1"),
)
PIECES = (
    *("a", "1", ".", "_", "=", "@", '"', '\\"', "\\", "(", "[", "<"),
    *(" ", ":", ",", "/", "a=a ", ", a=a", "HELO ", "TLSv1 ", "TLS_", "A__"),
    *("@a", "a.", "1.", "1/", "1:", "bits ", "cipher ", "client ", "verify=", "AES"),
    *("a-AES", "( )", "1 Jan 2024 1:", "a_a-"),
)


def patterns() -> dict[str, re.Pattern[Any]]:
    """Every expression of the modules by its name, those in tables by their place."""
    found: dict[str, re.Pattern[Any]] = {}
    for module in MODULES:
        for name, value in vars(module).items():
            values = value if isinstance(value, tuple) else (value,)
            for number, one in enumerate(values):
                for part in one if isinstance(one, tuple) else (one,):
                    if isinstance(part, re.Pattern):
                        found[name if len(values) == 1 else f"{name}-{number}"] = part
    return found


def is_searched(name: str) -> bool:
    """Whether the expression is tried at every place of a text."""
    bare = re.escape(name.partition("-")[0])
    used = rf"\b{bare}\.(?:search|sub|findall|finditer|split)\("
    return name.startswith("CLIENT_COMMENTS") or re.search(used, SOURCE) is not None


@pytest.mark.parametrize("name", sorted(patterns()))
def test_an_expression_is_linear(name: str) -> None:
    pattern, anywhere = patterns()[name], is_searched(name)
    begins_with_any = ".*?" in str(pattern.pattern)
    for beginning in ("", "<", "x ") if anywhere or begins_with_any else BEGINNINGS:
        for piece in PIECES:
            text = (beginning + piece * LENGTH)[:LENGTH]
            assert steps_a_character(pattern, text, anywhere=anywhere, most=MOST) < MOST, text[:40]


@pytest.mark.parametrize(
    ("pattern", "text", "anywhere"),
    [
        (r"\w+[-_][\w+-]+ x", "a_", False),
        (r"(?:,? a=[^\s]+)*\Z", ", a=a", False),
        (r"\s*i=\d+", " ", True),
        (r"\S+@\S+\s*,", "@", False),
    ],
)
def test_the_counter_sees_what_is_not_linear(pattern: str, text: str, anywhere: bool) -> None:
    steps = steps_a_character(
        re.compile(pattern), text * LENGTH + "!", anywhere=anywhere, most=MOST
    )

    assert steps == float("inf")
