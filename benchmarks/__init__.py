"""What the prober costs, against a simulated Internet on loopback: ``python -m benchmarks``.

See docs/performance.md. Linux only: it reads /proc, and 127.0.0.0/8 is one host for each address.
"""
