"""A training run that was interrupted or killed resumes as if nothing had happened."""

import json
import random
import signal
import subprocess
import sys
import time

import pytest

import chainrule as cr
from chaos.disks import in_own_namespace
from chaos.kills import CONFIGURATIONS, Trial, Uninterrupted, small_data


@pytest.fixture(scope="module")
def uninterrupted(small_folder, chainrule, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    assert (
        chainrule("train", "--data", small_folder, "--epochs", 40, "--batch-size", 10, "--output", folder).returncode
        == 0
    )
    return (folder / "model.safetensors").read_bytes()


def start(small_folder, folder, *options, **popen) -> subprocess.Popen:
    arguments = ["train", "--data", small_folder, "--epochs", 40, "--batch-size", 10, "--output", folder, *options]
    return subprocess.Popen(
        [sys.executable, "-m", "chainrule", *map(str, arguments)],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **popen,
    )


def wait_for(process: subprocess.Popen, text: str) -> str:
    for line in process.stderr:
        if text in line:
            return line
    raise AssertionError(f"{text!r} was not printed")


@pytest.mark.parametrize(
    ("sent", "code"),
    [("SIGTERM", 143), *(pytest.param(*pair, marks=pytest.mark.long) for pair in (("SIGINT", 130), ("SIGHUP", 129)))],
)
def test_a_signal_saves_and_says_how_to_resume(sent, code, small_folder, chainrule, tmp_path, uninterrupted):
    process = start(small_folder, tmp_path / "run")
    wait_for(process, "epoch   3")
    process.send_signal(getattr(signal, sent))
    _, told = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in told
    command = f"chainrule train --resume --output {tmp_path / 'run'}"
    assert f"continue with: {command}" in told
    result = chainrule(*command.split()[1:])
    assert result.returncode == 0, result.stderr
    assert "resuming after step" in result.stderr
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == uninterrupted


def test_under_nohup_a_training_goes_on(small_folder, tmp_path):
    ignored = lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)  # noqa: E731 (as nohup does)
    process = start(small_folder, tmp_path / "run", preexec_fn=ignored)
    wait_for(process, "epoch   1")
    process.send_signal(signal.SIGHUP)
    wait_for(process, "epoch   9")
    process.kill()
    process.communicate()


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
    assert "--epochs 90 differs from the run to resume (60): leave it out" in line
    assert chainrule("train", "--resume", "--output", tmp_path / "run").returncode == 0
    models = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "run")]
    assert models[0] == models[1]


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "is_used"),
    [("lesson", False), ("recipe cnn", True), ("logged", False)],
)
def test_killed_at_random_moments_the_model_is_that_of_an_uninterrupted_run(name, is_used, model, tmp_path):
    """A fixed sample of `make chaos`. A run that finishes before its kill does not count, so another may be needed."""
    options = [*CONFIGURATIONS[name], "--data", small_data(tmp_path / "data")]
    whole = Uninterrupted.of(options, tmp_path / "whole")
    kills = 0
    for number in range(8):
        trial = Trial(
            whole, tmp_path / f"run {number}", random.Random(f"{name} {number}"), model.parent if is_used else None
        )
        assert trial.wrong == []
        kills += sum(trial.kills.values())
        if kills:
            break
    assert kills


@pytest.mark.long
def test_a_disk_that_is_full_or_read_only_leaves_nothing_half(tmp_path):
    result = in_own_namespace(tmp_path, 4)
    if result is None:
        pytest.skip("this system makes no namespaces for us")
    assert result["wrong"] == []
    assert 1 <= result["of them full"] < 4


@pytest.mark.long
def test_a_run_that_was_killed_before_it_had_a_log_has_all_its_epochs_there(small_folder, chainrule, tmp_path):
    """The log in the folder still belongs to an earlier run then."""
    for name in ("earlier", "run"):
        done = chainrule("train", "--data", small_folder, "--epochs", 2, "--output", tmp_path / name)
        assert done.returncode == 0, done.stderr
    log = tmp_path / "run" / "log.jsonl"
    log.write_bytes((tmp_path / "earlier" / "log.jsonl").read_bytes())
    assert chainrule("train", "--resume", "--epochs", 3, "--output", tmp_path / "run").returncode == 0
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert [record["number"] for record in records if record["event"] == "epoch"] == [1, 2, 3]
    assert (records[0]["event"], records[-1]["event"]) == ("start", "end")


@pytest.mark.long
def test_a_new_training_replaces_nothing_before_it_has_a_checkpoint(small_folder, chainrule, tmp_path):
    """If killed within its long first epoch, a run leaves the earlier run unchanged and resumable."""
    run = tmp_path / "run"
    assert chainrule("train", "--data", small_folder, "--epochs", 1, "--output", run).returncode == 0
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    arguments = ["train", "--batch-size", "2", "--output", str(run)]
    process = subprocess.Popen([sys.executable, "-m", "chainrule", *arguments], stderr=subprocess.PIPE, text=True)
    wait_for(process, "gradient check")
    time.sleep(0.2)
    process.kill()
    process.communicate()
    assert {name: (run / name).read_bytes() for name in before} == before
    assert len(list(run.iterdir())) > len(before)  # the killed run's
    result = chainrule("train", "--resume", "--epochs", 2, "--output", run)
    assert result.returncode == 0, result.stderr
    assert {path.name for path in run.iterdir()} == set(before)
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [record["number"] for record in log if record["event"] == "epoch"] == [1, 2]


def test_two_trainings_into_one_folder_are_told_of_each_other(small_folder, rejects, chainrule, tmp_path):
    process = start(small_folder, tmp_path, "--epochs", 10_000)
    wait_for(process, "epoch   1")
    for options in ([], ["--resume"]):
        line = rejects("train", "--data", small_folder, *options, "--output", tmp_path)
        assert line == (
            f"error: another training is writing into {tmp_path}: wait until it ends, or choose another folder"
        )
    process.kill()
    process.communicate()
    options = ["--data", small_folder, "--epochs", 1, "--output", tmp_path]
    assert chainrule("train", *options).returncode == 0  # the killed run left no lock
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_more_epochs_later_equal_all_at_once(small_folder, chainrule, tmp_path):
    """The original options, --half and --tensorboard, need not be repeated."""
    train = ["train", "--data", small_folder, "--half", "--tensorboard"]
    chainrule(*train, "--epochs", 4, "--output", tmp_path / "whole")
    chainrule(*train, "--epochs", 2, "--output", tmp_path / "parts")
    result = chainrule("train", "--resume", "--epochs", 4, "--output", tmp_path / "parts")
    assert result.returncode == 0, result.stderr
    whole, parts = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "parts"))
    assert whole == parts
    assert b'"F16"' in whole
    assert len(list((tmp_path / "parts" / "tensorboard").iterdir())) == 2


def test_resuming_with_other_options_is_refused(small_folder, chainrule, rejects, tmp_path):
    chainrule("train", "--data", small_folder, "--epochs", 1, "--output", tmp_path)
    line = rejects("train", "--resume", "--batch-size", 50, "--output", tmp_path)
    assert line == "error: --batch-size 50 differs from the run to resume (100): leave it out"


def test_resuming_nothing_is_refused(rejects, tmp_path):
    assert "there is no such file" in rejects("train", "--resume", "--output", tmp_path)
    cr.save(cr.Sequential(cr.Affine(2)).build((3,), seed=0), tmp_path / "checkpoint.safetensors")
    assert "is not a checkpoint" in rejects("train", "--resume", "--output", tmp_path)


def test_resuming_a_checkpoint_made_in_python_is_refused(small, rejects, tmp_path):
    net = cr.models.two_layer().build((1, 28, 28), seed=0)
    trainer = cr.Trainer(net, loss=cr.SoftmaxCrossEntropy(), optimizer=cr.SGD(0.1), seed=0)
    list(trainer.fit(small[0], epochs=1, checkpoint=tmp_path / "checkpoint.safetensors"))
    line = rejects("train", "--resume", "--output", tmp_path)
    assert "was not written by chainrule train: resume it with Trainer.resume in Python" in line


def test_starting_anew_in_the_folder_of_a_run_says_so(small_folder, chainrule, tmp_path):
    for _ in range(2):
        result = chainrule("train", "--data", small_folder, "--epochs", 1, "--output", tmp_path)
    assert f"replacing the run in {tmp_path} (--resume would continue it)" in result.stderr
