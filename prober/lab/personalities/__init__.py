"""The behaviours of SMTP servers in the demo and the benchmarks, one module per step.

The tests have many more personalities.
"""
