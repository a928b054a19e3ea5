"""Sendmail, from a sendmail.cf that m4 makes of the macros in Debian's sendmail-cf."""

import subprocess

import trustme

from tests.mta.base import MtaServer, Site
from tests.mta.certificates import CertificateFault

_MACROS = "/usr/share/sendmail/cf"
_M4_TIMEOUT_S = 60.0  # takes 0.02 s

_MC = """\
OSTYPE(`linux')dnl
define(`confDOMAIN_NAME', `{host_name}')dnl
define(`confPID_FILE', `/srv/sendmail.pid')dnl
define(`confSERVICE_SWITCH_FILE', `/srv/service.switch')dnl
define(`confDONT_PROBE_INTERFACES', `True')dnl
define(`confTO_IDENT', `0')dnl
define(`QUEUE_DIR', `/srv/queue')dnl
define(`ALIAS_FILE', `')dnl
define(`STATUS_FILE', `')dnl
{tls}
FEATURE(`no_default_msa')dnl
FEATURE(`nocanonify')dnl
DAEMON_OPTIONS(`Name=MTA, Family=inet, Addr={address}, Port={port}')dnl
MAILER(`smtp')dnl
"""
# Without a folder of CA certificates Sendmail offers no STARTTLS. With one it asks for a client
# certificate, as Sendmail does in the field.
_TLS = """\
define(`confCACERT_PATH', `/srv')dnl
define(`confCACERT', `/srv/cert.pem')dnl
define(`confSERVER_CERT', `/srv/cert.pem')dnl
define(`confSERVER_KEY', `/srv/key.pem')dnl
"""


def _configure(site: Site) -> tuple[str, ...]:
    mc = _MC.format(
        host_name=site.host_name,
        address=site.address,
        port=site.port,
        tls=_TLS if site.has_tls else "dnl",
    )
    site.write("sendmail.cf", expand(site, mc))
    site.write("service.switch", "hosts files\naliases files\n")
    site.make_folder("queue", owner="root")
    return ("/usr/libexec/sendmail/sendmail", "-bD", "-C", "/srv/sendmail.cf")


def expand(site: Site, mc: str) -> str:
    """The sendmail.cf that m4 makes of *mc*."""
    return subprocess.run(
        ["chroot", site.root, "m4", f"-D_CF_DIR_={_MACROS}/", f"{_MACROS}/m4/cf.m4", "-"],
        input=mc,
        capture_output=True,
        text=True,
        timeout=_M4_TIMEOUT_S,
        check=True,
    ).stdout


SENDMAIL = MtaServer(
    name="sendmail",
    program="usr/libexec/sendmail/sendmail",
    configure=_configure,
    bad=CertificateFault.WRONG_NAME,
    key_type=trustme.KeyType.RSA,
    asks_for_client_certificate=True,
)
