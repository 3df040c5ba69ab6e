"""Data of ten times the memory: shards are read as needed, and memory stays flat."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from chainrule.parallel import agreement

SAMPLES, SHARDS, SIDE = 250, 20, 256
"""20 shards of 16 MB: 328 MB."""
ROOM = 32 << 20
"""Bytes that a process may need beyond what its libraries do: a tenth of the data."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    rng = np.random.default_rng(0)
    one = rng.integers(0, 255, (SAMPLES, 1, SIDE, SIDE), np.uint8)
    for number in range(SHARDS):
        np.save(folder / f"x-{number}.npy", one)
        np.save(folder / f"y-{number}.npy", np.arange(SAMPLES) % 10)
    return folder


def run_limited(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run code in which `data` are the shards, with `ROOM` bytes beyond what has been allocated until then."""
    limit = (
        "import resource, sys\nimport numpy as np\nimport chainrule as cr\nfrom chainrule.parallel import digest\n"
        "data = cr.data.read_shards(sys.argv[1])\n"
        "now = next(int(line.split()[1]) for line in open('/proc/self/status') if line.startswith('VmData'))\n"
        f"resource.setrlimit(resource.RLIMIT_DATA, (now * 1024 + {ROOM},) * 2)\n"
    )
    return subprocess.run(
        [sys.executable, "-c", limit + code, folder], capture_output=True, text=True, check=False, timeout=300
    )


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="limits on memory are Linux's")
def test_all_batches_of_much_data_fit_into_little_memory(folder):
    """What a worker does before the first step and in an epoch; and the limit is one, for the data does not fit."""
    passes = run_limited(
        "digest(array for shard in data.shards for array in (shard.x, shard.y))\n"
        "rng = np.random.default_rng(0)\n"
        "print(sum(len(x) for x, labels in data.batches(20, rng)))",
        folder,
    )
    assert passes.returncode == 0, passes.stderr
    assert int(passes.stdout) == SAMPLES * SHARDS
    fails = run_limited("np.concatenate([np.array(shard.x) for shard in data.shards])", folder)
    assert "MemoryError" in fails.stderr


def test_a_hash_of_very_much_data_looks_at_rows_spread_over_it(monkeypatch):
    """Of eight shards of which one may be read, every eighth row of each."""
    monkeypatch.setattr(agreement, "_MOST", 800)
    shards = [np.zeros((80, 10), np.uint8) for _ in range(8)]
    first = agreement.digest(shards)
    for row, is_seen in ((0, True), (16, True), (17, False)):
        other = [shard.copy() for shard in shards]
        other[5][row] = 1
        assert (agreement.digest(other) != first) == is_seen
    assert agreement.digest(shards[:7]) != first
