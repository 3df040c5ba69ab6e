"""Named networks: their structure, correct gradients, and memory use."""

import subprocess
import sys

import numpy as np
import pytest

import chainrule as cr
from chainrule.models import NETWORKS

# parameters by hand: weights and biases of each layer (batch norm: two numbers per channel)
PARAMETERS = {
    "two-layer": 784 * 50 + 50 + 50 * 10 + 10,
    "mlp": 784 * 800 + 800 + 800 * 10 + 10,
    "simple-conv": 30 * 25 + 30 + 30 * 144 * 100 + 100 + 100 * 10 + 10,
    "deep-conv": (16 * 9 + 16)
    + (16 * 144 + 16)
    + (32 * 144 + 32)
    + (32 * 288 + 32)
    + (64 * 288 + 64)
    + (64 * 576 + 64)
    + (64 * 16 * 50 + 50)
    + (50 * 10 + 10),
    "lenet": (32 * 9 + 32) + (64 * 288 + 64) + (64 * 49 * 128 + 128) + (128 * 10 + 10),
    "resnet-mini": (16 * 9 + 32)
    + 2 * (16 * 144 + 32)
    + (32 * 144 + 32 * 288 + 32 * 16 + 3 * 64)
    + (64 * 288 + 64 * 576 + 64 * 32 + 3 * 128)
    + (64 * 10 + 10),
    "cnn": (32 * 9 + 32) + (32 * 288 + 32) + (64 * 288 + 64) + (64 * 576 + 64) + (1024 * 128 + 128) + (128 * 10 + 10),
    "table": (784 * 100 + 100) + (100 * 10 + 10),
    "cnn-small": (32 * 25 + 32) + (64 * 288 + 64) + (64 * 25 * 128 + 128) + (128 * 10 + 10),
}


@pytest.fixture(params=NETWORKS)
def name(request) -> str:
    return request.param


def test_every_named_network_is_the_one_it_says():
    assert {name: make().build((1, 28, 28), seed=0).values.size for name, make in NETWORKS.items()} == PARAMETERS


def test_it_ends_in_logits_of_the_classes(name):
    net = NETWORKS[name](7).build((1, 28, 28), seed=0)
    assert net.output_shape == (7,)
    assert type(net.layers[0]) in (cr.Scale, cr.Flatten)
    assert net(np.zeros((2, 1, 28, 28), np.uint8)).dtype == np.float32


def test_its_gradients_are_right(name, mnist):
    net = NETWORKS[name]().build((1, 28, 28), seed=0)
    report = cr.gradcheck(net, inputs=mnist[0].x[:2], labels=mnist[0].y[:2], loss=cr.SoftmaxCrossEntropy(), sample=3)
    assert report.ok, str(report)


def test_it_learns(name, mnist):
    """Nearly memorize a few images. (In deep-conv the book drops half of the logits, which slows it down.)"""
    train, _ = mnist
    some = cr.Dataset(train.x[:20], train.y[:20])
    net = NETWORKS[name]().build((1, 28, 28), seed=0)
    before = cr.evaluate(net, some).loss
    trainer = cr.Trainer(net, loss=cr.SoftmaxCrossEntropy(), optimizer=cr.Adam(0.002), seed=0)
    list(trainer.fit(some, epochs=30, batch_size=20))
    assert cr.evaluate(net, some).loss < 0.7 * before


def test_memory_at_batch_100_stays_below_a_gigabyte(name):
    """Two training steps and an evaluation of 2,000 images; the process's peak memory, as reported by the system."""
    code = f"""
import re
import chainrule as cr
train, test = cr.data.mnist()
net = cr.models.NETWORKS[{name!r}]().build((1, 28, 28), seed=0)
trainer = cr.Trainer(net, loss=cr.SoftmaxCrossEntropy(), optimizer=cr.Adam())
for step in trainer.steps(train, batch_size=100):
    if step.number == 2:
        break
cr.evaluate(net, cr.Dataset(test.x[:2000], test.y[:2000]))
print(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(result.stdout) < 1_000_000, f"{name} took {int(result.stdout) / 1000:.0f} MB"
