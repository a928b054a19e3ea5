"""What the prober costs, against a simulated Internet on loopback. See docs/performance.md."""
