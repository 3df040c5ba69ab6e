"""A training that is stopped, by hand or by force, goes on as if nothing had happened."""

import signal
import subprocess
import sys
import time

import pytest

import chainrule as cr


@pytest.fixture(scope="module")
def uninterrupted(small_folder, chainrule, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    assert (
        chainrule("train", "--data", small_folder, "--epochs", 400, "--batch-size", 10, "--output", folder).returncode
        == 0
    )
    return (folder / "model.safetensors").read_bytes()


def start(small_folder, folder, *options) -> subprocess.Popen:
    arguments = ["train", "--data", small_folder, "--epochs", 400, "--batch-size", 10, "--output", folder, *options]
    return subprocess.Popen(
        [sys.executable, "-m", "chainrule", *map(str, arguments)],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def wait_for(process: subprocess.Popen, text: str) -> str:
    for line in process.stderr:
        if text in line:
            return line
    raise AssertionError(f"{text!r} was not printed")


def test_ctrl_c_saves_and_says_how_to_resume(small_folder, chainrule, tmp_path, uninterrupted):
    process = start(small_folder, tmp_path / "run")
    wait_for(process, "epoch   3")
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in told
    command = f"chainrule train --resume --output {tmp_path / 'run'}"
    assert f"go on with: {command}" in told
    result = chainrule(*command.split()[1:])
    assert result.returncode == 0, result.stderr
    assert "resuming after step" in result.stderr
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == uninterrupted


def test_a_schedule_is_resumed_as_it_was_planned(small_folder, chainrule, rejects, tmp_path):
    options = ["--data", small_folder, "--schedule", "cosine", "--optimizer", "adam", "--epochs", 60]
    whole = chainrule("train", *options, "--output", tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr
    process = subprocess.Popen(
        [sys.executable, "-m", "chainrule", "train", *map(str, options), "--output", tmp_path / "run"],
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(process, "epoch   2")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    line = rejects("train", "--resume", "--epochs", 90, "--output", tmp_path / "run")
    assert "--epochs 90 differs from the run to be resumed (60): leave it out" in line
    assert chainrule("train", "--resume", "--output", tmp_path / "run").returncode == 0
    models = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "run")]
    assert models[0] == models[1]


def test_killed_at_any_moment_the_last_complete_checkpoint_loads(small_folder, chainrule, tmp_path, uninterrupted):
    process = start(small_folder, tmp_path / "run")
    wait_for(process, "epoch   1")
    for pause in (0.15, 0.23, 0.31):
        time.sleep(pause)
        process.kill()
        process.communicate()
        process = start(small_folder, tmp_path / "run", "--resume")
        wait_for(process, "resuming after step")
    process.kill()
    process.communicate()
    result = chainrule("train", "--resume", "--output", tmp_path / "run")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == uninterrupted


def test_more_epochs_later_equal_all_at_once(small_folder, chainrule, tmp_path):
    train = ["train", "--data", small_folder]
    chainrule(*train, "--epochs", 4, "--output", tmp_path / "whole")
    chainrule(*train, "--epochs", 2, "--output", tmp_path / "parts")
    result = chainrule("train", "--resume", "--epochs", 4, "--output", tmp_path / "parts")
    assert result.returncode == 0, result.stderr
    whole, parts = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "parts"))
    assert whole == parts


def test_resuming_with_other_options_is_refused(small_folder, chainrule, rejects, tmp_path):
    chainrule("train", "--data", small_folder, "--epochs", 1, "--output", tmp_path)
    line = rejects("train", "--resume", "--batch-size", 50, "--output", tmp_path)
    assert line == "error: --batch-size 50 differs from the run to be resumed (100): leave it out"


def test_resuming_nothing_is_refused(rejects, tmp_path):
    assert "there is no such file" in rejects("train", "--resume", "--output", tmp_path)
    cr.save(cr.Sequential(cr.Affine(2)).build((3,), seed=0), tmp_path / "checkpoint.safetensors")
    assert "is not a checkpoint" in rejects("train", "--resume", "--output", tmp_path)


def test_resuming_a_checkpoint_made_in_python_is_refused(small, rejects, tmp_path):
    net = cr.models.two_layer().build((1, 28, 28), seed=0)
    trainer = cr.Trainer(net, loss=cr.SoftmaxCrossEntropy(), optimizer=cr.SGD(0.1), seed=0)
    list(trainer.fit(small[0], epochs=1, checkpoint=tmp_path / "checkpoint.safetensors"))
    line = rejects("train", "--resume", "--output", tmp_path)
    assert "was not written by chainrule train: go on with Trainer.resume in Python" in line


def test_starting_anew_in_the_folder_of_a_run_says_so(small_folder, chainrule, tmp_path):
    for _ in range(2):
        result = chainrule("train", "--data", small_folder, "--epochs", 1, "--output", tmp_path)
    assert f"replacing the run in {tmp_path} (--resume would go on with it)" in result.stderr
