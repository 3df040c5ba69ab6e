"""Ctrl-C, SIGTERM and SIGHUP end training alike, whenever they arrive. Real signals, in separate processes."""

import signal
import subprocess
import sys

import numpy as np
import pytest

import chainrule as cr
from chainrule.interrupt import interrupted_by_all_signals

ENDED = """
import os, signal, sys, time, weakref
from chainrule.interrupt import interrupted_by_all_signals

def send():
    os.kill(os.getpid(), signal.{name})
    time.sleep(0.05)

class Thing:
    pass

try:
    with interrupted_by_all_signals():
        {action}
        time.sleep(5)
        print("went on")
except KeyboardInterrupt as stop:
    print("ended by", *stop.args)
    sys.exit(7)
"""
IN_A_CALLBACK = "thing = Thing(); ref = weakref.ref(thing, lambda ref: send()); del thing"


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("action", ["send()", "exec('send()')", IN_A_CALLBACK], ids=["plain", "exec", "callback"])
def test_a_signal_ends_the_block_wherever_it_arrives(name, action, tmp_path):
    """Python forgets an exception in a callback, and ends with SIGINT after a KeyboardInterrupt in an `exec`."""
    (tmp_path / "script.py").write_text(ENDED.format(name=name, action=action))
    command = [sys.executable, "-m", "script"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.stdout == f"ended by {getattr(signal, name).value}\n", result.stderr
    assert result.returncode == 7


def test_who_takes_or_ignores_a_signal_keeps_it(tmp_path):
    code = ENDED.format(name="SIGHUP", action="send()").replace("sleep(5)", "sleep(0)")
    for handler, told in (("signal.SIG_IGN", ""), ("lambda number, frame: print('taken')", "taken\n")):
        script = code.replace("\ntry:", f"\nsignal.signal(signal.SIGHUP, {handler})\ntry:")
        result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
        assert result.stdout == f"{told}went on\n", result.stderr


def test_fit_saves_when_it_is_ended(tmp_path):
    """In the middle of a step, which is finished first; without a checkpoint the program handles the signal."""
    code = """
import os, signal, sys
import numpy as np
import chainrule as cr
from chainrule.errors import ChainruleError

class Ending(cr.Layer):
    calls = 0

    def forward(self, x, *, train=False, rng=None):
        Ending.calls += train
        if train and Ending.calls == 8:
            os.kill(os.getpid(), signal.SIGTERM)
        return x, None

    def backward(self, dy, cache, *, input_gradient=True):
        return dy

data = cr.Dataset(np.ones((20, 5), np.float32), np.arange(20) % 3)
net = cr.Sequential(cr.Affine(3), Ending()).build((5,), seed=0)
trainer = cr.Trainer(net, loss=cr.SoftmaxCrossEntropy(), optimizer=cr.SGD(0.1), seed=0)
checkpoint = sys.argv[1] if len(sys.argv) > 1 else None
try:
    list(trainer.fit(data, epochs=3, batch_size=4, checkpoint=checkpoint))
except KeyboardInterrupt as stop:
    print(trainer.step, stop.args, *stop.__notes__)
"""
    path = tmp_path / "checkpoint"
    result = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=False)
    assert result.stdout == f"8 (15,) saved after step 8: continue with trainer.resume({str(path)!r})\n", result.stderr
    assert cr.io.load_checkpoint(path).progress["step"] == 8
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == -signal.SIGTERM


def test_validation_with_averaged_weights_leaves_the_own_ones_alone():
    """After an interrupt during an evaluation the network is as it was trained."""
    rng = np.random.default_rng(0)
    data = cr.Dataset(rng.standard_normal((20, 5)).astype(np.float32), rng.integers(0, 3, 20))
    net = cr.Sequential(cr.Affine(3)).build((5,), seed=0)
    average = cr.WeightAverage(0.9)
    trainer = cr.Trainer(net, loss=cr.SoftmaxCrossEntropy(), optimizer=cr.SGD(0.1), seed=0, average=average)
    list(trainer.steps(data, batch_size=4))
    own = net.values.copy()

    class Interrupting:
        def __len__(self):
            return 20

        def batches(self, batch_size, rng=None, *, start=0):
            yield from data.batches(10)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer.end_epoch(Interrupting())
    assert net.values.tobytes() == own.tobytes()
    assert trainer.epoch == 0
    epoch = trainer.end_epoch(data)
    assert net.values.tobytes() == own.tobytes()
    average.apply(net)
    assert epoch.validation_loss == cr.evaluate(net, data).loss


def test_a_signal_in_the_middle_of_a_class_is_one_all_the_same():
    """Before Python 3.12, an exception in a descriptor's method becomes a RuntimeError there."""

    class Struck:
        def __set_name__(self, owner, name):
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt) as caught, interrupted_by_all_signals():
        type("Class", (), {"attribute": Struck()})
    assert caught.value.args == (signal.SIGTERM,)


def test_other_errors_stay_what_they_are():
    with pytest.raises(RuntimeError, match="its own"), interrupted_by_all_signals():
        raise RuntimeError("its own")


LOADING = """
import os, signal, sys

from chainrule.interrupt import interrupted_by_all_signals
from chainrule.plots import plot_curves

class Signal:
    def find_spec(self, name, path=None, target=None):
        if name == "matplotlib.ft2font":
            os.kill(os.getpid(), signal.SIGTERM)

sys.meta_path.insert(0, Signal())
try:
    with interrupted_by_all_signals():
        plot_curves([], "curves.png", "no title", "test")
except KeyboardInterrupt as stop:
    print("ended by", *stop.args, sys.modules.keys() >= {"matplotlib.ft2font", "matplotlib.backends.backend_agg"})
"""


def test_a_signal_waits_while_a_library_of_cpp_is_loaded(tmp_path):
    """Broken off between its parts, matplotlib 3.11 ended Python by an abort: one of 173 trainings that were killed."""
    answer = subprocess.run(
        [sys.executable, "-c", LOADING], check=False, capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    assert (answer.returncode, answer.stdout) == (0, f"ended by {signal.SIGTERM:d} True\n"), answer.stderr
    assert not list(tmp_path.iterdir())
