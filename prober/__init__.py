"""Tells whether a mail domain can receive mail encrypted, and proves it."""

__version__ = "0.1.0"
