"""`chainrule train --workers N`: the same bytes from any number, and from one that lost some on the way."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from chainrule.errors import MissingExtraError
from chainrule.parallel import launch
from parallel.starting import mpiexec, until, worker

LONG = ["--epochs", 30, "--batch-size", 10]


def start(folder: Path, data: Path, workers: int, *options: object) -> subprocess.Popen[str]:
    words = ["train", "--data", data, *LONG, "--workers", workers, *options, "--output", folder]
    return subprocess.Popen(
        [sys.executable, "-m", "chainrule", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def undisturbed(small_folder, chainrule, tmp_path_factory) -> bytes:
    """What one process gives that divides its batches alike."""
    folder = tmp_path_factory.mktemp("undisturbed")
    options = ["--data", small_folder, *LONG, "--accumulate", 8]
    result = chainrule("train", *options, "--output", folder)
    assert result.returncode == 0, result.stderr
    return (folder / "model.safetensors").read_bytes()


def model_of(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


@pytest.mark.parametrize("workers", [2, *(pytest.param(n, marks=pytest.mark.long) for n in (1, 4))])
def test_any_number_of_workers_writes_the_same_model(workers, small_folder, chainrule, tmp_path, undisturbed):
    result = chainrule("train", "--data", small_folder, *LONG, "--workers", workers, "--output", tmp_path)
    assert result.returncode == 0, result.stderr
    assert f"{workers} workers, each batch in 8 parts" in result.stderr
    assert result.stderr.count("epoch  30") == result.stdout.count("test accuracy") == 1  # one of them speaks
    assert model_of(tmp_path) == undisturbed
    assert {path.name for path in tmp_path.iterdir()} == {
        *("checkpoint.safetensors", "model.safetensors", "history.csv", "log.jsonl", "report.json"),
        *("curves.png", "confusion.png"),
    }


@pytest.mark.parametrize(
    ("rank", "sent", "options"),
    [
        (1, signal.SIGKILL, []),
        pytest.param(0, signal.SIGKILL, [], marks=pytest.mark.long),
        pytest.param(1, signal.SIGSTOP, ["--timeout", 5], marks=pytest.mark.long),
        pytest.param(0, signal.SIGSTOP, ["--timeout", 5], marks=pytest.mark.long),
    ],
)
def test_a_lost_worker_costs_nothing_but_time(rank, sent, options, small_folder, tmp_path, undisturbed):
    process = start(tmp_path / "run", small_folder, 2, *options)
    log = tmp_path / "run" / "log.jsonl"
    until(lambda: log.exists() and '"number": 3' in log.read_text())  # the launcher knows of a checkpoint then
    os.kill(worker(rank, tmp_path / "run"), sent)
    said, told = process.communicate(timeout=300)
    assert process.returncode == 0, told
    assert "a worker was lost: going on from the checkpoint after step" in told
    assert "Traceback" not in told
    assert "written to" in said
    assert model_of(tmp_path / "run") == undisturbed
    assert worker(0, tmp_path / "run") is worker(1, tmp_path / "run") is None


@pytest.mark.long
def test_a_worker_lost_before_there_is_a_checkpoint(small_folder, tmp_path, undisturbed):
    process = start(tmp_path / "run", small_folder, 2)
    os.kill(until(lambda: worker(1, tmp_path / "run")), signal.SIGKILL)
    _, told = process.communicate(timeout=300)
    assert process.returncode == 0, told
    assert "a worker was lost" in told
    assert model_of(tmp_path / "run") == undisturbed


@pytest.mark.long
def test_workers_go_on_when_the_launcher_is_killed(small_folder, tmp_path, undisturbed):
    process = start(tmp_path / "run", small_folder, 2)
    until(lambda: (tmp_path / "run" / "checkpoint.safetensors").exists())
    process.kill()
    process.communicate()
    until(lambda: (tmp_path / "run" / "confusion.png").exists())
    until(lambda: worker(0, tmp_path / "run") is None)
    assert model_of(tmp_path / "run") == undisturbed


@pytest.mark.long
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_another_number_of_workers_goes_on(
    sent, code, small_folder, chainrule, tmp_path, undisturbed
):
    process = start(tmp_path / "run", small_folder, 2)
    until(lambda: (tmp_path / "run" / "checkpoint.safetensors").exists())
    process.send_signal(sent)
    _, told = process.communicate(timeout=300)
    assert process.returncode == code, told
    assert f"continue with: chainrule train --resume --output {tmp_path / 'run'}" in told
    assert "Traceback" not in told
    others = [] if code == 143 else ["--workers", 3]
    result = chainrule("train", "--resume", "--output", tmp_path / "run", *others)
    assert result.returncode == 0, result.stderr
    assert "resuming after step" in result.stderr
    assert model_of(tmp_path / "run") == undisturbed


@pytest.mark.long
def test_workers_with_other_data_are_told_before_the_first_step(small_folder, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    for path in small_folder.iterdir():
        content = bytearray(path.read_bytes())
        if path.name.startswith("train-images"):
            content[-1] ^= 1
        (other / path.name).write_bytes(content)
    train = [sys.executable, "-m", "chainrule", "train", "--output", tmp_path / "run", "--data"]
    result = mpiexec("-n", 1, *train, small_folder, ":", "-n", 1, *train, other)
    assert result.returncode == 2, result.stderr
    assert "error: worker 1 has other data than worker 0: give all workers the same" in result.stderr
    assert not (tmp_path / "run" / "checkpoint.safetensors").exists()


@pytest.mark.long
def test_under_mpiexec_as_well(small_folder, tmp_path, undisturbed):
    words = ["train", "--data", small_folder, *LONG, "--output", tmp_path]
    result = mpiexec("-n", 2, sys.executable, "-m", "chainrule", *words)
    assert result.returncode == 0, result.stderr
    assert "2 workers, each batch in 8 parts" in result.stderr
    assert model_of(tmp_path) == undisturbed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--workers", 0], "--workers must be 1 or more, got 0"),
        (["--workers", 2, "--engine", "pigeons"], "no engine 'pigeons': use mpi or ray"),
        (["--engine", "ray"], "--engine ray starts workers: give --workers as well"),
        (["--workers", 2, "--address", "127.0.0.1:9"], "add --engine ray"),
        (["--workers", 2, "--engine", "ray", "--address", "127.0.0.1:9"], "no Ray cluster answers at 127.0.0.1:9"),
        (["--workers", 2, "--timeout", 0], "--timeout must be above 0 seconds and at most 1,000,000, got 0"),
        (["--workers", 3, "--batch-size", 2], "--workers 3 is more than a batch has samples (2): use fewer workers"),
        (["--workers", 3, "--accumulate", 2], "--workers 3 needs a batch in 3 parts or more, and it has 2"),
        (["--workers", 2, "--find-learning-rate"], "leave out --resume and --workers"),
        (["--workers", 2, "--model", "nothing"], "no model 'nothing'"),
    ],
)
def test_bad_input_is_one_line(options, message, small_folder, rejects, tmp_path):
    assert message in rejects("train", "--data", small_folder, *options, "--output", tmp_path)


def test_a_recipe_goes_on_with_the_parts_that_the_workers_chose(small_folder, chainrule, tmp_path):
    options = ["--data", small_folder, "--recipe", "lesson", "--output", tmp_path]
    assert chainrule("train", *options, "--epochs", 1, "--workers", 2).returncode == 0
    result = chainrule("train", *options, "--epochs", 2, "--resume")
    assert result.returncode == 0, result.stderr


def test_a_training_begun_alone_is_not_divided_later(small_folder, chainrule, rejects, tmp_path):
    assert chainrule("train", "--data", small_folder, "--epochs", 1, "--output", tmp_path).returncode == 0
    line = rejects("train", "--resume", "--epochs", 2, "--workers", 2, "--output", tmp_path)
    assert "--workers 2 needs a batch in 2 parts or more, and it has 1" in line


def test_without_mpi_the_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(MissingExtraError, match=r'needs mpi4py: pip install "chainrule\[mpi\]"'):
        launch(["train"], 2, print)
