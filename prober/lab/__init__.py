"""A small Internet on loopback: DNS, and SMTP servers that behave well, badly and worse.

``probe demo`` scans it; tests and benchmarks are run against it. It needs the extra ``demo``.

    async with Lab([mail_domain("example.test", WellConfigured(), Busy())]) as lab:
        await scan(entries, lab.settings(greeting_s=1.0), keep)
        assert lab.servers["mx1.example.test"].sessions[0].commands[-1] == "QUIT"
"""
