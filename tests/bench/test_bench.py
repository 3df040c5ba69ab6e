"""The benchmark itself: variants take turns, missing peers are reported, and its output files are readable."""

import itertools
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chainrule.bench import SECTIONS, Result, lines, sequences
from chainrule.bench.dense import DENSE
from chainrule.bench.neighbours import neighbours
from chainrule.bench.peers import PEERS, load_peers
from chainrule.bench.rounds import OURS, by_turns
from chainrule.bench.sequences import SEQUENCES
from chainrule.bench.work import Goal, Work, data, network, products, time_to, training
from chainrule.bench.worker import peak_memory, working


def test_ways_come_by_turns_and_ratios_are_within_a_round():
    order = []

    def way(name, *seconds):
        times = itertools.cycle(seconds)

        def run():
            order.append(name)
            return next(times)

        return run

    results = by_turns({OURS: way(OURS, 9.0, 1.0, 2.0, 4.0), "other": way("other", 9.0, 3.0, 4.0, 20.0)}, rounds=3)
    assert order == [OURS, "other"] * 4  # the first of each does not count
    assert results["other"].seconds == [3.0, 4.0, 20.0]
    assert results["other"].ratios == [3.0, 2.0, 5.0]
    assert (results["other"].ratio, results["other"].median, results[OURS].ratio) == (3.0, 4.0, 1.0)


def test_a_line_for_each_way():
    text = lines("lenet", {OURS: Result([0.002, 0.004], [1, 1]), "other": Result([0.5, 3.0], [250.0, 750.0])})
    assert [line.split() for line in text.splitlines()] == [
        ["lenet", "ratio", "from", "...", "to", "median"],
        [OURS, "1.00", "1.00", "to", "1.00", "3,000.0", "us"],
        ["other", "500.00", "250.00", "to", "750.00", "1.75", "s"],
    ]


def test_work_is_training_that_goes_on_over_the_end_of_an_epoch(small):
    run = training(Work("two-layer", 10), small[0])  # 6 steps an epoch
    assert all(0 < run() < 10 for _ in range(3))


def test_a_goal_ends_when_it_is_reached_or_not_at_all(small):
    seconds, accuracy = time_to(Goal("two-layer", 0.3, adam=True, most_epochs=50), *small, seed=0)
    assert 0 < seconds < 60
    assert 0.3 <= accuracy < 1
    assert time_to(Goal("two-layer", 1.1, adam=False, most_epochs=1), *small, seed=0)[0] == float("inf")


@pytest.mark.parametrize("name", ["two-layer", "lenet", "resnet-mini"])
def test_the_products_of_a_step(name):
    assert 0 < products(network(Work(name, 1, batch=4)), 4, 1)() < 60


def test_processes_of_their_own():
    work = Work("two-layer", 3)
    with working(work, CHAINRULE_KERNELS="reference") as run:
        assert 0 < run() < 60
        assert 0 < run() < 60
    assert 50e6 < peak_memory(OURS, work) < 1e9  # MNIST alone is 47 MB


@pytest.mark.long
def test_the_command_writes_numbers_and_pictures(chainrule, tmp_path):
    result = chainrule("bench", "--only", "inference", "--rounds", 1, "--output", tmp_path / "bench")
    assert result.returncode == 0, result.stderr
    report = json.loads((tmp_path / "bench" / "bench.json").read_text())
    found, missing = load_peers()
    assert (sorted(found) + missing) != []
    assert report["missing"] == missing
    assert all(f"{name} is not installed: skipped" in result.stderr for name in missing)
    assert report["versions"]["Python"] == sys.version.split()[0]
    assert set(report["inference"]) == {
        f"{name}, {count}" for name in ("two-layer", "simple-conv", "lenet") for count in ("1 image", "500 images")
    }
    for ways in report["inference"].values():
        assert ways[OURS]["ratio"] == 1
        assert ways[OURS]["median"] > 0
    with Image.open(tmp_path / "bench" / "inference.png") as picture:
        width, height = picture.size
    assert width > 800
    assert height > 300


def test_an_unknown_section_is_named(chainrule, tmp_path):
    result = chainrule("bench", "--only", "speed", "--output", tmp_path / "bench")
    assert result.returncode == 2
    assert result.stderr == f"error: there is no section 'speed': choose from {', '.join(SECTIONS)}\n"
    assert not (tmp_path / "bench").exists()


def test_a_peer_that_is_not_there_is_left_out(monkeypatch):
    for name in PEERS.values():
        monkeypatch.delitem(sys.modules, f"chainrule.bench.peers.{name}", raising=False)
    for package in ("torch", "jax", "sklearn", "onnxruntime", "onnx"):
        monkeypatch.setitem(sys.modules, package, None)
    assert load_peers() == ({}, list(PEERS))


def test_numpy_is_not_held_back(chainrule, tmp_path):
    result = chainrule(
        "bench",
        "--only",
        "nothing",
        "--output",
        tmp_path,
        environment={"OPENBLAS_CORETYPE": "Haswell", "OPENBLAS_L2_SIZE": ""},
    )
    assert "OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE would slow NumPy down: restarting without" in result.stderr
    assert "there is no section 'nothing'" in result.stderr  # by the restarted process
    assert result.returncode == 2


@pytest.mark.parametrize("name", DENSE)
def test_dense_work(name):
    work = Work(name, 1, batch=4, momentum=0.9)
    run = training(work, data(work))
    assert 0 < run() < 60
    assert np.count_nonzero(data(work).x) > 0.999 * data(work).x.size


@pytest.mark.parametrize("work", SEQUENCES)
def test_networks_that_write(work):
    short = work._replace(batch=2, steps=1)
    assert 0 < sequences.training(short)() < 60
    assert 0 < sequences.writing(short)() < 60


def test_neighbours_are_busy_and_end():
    with neighbours(2) as count:
        assert count == 2
        children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
        assert len(children) >= 2
    assert len(Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()) == len(children) - 2
