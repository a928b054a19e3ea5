"""The first version."""

from alembic import op

from prober.store.schema import create_all

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables and views; a test sees to it that what this makes stays as it was."""
    create_all(op.get_bind())
