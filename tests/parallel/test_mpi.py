"""Workers that MPI connects: the same bytes from one, two, three and four processes."""

import sys
from pathlib import Path

import pytest

from parallel.starting import mpiexec

SCRIPT = Path(__file__).with_name("three_networks.py")


@pytest.fixture(scope="module")
def alone() -> list[str]:
    result = mpiexec("-n", 1, sys.executable, SCRIPT)
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


@pytest.mark.parametrize("size", [2, 3, 4])
def test_workers_come_to_the_same_bytes(size, alone):
    result = mpiexec("-n", size, sys.executable, SCRIPT)
    assert result.returncode == 0, result.stderr
    assert len(alone) == 4
    assert sorted(result.stdout.splitlines()) == sorted(alone * size)
