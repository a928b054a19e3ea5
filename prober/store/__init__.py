"""The record: every observation of every run, kept in SQLite or PostgreSQL. docs/record.md.

Facts are stored once by content, as bytes that no migration changes; an observation says which
facts a domain had in a run, and what was made of them. Needs the extra ``record``.
"""
