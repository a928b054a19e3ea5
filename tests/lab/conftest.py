"""Fixtures of the lab's tests."""

import pytest

from prober.lab.certificates import LabCa


@pytest.fixture(scope="session")
def ca() -> LabCa:
    return LabCa()
