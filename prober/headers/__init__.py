"""Received headers: was this message encrypted on its way?

Every mail server that accepts a message adds one ``Received`` line above the others. Most servers
write in that line whether the client used TLS. This package reads the lines, judges each transfer,
and then the message. RFC 5321 §4.4 defines the field, RFC 8314 §4.3 its TLS clause.

Words:

- **hop**: one transfer, recorded by one Received line. Hop 0 is the newest line, at the top.
- **trusted**: a line that a server on the recipient's side wrote, so the sender cannot have forged
  it. Every line below the first line from elsewhere is only **claimed**.
- **border**: a hop at which the message came from another operator.
- **internal**: a hop within one host, network or provider. Nobody else can listen there.
- **habit**: whether a server states TLS whenever TLS is used. If it is known to do so, a line
  without a statement means that TLS was not used. Otherwise such a line means nothing.

Traps:

- The client chooses its HELO name, so its text must never become an address or a judgement.
- ``with ESMTP`` does not mean clear text, because many servers never state TLS.
- ``verify=NO`` is about the client's certificate, not about encryption.
- ``TLSv1/SSLv3`` names a family of cipher suites, not a version.

Stages, in order:

1. ``mailbox`` reads messages from files, mailboxes and folders.
2. ``parse`` turns each line into a record. ``tokens`` splits the line, ``peer`` finds the client,
   ``tls`` and ``shapes`` find what is stated about TLS, ``tables`` holds the lists.
3. ``trust`` decides which lines are trusted and which hops are internal. ``habits`` learns from all
   messages of the run which servers state TLS.
4. ``judge`` judges each hop, then the message. ``infer`` does this for all messages of a run.
5. ``infer`` also probes the receiving servers, if asked to. ``join`` compares the results.
6. ``rows`` and ``text`` write reports, ``summary`` counts. docs/headers.md is the user's page.
"""
