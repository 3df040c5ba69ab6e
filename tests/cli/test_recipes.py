"""`chainrule train` with recipes, early stopping, held-out data, averaging and logs; ensembles of models."""

import json
import subprocess
import sys

import numpy as np
import pytest

import chainrule as cr


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "own.toml"
    path.write_text(
        'epochs = 3\nbatch_size = 50\noptimizer = "adam"\nschedule = "cosine"\naverage = 0.9\nlabel_smoothing = 0.05\n'
        "mixup = 0.1\nstyles = 0.2\n[augment]\nrotation = 8\n"
    )
    return path


def test_a_recipe_is_followed_and_options_change_it(recipe, small_folder, chainrule, tmp_path):
    result = chainrule("train", "--recipe", recipe, "--epochs", 2, "--data", small_folder, "--output", tmp_path)
    assert result.returncode == 0, result.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["epochs"], report["batch_size"]) == (2, 50)
    assert report["optimizer"] == "Adam(learning_rate=Cosine(0.001, 24))"
    assert report["recipe"]["augment"] == {"rotation": 8}
    # the averaged weights are saved and measured
    assert (
        report["test_accuracy"]
        == json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-2])["validation_accuracy"]
    )


def test_a_resumed_recipe_equals_an_uninterrupted_one(recipe, small_folder, chainrule, rejects, tmp_path):
    """Resume from the checkpoint after one of three epochs: everything that a recipe can set continues bit for bit."""
    options = ["--recipe", recipe, "--data", small_folder, "--validation", 0.2, "--patience", 3]
    whole = chainrule("train", *options, "--output", tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr
    command = [str(c) for c in ("train", *options, "--output", tmp_path / "parts")]
    stop_after_one = (
        "import sys\nfrom chainrule.cli import train as module\nfrom chainrule.training import Trainer\n"
        "save = Trainer.save\n"
        "def once(self, *a):\n    save(self, *a)\n    raise KeyboardInterrupt\n"
        "Trainer.save = once\nfrom chainrule.cli import main\nsys.exit(main(sys.argv[1:]))"
    )
    interpreter = [sys.executable, "-c", stop_after_one]
    stopped = subprocess.run([*interpreter, *command], capture_output=True, text=True, check=False)
    assert stopped.returncode != 0, stopped.stdout
    resumed = chainrule("train", "--resume", "--output", tmp_path / "parts")
    assert resumed.returncode == 0, resumed.stderr
    assert "in epoch 2" in resumed.stderr
    files = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "parts")]
    assert files[0] == files[1]
    events = [
        [json.loads(line)["event"] for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]
        for name in ("whole", "parts")
    ]
    assert events[0] == events[1]
    line = rejects("train", "--resume", "--recipe", "lesson", "--output", tmp_path / "parts")
    assert "differs from the run to resume" in line


def test_early_stopping_keeps_the_best_epoch_and_calibrates_it(small_folder, chainrule, tmp_path):
    options = ["--validation", 0.25, "--patience", 2, "--epochs", 200, "--learning-rate", 0.5, "--batch-size", 10]
    result = chainrule("train", "--data", small_folder, *options, "--output", tmp_path)
    assert result.returncode == 0, result.stderr
    history = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    epochs = [line for line in history if line["event"] == "epoch"]
    order = [(line["validation_accuracy"], -line["validation_loss"]) for line in epochs]
    best = order.index(max(order)) + 1
    assert len(epochs) == best + 2 < 200
    assert f"keeping epoch {best}, the best on the 150 images held out" in result.stderr
    assert "calibrated: temperature " in result.stderr
    network = cr.load(tmp_path / "model.safetensors")
    assert isinstance(network.layers[-1], cr.Scale)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["test_accuracy"] == cr.evaluate(network, cr.data.load(small_folder)[1]).accuracy


def test_too_little_held_out_data_is_told(small_folder, chainrule, tmp_path):
    options = ["--validation", 0.1, "--epochs", 1, "--tensorboard", "--half"]
    result = chainrule("train", "--data", small_folder, *options, "--output", tmp_path)
    assert "not calibrated: calibration needs 100 samples or more, got 60" in result.stderr
    assert len(list((tmp_path / "tensorboard").iterdir())) == 1
    half = (tmp_path / "model.safetensors").stat().st_size
    assert half < 2.1 * 39_760
    report = json.loads((tmp_path / "report.json").read_text())
    loaded = cr.evaluate(cr.load(tmp_path / "model.safetensors"), cr.data.load(small_folder)[1])
    assert report["test_loss"] == loaded.loss  # measured in the form in which it was saved


def test_accumulated_training_is_the_same(small_folder, chainrule, tmp_path):
    for parts in (1, 5):
        options = ["--accumulate", parts, "--epochs", 2, "--output", tmp_path / str(parts)]
        assert chainrule("train", "--data", small_folder, *options).returncode == 0
    one, five = (cr.load(tmp_path / parts / "model.safetensors") for parts in "15")
    np.testing.assert_allclose(one.values, five.values, atol=1e-5)


def test_models_vote_and_look_again(small_folder, chainrule, tmp_path):
    for seed in range(2):
        chainrule("train", "--data", small_folder, "--epochs", 2, "--seed", seed, "--output", tmp_path / str(seed))
    models = [tmp_path / str(seed) / "model.safetensors" for seed in range(2)]
    result = chainrule("evaluate", *models, "--data", small_folder, "--shifts", 1)
    assert result.returncode == 0, result.stderr
    ensemble = cr.Ensemble([cr.load(path) for path in models], cr.training.shifted(1))
    expected = cr.evaluate(ensemble, cr.data.load(small_folder)[1])
    assert f"accuracy           {expected.accuracy:.2%} of 200" in result.stdout
    assert f"calibration error  {expected.calibration_error:.2%}" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--recipe", "fast"], "no recipe 'fast': use one of char-gpt, char-lstm, cnn, "),
        (["--recipe", "missing.toml"], "cannot read the recipe missing.toml: there is no such file"),
        (["--patience", 3], "--patience needs validation data: give --validation 0.1 as well"),
        (["--accumulate", 0], "--accumulate must be 1 or more, got 0"),
        (["--average", 1], "decay must be from 0 up to"),
        (["--mixup", -1], "--mixup must be 0 or more, got -1"),
        (["--label-smoothing", 1], "label_smoothing must be from 0 up to"),
    ],
)
def test_what_cannot_be_asked_for(rejects, arguments, told):
    assert told in rejects("train", *arguments)
