"""How SMTP servers behave here, a module for each step at which they differ.

These are the servers of the demo and of the benchmarks; the tests have many more of their own.
"""
