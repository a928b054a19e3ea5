"""Daily totals of sent mail, from logs."""

from alembic import op

from prober.store.schema import SENT, SENT_VIEWS, create

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the tables and the view; a test sees to it that what this makes stays as it was."""
    create(op.get_bind(), SENT, SENT_VIEWS)
