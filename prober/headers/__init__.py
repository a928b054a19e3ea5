"""Received headers: was this message encrypted on its way?

Each server that a message passes adds one line on top, and most say there whether the transfer to
them used TLS. The words:

- **hop**: one transfer, told by one Received line; 0 is the newest line.
- **trusted**: written by a server of the recipient's side, so that the sender could not forge it.
  All below the first line of a stranger is only **claimed**.
- **internal**: a transfer within one host, network or provider, which no other party can listen to.
- **habit**: whether a server states TLS when it is used. Silence of a server that is known to
  state it means that TLS was not used; any other silence means nothing.

The traps: a client chooses its HELO name, so no text of the client may become an address or a
judgement; ``ESMTP`` is not clear text, since many servers never state TLS; ``verify=NO`` is about
the client's certificate, not about encryption; ``TLSv1/SSLv3`` names a family of suites.

mailbox reads messages, parse takes a line apart (tokens, peer, tls, shapes, tables), trust and
habits say what counts, judge concludes, infer does it for a whole run and asks the receiving
servers, rows and text write reports. RFC 5321 §4.4, RFC 8314 §4.3; docs/headers.md.
"""
