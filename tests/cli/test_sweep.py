"""`chainrule sweep`: every trial a training of its own, nothing lost, nothing done twice."""

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import chainrule as cr
from parallel.starting import training, until


@pytest.fixture(scope="module")
def plan(small_folder, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("plans") / "rates.toml"
    path.write_text(
        f'data = "{small_folder}"\n[fixed]\nepochs = 2\n[grid]\nlearning_rate = [0.1, 0.3]\nseed = [0, 1]\n'
    )
    return path


def rows(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "trials.csv").read_text().splitlines()))


def test_a_sweep_names_the_best_and_how_to_make_it_again(plan, small_folder, chainrule, rejects, tmp_path):
    folder = tmp_path / "sweep"
    result = chainrule("sweep", plan, "--workers", 2, "--ensemble", 2, "--output", folder)
    assert result.returncode == 0, result.stderr
    trials = rows(folder)
    assert [(row["learning_rate"], row["seed"], row["state"]) for row in trials] == [
        *(("0.1", "0", "done"), ("0.1", "1", "done"), ("0.3", "0", "done"), ("0.3", "1", "done")),
    ]
    assert (folder / "trials.png").stat().st_size > 10_000
    assert {"model.safetensors", "report.json", "recipe.toml", "checkpoint.safetensors"} <= {
        path.name for path in (folder / "1").iterdir()
    }
    assert "the best was chosen by the test data" in result.stderr
    assert "standard error" in result.stdout
    assert "2 best voting  test accuracy" in result.stdout
    best = max(trials, key=lambda row: (float(row["chosen_by"]), -int(row["trial"])))
    assert f"best           trial {best['trial']}:" in result.stdout

    # the commands that are told do what they say
    told = {line.split("  ")[0]: line.split("  ")[-1].strip() for line in result.stdout.splitlines()}
    again = told["make it again"].split()
    assert chainrule(*again[1:], cwd=tmp_path).returncode == 0
    assert (tmp_path / "runs" / "again" / "model.safetensors").read_bytes() == Path(told["model"]).read_bytes()
    assert chainrule(*told["vote again"].split()[1:]).returncode == 0

    # nothing is done twice, and another sweep is not mixed with this one
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.parent != folder}
    for options in ([], [plan]):
        result = chainrule("sweep", *options, "--resume", "--output", folder)
        assert result.returncode == 0, result.stderr
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.parent != folder}
    assert f"there is a sweep in {folder}: --resume goes on with it" in rejects("sweep", plan, "--output", folder)
    other = tmp_path / "other.toml"
    other.write_text("[grid]\nseed = [1]\n")
    assert "is another one" in rejects("sweep", other, "--resume", "--output", folder)


@pytest.mark.long
def test_killed_workers_and_a_killed_sweep_lose_nothing(small_folder, chainrule, tmp_path):
    """And the models are those of the trainings alone."""
    plan, folder = tmp_path / "seeds.toml", tmp_path / "sweep"
    plan.write_text(f'data = "{small_folder}"\n[fixed]\nepochs = 30\nbatch_size = 10\n[grid]\nseed = [0, 1]\n')
    words = ["sweep", plan, "--workers", 2, "--output", folder]
    process = subprocess.Popen(
        [sys.executable, "-m", "chainrule", *map(str, words)], stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )
    for trial, sent in ((1, signal.SIGKILL), (2, signal.SIGKILL), (2, signal.SIGTERM)):
        until(lambda trial=trial: (folder / str(trial) / "checkpoint.safetensors").exists())
        if (number := training(folder / str(trial))) is not None:
            os.kill(number, sent)
    process.kill()
    process.communicate()
    result = chainrule("sweep", "--resume", "--workers", 2, "--output", folder)
    assert result.returncode == 0, result.stderr
    assert [row["state"] for row in rows(folder)] == ["done", "done"]
    for seed in range(2):
        options = ["--recipe", folder / str(seed + 1) / "recipe.toml", "--output", tmp_path / str(seed)]
        assert chainrule("train", "--data", small_folder, *options).returncode == 0
        alone, swept = (path / "model.safetensors" for path in (tmp_path / str(seed), folder / str(seed + 1)))
        assert alone.read_bytes() == swept.read_bytes()


def test_a_signal_stops_the_trials_as_well(small_folder, chainrule, tmp_path):
    plan, folder = tmp_path / "long.toml", tmp_path / "sweep"
    plan.write_text(f'data = "{small_folder}"\n[fixed]\nepochs = 9999\n[grid]\nseed = [0, 1]\n')
    words = ["sweep", plan, "--output", folder]
    process = subprocess.Popen(
        [sys.executable, "-m", "chainrule", *map(str, words)], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    until((folder / "1" / "checkpoint.safetensors").exists)
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 143, told
    assert f"stopped; continue with: chainrule sweep --resume --output {folder}" in told
    assert training(folder / "1") is None


def test_trials_that_fail_are_told_and_the_others_go_on(small_folder, chainrule, tmp_path):
    plan = tmp_path / "rates.toml"
    plan.write_text(f'data = "{small_folder}"\n[fixed]\nepochs = 1\n[grid]\nlearning_rate = [0.1, 1e30]\n')
    result = chainrule("sweep", plan, "--output", tmp_path / "sweep")
    assert result.returncode == 0, result.stderr
    done, failed = rows(tmp_path / "sweep")
    assert (done["state"], failed["state"]) == ("done", "failed")
    assert "became" in failed["problem"]
    assert "trial 2 of 2: learning_rate 1e+30 after epoch 0: the" in result.stderr


@pytest.mark.long
def test_only_the_best_go_on_where_the_plan_says_so(small_folder, chainrule, tmp_path):
    plan, folder = tmp_path / "halving.toml", tmp_path / "sweep"
    plan.write_text(
        f'data = "{small_folder}"\n[fixed]\nbatch_size = 20\n[grid]\nlearning_rate = [1e-6, 0.1, 1e30]\n'
        "[halving]\nepochs = [1, 3]\nkeep = 0.5\n"
    )
    for options in ([plan], ["--resume"]):
        result = chainrule("sweep", *options, "--output", folder)
        assert result.returncode == 0, result.stderr
        states = [(row["state"], row["epochs"]) for row in rows(folder)]
        assert states == [("stopped", "1"), ("done", "3"), ("failed", "0")]
        assert "best           trial 2:" in result.stdout
    options = ["--recipe", folder / "2" / "recipe.toml", "--output", tmp_path / "alone"]
    assert chainrule("train", "--data", small_folder, *options).returncode == 0
    models = [(path / "model.safetensors").read_bytes() for path in (folder / "2", tmp_path / "alone")]
    assert models[0] == models[1]


@pytest.mark.long
def test_a_search_goes_on_exactly_and_stops_the_poor_ones_early(small_folder, chainrule, tmp_path):
    """Killed in the middle and resumed with other workers, it tries, stops and chooses the same."""
    pytest.importorskip("optuna")
    plan = tmp_path / "search.toml"
    plan.write_text(
        f'data = "{small_folder}"\n[fixed]\nvalidation = 0.2\n[search]\ntrials = 7\nat_once = 2\n'
        "batch_size = [20, 50]\nlearning_rate = {low = 1e-4, high = 1.0, log = true}\n[asha]\nepochs = [1, 3]\n"
    )
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    result = chainrule("sweep", plan, "--workers", 3, "--output", whole)
    assert result.returncode == 0, result.stderr
    assert "2 of the 3 workers have something to do" in result.stderr
    process = subprocess.Popen(
        [sys.executable, "-m", "chainrule", "sweep", str(plan), "--output", str(killed)],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    until((killed / "4" / "checkpoint.safetensors").exists)
    process.kill()
    process.communicate()
    result = chainrule("sweep", "--resume", "--workers", 2, "--output", killed)
    assert result.returncode == 0, result.stderr
    told = [
        [{name: value for name, value in row.items() if name != "seconds"} for row in rows(folder)]
        for folder in (whole, killed)
    ]
    assert told[0] == told[1]
    assert {row["state"] for row in told[0]} == {"done", "stopped"}
    for number in map(str, range(1, 8)):
        models = [(folder / number / "model.safetensors").read_bytes() for folder in (whole, killed)]
        assert models[0] == models[1]


def test_from_python_as_well(small_folder, tmp_path):
    trials = cr.sweep({"data": str(small_folder), "fixed": {"epochs": 1}, "grid": {"seed": [0, 1]}}, tmp_path / "s")
    assert [trial.state for trial in trials] == ["done", "done"]
    assert all(0 < trial.accuracy < 1 for trial in trials)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "name the sweep's .toml file"),
        (["{plan}", "--workers", 0], "--workers must be 1 or more, got 0"),
        (["{plan}", "--ensemble", 5], "--ensemble must be from 0 to the number of trials, 4, got 5"),
        (["{plan}", "--engine", "pigeons"], "no engine 'pigeons': use local or ray"),
        (["{plan}", "--address", "127.0.0.1:1"], "add --engine ray"),
        (["none.toml"], "cannot read the sweep none.toml: there is no such file"),
        (["--resume", "--output", "{folder}"], "there is no sweep in"),
    ],
)
def test_bad_input_is_one_line(options, message, plan, rejects, tmp_path):
    options = [str(option).format(plan=plan, folder=tmp_path) for option in options]
    if "--output" not in options:
        options += ["--output", str(tmp_path / "sweep")]
    assert message in rejects("sweep", *options, cwd=tmp_path)
