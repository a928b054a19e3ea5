"""Nodemailer's smtp-server from npm: no MTA, but JavaScript, on Node.js and the TLS in it."""

import json
import shutil

import trustme

from tests.mta import sandbox
from tests.mta.base import MtaServer, Site
from tests.mta.certificates import CertificateFault

_PROGRAM = "node_modules/smtp-server"

_SERVER_JS = """\
const fs = require('node:fs');
const options = JSON.parse(fs.readFileSync('/srv/options.json'));
const { SMTPServer } = require(options.module);
const server = new SMTPServer({
  name: options.hostName,
  logger: true,
  disableReverseLookup: true,
  disabledCommands: options.hasTls ? ['AUTH'] : ['AUTH', 'STARTTLS'],
  ...(options.hasTls && {
    cert: fs.readFileSync('/srv/cert.pem'),
    key: fs.readFileSync('/srv/key.pem'),
  }),
});
server.on('error', (error) => console.error(error.message));
process.on('SIGTERM', () => process.exit(0));
server.listen(options.port, options.address);
"""


def _configure(site: Site) -> tuple[str, ...]:
    options = {
        "module": str(NODEMAILER.installed_program),
        "address": site.address,
        "port": site.port,
        "hostName": site.host_name,
        "hasTls": site.has_tls,
    }
    site.write("options.json", json.dumps(options))
    site.write("server.js", _SERVER_JS)
    node = shutil.which("node")
    assert node is not None, f"no node for {sandbox.roots_folder()}: run tests/mta/install"
    return (node, "/srv/server.js")


NODEMAILER = MtaServer(
    name="nodemailer",
    program=_PROGRAM,
    configure=_configure,
    bad=CertificateFault.SELF_SIGNED,
    key_type=trustme.KeyType.ECDSA,
    is_packaged=False,
)
