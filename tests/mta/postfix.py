"""Postfix, from a main.cf and a master.cf of its own."""

import os
from pathlib import Path

import trustme

from tests.mta.base import MtaServer, Site
from tests.mta.certificates import CertificateFault

_MAIN_CF = """\
compatibility_level = 3.6
myhostname = {host_name}
mydestination =
mynetworks = 127.0.0.0/8
inet_protocols = ipv4
queue_directory = /srv/queue
data_directory = /srv/data
alias_maps =
local_recipient_maps =
smtpd_peername_lookup = no
disable_dns_lookups = yes
{tls}
"""
_TLS = """\
smtpd_tls_security_level = may
smtpd_tls_chain_files = /srv/key.pem, /srv/cert.pem
smtpd_tls_loglevel = 1
"""
_MASTER_CF = """\
{address}:{port} inet n - n - - smtpd
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
"""


def write_main_cf(folder: Path, text: str) -> None:
    """Write a main.cf, and date it back.

    Postfix reads a younger one again and again until it is two seconds old, lest it be half
    written.
    """
    path = folder / "main.cf"
    path.write_text(text)
    os.utime(path, (0, 0))


def _configure(site: Site) -> tuple[str, ...]:
    tls = _TLS if site.has_tls else "smtpd_tls_security_level = none"
    (site.folder / "etc").mkdir()
    write_main_cf(site.folder / "etc", _MAIN_CF.format(host_name=site.host_name, tls=tls))
    site.write("etc/master.cf", _MASTER_CF.format(address=site.address, port=site.port))
    site.make_folder("data", owner="postfix")
    site.make_folder("queue", owner="root")
    site.make_folder("queue/pid", owner="root")
    site.make_folder("queue/private", owner="postfix")
    site.make_folder("queue/public", owner="postfix")
    return ("/usr/lib/postfix/sbin/master", "-c", "/srv/etc", "-s")


POSTFIX = MtaServer(
    name="postfix",
    program="usr/lib/postfix/sbin/master",
    configure=_configure,
    bad=CertificateFault.EXPIRED,
    key_type=trustme.KeyType.ECDSA,
)
