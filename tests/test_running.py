"""How the tests themselves are run."""

import os

import pytest


@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="runs without workers")
def test_workers_get_whole_groups(request: pytest.FixtureRequest) -> None:
    """pytest-xdist appends the group to the id, unless it ignores groups, as with pytest 9.2."""
    assert request.node.nodeid.endswith("@tests-test_running.py")
