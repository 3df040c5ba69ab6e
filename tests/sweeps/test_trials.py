"""What the trials have come to: which is best, mean and spread over seeds."""

import csv
import json
from pathlib import Path

import pytest

from chainrule.sweeps import Trial, best_first, grouped
from chainrule.sweeps.trials import write_trials


def trial(number: int, accuracy: float, chosen_by: float | None = None, **varied: object) -> Trial:
    return Trial(number, Path(f"{number}"), varied, "done", (), accuracy, 0.1, chosen_by or accuracy, 1.0)


def test_seeds_are_told_together():
    trials = [trial(n, accuracy, rate=0.1, seed=n) for n, accuracy in enumerate((0.90, 0.92, 0.94), 1)]
    trials += [trial(4, 0.5, rate=0.2, seed=1), Trial(5, Path("5"), {"rate": 0.1, "seed": 4}, "failed")]
    three, one = grouped(trials)
    assert (three.varied, three.count) == ({"rate": 0.1}, 3)
    assert three.mean == pytest.approx(0.92)
    assert three.deviation == pytest.approx(0.02)
    assert three.error == pytest.approx(0.02 / 3**0.5)
    assert (one.count, one.mean, one.deviation, one.error) == (1, 0.5, None, None)


def test_the_best_is_chosen_by_what_it_is_to_be_chosen_by():
    trials = [trial(1, 0.9, 0.7), trial(2, 0.8, 0.9), trial(3, 0.7, 0.9), Trial(4, Path("4"), {}, "running")]
    assert [t.number for t in best_first(trials)] == [2, 3, 1]


def write(folder: Path, patience: int, report: bool = True) -> Path:
    folder.mkdir()
    epochs = [
        {"event": "epoch", "train_loss": 1.0, "validation_loss": 0.5, "validation_accuracy": accuracy}
        for accuracy in (0.8, 0.9, 0.85)
    ]
    lines = [{"event": "start"}, *epochs]
    (folder / "log.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines) + '{"event": "ep')
    if report:
        content = {"test_accuracy": 0.7, "test_loss": 0.4, "seconds": 3, "recipe": {"patience": patience}}
        (folder / "report.json").write_text(json.dumps(content))
        (folder / "model.safetensors").write_bytes(b"")
    return folder


def test_a_trial_is_what_its_folder_shows(tmp_path):
    done = Trial.read(1, write(tmp_path / "1", 0), {"seed": 3})
    assert (done.state, done.accuracy, done.loss, done.chosen_by, done.seconds) == ("done", 0.7, 0.4, 0.85, 3.0)
    assert done.curve == [0.8, 0.9, 0.85]
    assert Trial.read(1, write(tmp_path / "2", 5), {}).chosen_by == 0.9
    half = Trial.read(1, write(tmp_path / "3", 0, report=False), {})
    assert (half.state, len(half.epochs), half.chosen_by) == ("waiting", 3, None)
    (tmp_path / "3" / "checkpoint.safetensors").write_bytes(b"")
    assert Trial.read(1, tmp_path / "3", {}).state == "running"
    assert Trial.read(1, tmp_path / "3", {}, "it broke").state == "failed"
    assert Trial.read(1, tmp_path / "none", {}).state == "waiting"


def test_losses_choose_where_there_are_no_classes(tmp_path):
    folder = write(tmp_path / "1", 0)
    lines = [{"event": "epoch", "train_loss": 1, "validation_loss": x, "validation_accuracy": None} for x in (3, 2)]
    (folder / "log.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    assert Trial.read(1, folder, {}).chosen_by == -2


def test_damaged_folders_are_no_trial_that_is_done(tmp_path):
    folder = write(tmp_path / "1", 0)
    for content in ("[1]", "{", '{"recipe": 3, "test_accuracy": "much"}'):
        (folder / "report.json").write_text(content)
        read = Trial.read(1, folder, {})
        assert read.state == ("done" if "recipe" in content else "waiting")
        assert read.accuracy is None


def test_all_trials_are_a_csv_file(tmp_path):
    write_trials([trial(1, 0.9, rate=0.1), trial(2, 0.8, seed=1)], tmp_path / "trials.csv")
    rows = list(csv.DictReader((tmp_path / "trials.csv").read_text().splitlines()))
    assert [(row["trial"], row["rate"], row["seed"], row["accuracy"]) for row in rows] == [
        ("1", "0.1", "", "0.9"),
        ("2", "", "1", "0.8"),
    ]
