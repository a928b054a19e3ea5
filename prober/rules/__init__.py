"""Judgement: pure functions from facts to findings and verdicts. No clock, file, socket or loop."""
