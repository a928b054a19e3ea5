"""Exim, from a configuration file of its own. Debian builds it with GnuTLS."""

import trustme

from tests.mta.base import MtaServer, Site
from tests.mta.certificates import CertificateFault

_CONFIGURATION = """\
primary_hostname = {host_name}
disable_ipv6
local_interfaces = <; {address}
daemon_smtp_ports = {port}
spool_directory = /srv/spool
log_file_path = syslog
pid_file_path = /srv/spool/exim.pid
keep_environment =
host_lookup =
rfc1413_hosts =
{tls}
"""
_TLS = """\
tls_advertise_hosts = *
tls_certificate = /srv/cert.pem
tls_privatekey = /srv/key.pem
"""


def _configure(site: Site) -> tuple[str, ...]:
    tls = _TLS if site.has_tls else "tls_advertise_hosts ="
    site.write(
        "exim.conf",
        _CONFIGURATION.format(
            host_name=site.host_name, address=site.address, port=site.port, tls=tls
        ),
    )
    site.make_folder("spool", owner="Debian-exim")
    if site.has_tls:
        site.give("key.pem", "Debian-exim")  # Exim reads it after giving up root
    return ("/usr/sbin/exim4", "-bdf", "-C", "/srv/exim.conf")


EXIM = MtaServer(
    name="exim",
    program="usr/sbin/exim4",
    configure=_configure,
    bad=CertificateFault.SELF_SIGNED,
    key_type=trustme.KeyType.RSA,
)
