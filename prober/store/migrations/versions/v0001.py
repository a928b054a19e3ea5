"""The first version."""

from alembic import op

from prober.store.schema import FIRST, VIEWS, create

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables and views; a test sees to it that what this makes stays as it was."""
    create(op.get_bind(), FIRST, VIEWS)
