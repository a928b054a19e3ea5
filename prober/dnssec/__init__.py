"""DNSSEC validation from the root: RFC 4033 to 4035, 4509, 5155, 6672, 6840, 9276, 9905.

``anchors``, ``judgement``, ``signatures``, ``denial`` and ``chain`` judge: they take messages and a
time, and do no I/O. ``validator`` fetches what they need through a function that it is given.
"""
