"""The log of a run: one JSON object per line, complete after an interruption, and TensorBoard events."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import FileError, OptionError
from chainrule.training import JsonLog, Step, TensorBoardLog


def data() -> cr.Dataset:
    rng = np.random.default_rng(1)
    return cr.Dataset(rng.standard_normal((60, 5)).astype(np.float32), rng.integers(0, 3, 60))


def trainer() -> cr.Trainer:
    net = cr.Sequential(cr.Affine(3)).build((5,), seed=0)
    return cr.Trainer(net, loss=cr.SoftmaxCrossEntropy(), optimizer=cr.SGD(0.1), seed=0)


def train(t: cr.Trainer, log, until: int) -> None:
    """Six steps per epoch, up to step `until`."""
    while t.step < until:
        for step in t.steps(data(), batch_size=10):
            log.step(step)
            if step.number == until:
                return
        log.epoch(t.end_epoch(data()))


def records(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_line_a_record(tmp_path):
    path = tmp_path / "log.jsonl"
    with JsonLog(path, every=4) as log:
        log.write("start", {"model": "x"})
        train(trainer(), log, 14)
    lines = records(path)
    assert [line["event"] for line in lines] == ["start", "step", "epoch", "step", "step", "epoch"]
    assert lines[0] == {"event": "start", "model": "x"}
    assert [line["number"] for line in lines if line["event"] == "step"] == [4, 8, 12]
    assert lines[2]["validation_accuracy"] is not None


def test_the_log_of_an_earlier_run_stays_until_there_is_a_checkpoint(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text("earlier\n")
    with pytest.raises(ZeroDivisionError), JsonLog(path) as log:
        log.write("start", {})
        raise ZeroDivisionError
    assert path.read_text() == "earlier\n"
    with JsonLog(path) as log:
        log.write("start", {"id": "a"})
        assert path.read_text() == "earlier\n"
        log.saved()
        assert records(path) == [{"event": "start", "id": "a"}]
        log.saved()
        log.write("end", {})
    assert [record["event"] for record in records(path)] == ["start", "end"]
    with JsonLog(path) as log:  # a run without checkpoints: at its end
        log.write("start", {"id": "b"})
    assert records(path) == [{"event": "start", "id": "b"}]
    assert [file.name for file in tmp_path.iterdir()] == ["log.jsonl"]


def test_a_run_does_not_go_on_in_the_log_of_another(tmp_path):
    """Killed between checkpoint and log, so that the log still belongs to the earlier run."""
    path = tmp_path / "log.jsonl"
    path.write_text('{"event": "start", "id": "a"}\n{"event": "step", "number": 1}\n')
    with JsonLog(path, after=5, run="a") as log:
        assert not log.is_new
    assert len(records(path)) == 2
    with JsonLog(path, after=5, run="b") as log:
        assert log.is_new
    assert path.read_text() == ""


def test_the_log_of_a_resumed_run_reads_like_that_of_one_that_was_not(tmp_path):
    whole, parts, checkpoint = tmp_path / "whole", tmp_path / "parts", tmp_path / "checkpoint"
    with JsonLog(whole, every=1) as log:
        train(trainer(), log, 18)
    first = trainer()
    with JsonLog(parts, every=1) as log:
        train(first, log, 8)
        first.save(checkpoint)
        train(first, log, 15)  # lost when the run is killed
    with parts.open("a") as file:
        file.write('{"event": "step", "numb')
    second = trainer()
    second.resume(checkpoint)
    with JsonLog(parts, after=second.step, every=1) as log:
        train(second, log, 18)

    def timeless(path: Path) -> list[dict]:
        times = {"seconds", "images_per_second"}
        return [{k: v for k, v in record.items() if k not in times} for record in records(path)]

    assert timeless(parts) == timeless(whole)


def test_lines_that_are_no_records_are_left_out_of_what_goes_on(tmp_path):
    path = tmp_path / "log"
    kept = [
        '{"event": "start"}',
        '{"event": "step", "number": 5}',
        '{"event": "epoch", "number": 9, "step": 5}',
    ]
    others = ['{"event": "st', "[1]", '{"number": 1}', '{"event": "step", "number": "1"}', '{"event": "end"}']
    others += ['{"event": "step", "number": 6}', '{"event": "epoch", "number": 1, "step": 6}']
    path.write_text("\n".join([kept[0], *others, kept[1], *others, kept[2]]) + "\n")
    JsonLog(path, after=5).close()
    assert path.read_text().splitlines() == kept


def test_a_log_that_cannot_be(tmp_path):
    with pytest.raises(OptionError, match="every must be 1 step or more"):
        JsonLog(tmp_path / "log", every=0)
    with pytest.raises(FileError, match="no such file or folder"):
        JsonLog(tmp_path / "none" / "log")
    with JsonLog(tmp_path / "log", after=5):  # there was none before
        assert (tmp_path / "log").read_text() == ""


def test_tensorboard_events_hold_the_numbers(tmp_path):
    t = trainer()
    log = TensorBoardLog(tmp_path, every=2)
    train(t, log, 12)
    log.epoch(t.end_epoch())
    log.close()
    (file,) = tmp_path.iterdir()
    content = file.read_bytes()
    for tag in (b"step/loss", b"step/learning_rate", b"epoch/train_loss", b"epoch/validation_accuracy"):
        assert tag in content
    values = scalars(content)
    assert [step for tag, step, _ in values if tag == "step/loss"] == [2, 4, 6, 8, 10, 12]
    losses = [value for tag, _, value in values if tag == "epoch/train_loss"]
    assert losses == pytest.approx([epoch.train_loss for epoch in t.history])


def test_runs_of_one_second_keep_their_events_in_order(tmp_path):
    logs = []
    for step in (1, 2, 3):
        logs.append(TensorBoardLog(tmp_path, after=step - 1, every=1))
        logs[-1].step(Step(step, 1, 1, 1, 0.5, None, 0.1, 1, 1.0))
        logs[-1].close()
    files = sorted(tmp_path.iterdir())
    steps = [[step for tag, step, _ in scalars(file.read_bytes()) if tag == "step/loss"] for file in files]
    assert steps == [[1], [2], [3]]


def test_a_signal_in_the_middle_of_tensorboards_work_leaves_no_thread_waiting():
    """Sixty of them, each at a random moment; before signals were deferred, the first ones hung forever."""
    code = """
import os, random, signal, tempfile, threading
from chainrule.interrupt import interrupted_by_all_signals
from chainrule.training import Step, TensorBoardLog
rng = random.Random(0)
for _ in range(60):
    with tempfile.TemporaryDirectory() as folder:
        log = TensorBoardLog(folder, every=1)
        try:
            with interrupted_by_all_signals():
                threading.Timer(rng.uniform(0, 0.003), os.kill, (os.getpid(), signal.SIGTERM)).start()
                while True:
                    log.step(Step(1, 1, 1, 1, 0.5, None, 0.1, 1, 1.0))
        except KeyboardInterrupt:
            log.close()
print("ended")
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert result.stdout == "ended\n", result.stderr


def scalars(content: bytes) -> list[tuple[str, int, float]]:
    """Tag, step and value of each scalar in TensorBoard's record file."""
    from tensorboardX.proto.event_pb2 import Event

    found, place = [], 0
    while place < len(content):
        length = int.from_bytes(content[place : place + 8], "little")
        event = Event.FromString(content[place + 12 : place + 12 + length])
        found += [(value.tag, event.step, value.simple_value) for value in event.summary.value]
        place += 12 + length + 4
    return found
