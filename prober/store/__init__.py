"""The record: every observation of every run, kept in SQLite or PostgreSQL. docs/record.md.

Facts are stored once by content, as bytes that no migration changes. An observation says which
facts a domain had in a run, and how they were judged. Needs the extra ``record``.
"""
