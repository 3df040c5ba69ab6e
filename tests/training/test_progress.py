"""A checkpoint with impossible progress is rejected with a single error, and the trainer stays unchanged."""

import json
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ModelFileError
from chainrule.io.safetensors import read_safetensors, write_safetensors


def data() -> cr.Dataset:
    rng = np.random.default_rng(1)
    return cr.Dataset(rng.standard_normal((20, 5)).astype(np.float32), rng.integers(0, 3, 20))


def make() -> cr.Trainer:
    net = cr.Sequential(cr.Affine(3)).build((5,), seed=0)
    return cr.Trainer(net, loss=cr.SoftmaxCrossEntropy(), optimizer=cr.SGD(0.1, momentum=0.9), seed=0)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    """After two epochs of five steps, and two more steps."""
    path = tmp_path_factory.mktemp("checkpoint") / "checkpoint"
    trainer = make()
    list(trainer.fit(data(), epochs=2, batch_size=4, validation=data()))
    for step in trainer.steps(data(), batch_size=4):
        if step.position == 2:
            break
    trainer.save(path)
    return path


def state(trainer: cr.Trainer) -> list:
    random = [trainer._order.bit_generator.state, trainer._noise.bit_generator.state]
    return [trainer.network.values.tobytes(), trainer.epoch, trainer.step, len(trainer.history), random]


DAMAGED = [
    (("position",), [-(2**63), -1, 6, 2**63, 1.0, "1", None, True, [2]]),
    (("epoch",), [-1, 1, 2**64, 2.0, None, "2"]),
    (("step",), [-1, 2**64, 12.0, None, "12"]),
    (("seed",), [-1, 0.5, None, "0"]),
    (("sums",), [{}, None, [], 5, "loss"]),
    (("sums", "loss"), [None, "1", [], 1e999, True]),
    (("form",), [None, {}, 5, {"samples": 20}, {"samples": 20, "batch_size": 0}, {"samples": -1, "batch_size": 4}]),
    (("form", "batch_size"), [2**70, "4", 4.0, None]),
    (("history",), [[], None, 5, [1, 2], [{}, {}], {"1": 2}]),
    (("history", 0, "seconds"), [0, -1, None, "1", 1e999]),
    (("history", 1, "train_loss"), [None, "1", -1e999]),
    (("history", 1, "number"), [-1, 1.5, None]),
    (("best",), [None, 5, {}, [1]]),
    (("order",), [None, [], [1], [1, 2], {"a": 1}]),
    (("order", 0), [None, {}, {"bit_generator": "MT19937"}]),
    (("order", 1, "state", "state"), [-1, 2**128, "1", None, 1.5]),
    (("noise", "uinteger"), [-1, 2**32, None, "1"]),
    (("run",), [5, None, [1], "x"]),
    (("loss",), [None, {"type": "os.system"}]),
    ((), [None, [], 5, "progress", {}]),
]


@pytest.mark.parametrize(
    ("place", "value"), [(place, value) for place, values in DAMAGED for value in values], ids=repr
)
def test_a_field_that_cannot_be(place, value, checkpoint, tmp_path):
    arrays, metadata = read_safetensors(checkpoint)
    progress = json.loads(metadata["progress"])
    holder = whole = {"progress": progress}
    *parents, last = ("progress", *place)
    for name in parents:
        holder = holder[name]
    holder[last] = value
    path = tmp_path / "damaged"
    damaged = json.dumps(whole["progress"]).replace("Infinity", "1e999")
    write_safetensors(path, arrays, metadata | {"progress": damaged})
    trainer = make()
    before = state(trainer)
    with pytest.raises(ModelFileError) as refused:
        trainer.resume(path)
    assert "start again" in str(refused.value) or "without resuming first" in str(refused.value)
    assert state(trainer) == before


def test_the_undamaged_one_goes_on(checkpoint):
    trainer, whole = make(), make()
    trainer.resume(checkpoint)
    assert trainer.step == 12
    for one in (trainer, whole):
        list(one.fit(data(), epochs=4, batch_size=4, validation=data()))
    assert state(trainer) == state(whole)
