"""How the tests themselves are run."""

import os

import pytest


@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="runs without workers")
def test_workers_get_whole_groups(request: pytest.FixtureRequest) -> None:
    """pytest-xdist appends the group to the id, unless it does not fit pytest and ignores groups."""
    assert request.node.nodeid.endswith("@tests-test_running.py")
