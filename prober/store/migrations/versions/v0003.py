"""Proofs of DNSSEC, each RRset once."""

from alembic import op

from prober.store.schema import PROOFS, create

revision = "0003"
down_revision = "0001"


def upgrade() -> None:
    """Make the table; a test sees to it that what this makes stays as it was."""
    create(op.get_bind(), PROOFS, {})
