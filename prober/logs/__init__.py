"""Delivery logs: was the mail that we sent encrypted?

A mail server writes down each attempt to deliver a message. `probe` says what would happen now, a
Received header what happened to a message that we got; only the log says what happened to those
that we sent. The words:

- **attempt**: one try to hand one message to one recipient, with the status *sent*, *deferred* (to
  be tried again) or *bounced* (given up). One message has a queue id on each server, and a
  message-id of its sender's.
- **relay**: the server that it was handed to.
- **encrypted, clear, unknown**: whether that connection used TLS. Unknown always has its reason.
- **identity**: how much of the other server's certificate was checked: *none* (encrypted, but
  perhaps to an attacker), *trusted*, *verified* (also its name), *dane*.
- **held back**: the message did not leave: no server was reached, or the policy asked for more
  than the server had.

The traps:

- Most servers do not log that a connection was in clear: they log nothing about TLS then. That has
  a meaning only where the same server logs TLS at all; else the answer is unknown (base.Silence).
- Postfix before 3.11 states TLS in a line without queue id: it must be joined by process and
  relay, while other processes write between the lines (postfix.py).
- A message can leave without being *sent*: a server that refuses at the end of DATA has read it.
- Replies, HELO names, addresses and message-ids were written by others, who may imitate a log
  line. So each line is parsed from the left by a grammar, and nothing after a peer's text is
  believed, unless the server wrote it last.
- Recipients are people, and replies repeat their addresses (privacy.py).
- A log can be cut off, rotated, out of order, or incomplete because of a rate limit. What is not
  certain is *unknown*. Lines that were not understood are counted.

lines.py parses lines. postfix.py, exim.py, opensmtpd.py and sendmail.py join them to deliveries,
and share base.py. summary.py counts, daily.py counts for the record, report.py, text.py and html.py
make the reports, reading.py runs it all. advice.py says what to do about a domain. tls_report.py is
about the other direction: what others met when they sent to us. docs/logs.md.
"""
