"""A small Internet on loopback, for `probe demo`, tests and benchmarks. Needs the extra ``demo``.

It has a DNS resolver, SMTP servers and MTA-STS policy hosts. Each server has a personality: a small
class that says how it behaves, correctly or wrong. So every behaviour that a prober must recognise
can be shown without the Internet.

    async with Lab([mail_domain("example.test", WellConfigured(), Busy())]) as lab:
        await scan(entries, lab.settings(greeting_s=1.0), keep)
        assert lab.servers["mx1.example.test"].sessions[0].commands[-1] == "QUIT"

- ``internet`` starts everything: domains, their hosts and their DNS records.
- ``dns`` is the resolver, ``zone`` its data, ``faults`` its wrong or late answers.
- ``smtp`` is an SMTP server, ``peer`` one session of it, ``listener`` its sockets.
- ``tls``, ``certificates`` and ``dhe`` make handshakes and certificates, good and bad.
- ``personalities`` are the behaviours of SMTP servers, ``policy_host`` those of policy hosts.
- ``demo`` is the list of domains that `probe demo` scans.
"""
