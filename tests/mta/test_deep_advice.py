"""The advice of the findings of --deep, followed by real servers: then the finding is gone."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest
import trustme

from prober.net.smtp import Target
from prober.records import Code, EndpointFacts
from prober.rules.deep import deep_findings
from prober.settings import Pace, Settings
from prober.vantage import Vantage
from tests.mta import exim, postfix
from tests.mta.certificates import MtaCa
from tests.mta.servers import SERVERS, RunningMta, require, running

MODULES: Final[Mapping[str, ModuleType]] = {"postfix": postfix, "exim": exim}
LAX_POSTFIX: Final = """
smtpd_tls_ciphers = low
tls_low_cipherlist = ALL:eNULL:@SECLEVEL=0
"""
LAX_EXIM: Final = "NORMAL:+3DES-CBC:+ARCFOUR-128"


@contextmanager
def started(
    name: str, settings: str, ca: MtaCa, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RunningMta]:
    """The server with an RSA certificate and *settings* besides its usual ones."""
    server = replace(SERVERS[name], key_type=trustme.KeyType.RSA)
    require(server)
    folder.mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(MODULES[name], "_TLS", f"{MODULES[name]._TLS}{settings}\n")
        with running(server, "good", ca, folder) as mta:
            yield mta


async def observe(mta: RunningMta) -> EndpointFacts:
    settings = Settings(
        ca_file=mta.ca_file,
        allow_private=True,
        ehlo_name="probe.test",
        resolvers=("127.0.0.1",),
        confirm_delay_s=0.1,
        pace=Pace(address_interval_s=0.0),
        deep=True,
    )
    async with Vantage(settings) as vantage:
        target = Target(mx_host=mta.host_name, address=mta.address, port=mta.port)
        return await vantage.endpoint(target)


@pytest.mark.parametrize(
    ("name", "before", "after", "code"),
    [
        pytest.param(
            "postfix",
            "",
            "smtpd_tls_protocols = >=TLSv1.2",
            Code.LEGACY_VERSION_ACCEPTED,
            id="postfix-legacy",
        ),
        pytest.param(
            "postfix",
            LAX_POSTFIX,
            "smtpd_tls_exclude_ciphers = EXPORT, LOW, eNULL, MD5, RC4, 3DES",
            Code.BROKEN_SUITE_ACCEPTED,
            id="postfix-broken",
        ),
        pytest.param(
            "postfix",
            "",
            "smtpd_tls_exclude_ciphers = aNULL",
            Code.ANONYMOUS_SUITE_ACCEPTED,
            id="postfix-anonymous",
        ),
        pytest.param(
            "postfix",
            "",
            "smtpd_tls_exclude_ciphers = kRSA",
            Code.STATIC_KEY_EXCHANGE_ACCEPTED,
            id="postfix-static",
        ),
        pytest.param(
            "exim",
            "",
            "tls_require_ciphers = NORMAL:-VERS-TLS1.0:-VERS-TLS1.1",
            Code.LEGACY_VERSION_ACCEPTED,
            id="exim-legacy",
        ),
        pytest.param(
            "exim",
            f"tls_require_ciphers = {LAX_EXIM}",
            "tls_require_ciphers = NORMAL",
            Code.BROKEN_SUITE_ACCEPTED,
            id="exim-broken",
        ),
        pytest.param(
            "exim",
            "",
            "tls_require_ciphers = NORMAL:-RSA",
            Code.STATIC_KEY_EXCHANGE_ACCEPTED,
            id="exim-static",
        ),
    ],
)
async def test_a_server_that_follows_the_advice(
    name: str,
    before: str,
    after: str,
    code: Code,
    mta_ca: MtaCa,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert after.split(" = ")[1] in code.advice
    with started(name, before, mta_ca, tmp_path / "before", monkeypatch) as mta:
        lax = await observe(mta)
    kept = f"{before}\n{after}" if name == "postfix" else after
    with started(name, kept, mta_ca, tmp_path / "after", monkeypatch) as mta:
        strict = await observe(mta)

    assert code in dict(deep_findings(lax))
    assert {code, Code.DEEP_NOT_TESTED}.isdisjoint(dict(deep_findings(strict)))
    assert strict.tls_version == lax.tls_version == "TLSv1.3"
