"""What sslscan and testssl.sh say of a server: they make some hundred connections for it."""

import asyncio
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

import pytest

_SSLSCAN_VERSIONS: Final = {
    ("ssl", "3"): "SSLv3",
    ("tls", "1.0"): "TLSv1",
    ("tls", "1.1"): "TLSv1.1",
    ("tls", "1.2"): "TLSv1.2",
}
_TESTSSL_VERSIONS: Final = {"SSLv3": "SSLv3", "TLS1": "TLSv1", "TLS1_1": "TLSv1.1"}
_TESTSSL_BROKEN: Final = (
    *("cipherlist_NULL", "cipherlist_aNULL", "cipherlist_EXPORT"),
    *("cipherlist_LOW", "cipherlist_3DES_IDEA"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """What sslscan saw up to TLS 1.2."""

    versions: frozenset[str]
    suites: frozenset[int]
    dh_bits: frozenset[int]


async def sslscan(port: int) -> Scanned:
    """Scan the server at *port*."""
    _require("sslscan")
    xml = await _run(
        "sslscan", "--starttls-smtp", "--no-heartbleed", "--xml=-", f"127.0.0.1:{port}"
    )
    root = ElementTree.fromstring(xml)  # noqa: S314 - of a program of ours
    protocols = [
        _SSLSCAN_VERSIONS.get((each.get("type", ""), each.get("version", "")))
        for each in root.iter("protocol")
        if each.get("enabled") == "1"
    ]
    ciphers = [each for each in root.iter("cipher") if each.get("sslversion") != "TLSv1.3"]
    return Scanned(
        versions=frozenset(filter(None, protocols)),
        suites=frozenset(int(each.get("id", "0"), 16) for each in ciphers),
        dh_bits=frozenset(int(bits) for each in ciphers if (bits := each.get("dhebits"))),
    )


async def run_testssl(port: int, folder: Path) -> tuple[frozenset[str], bool]:
    """The versions below TLS 1.2, and whether there are broken suites."""
    _require("testssl")
    file = folder / "testssl.json"
    options = ("-p", "-s", "--quiet", "--warnings", "off", "-n", "none", "--ip", "127.0.0.1")
    where = ("--jsonfile", str(file), f"mx.example.test:{port}")
    await _run("testssl", "--starttls", "smtp", *options, *where)
    found = {item["id"]: item["finding"] for item in json.loads(file.read_text())}
    versions = {name for id_, name in _TESTSSL_VERSIONS.items() if _is_offered(found[id_])}
    return frozenset(versions), any(_is_offered(found[id_]) for id_ in _TESTSSL_BROKEN)


def _is_offered(finding: str) -> bool:
    return finding.startswith("offered")


def _require(program: str) -> None:
    if shutil.which(program) is None:
        reason = f"{program} is not there: run tests/mta/install"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


async def _run(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    output, _ = await process.communicate()
    return output.decode(errors="replace")
