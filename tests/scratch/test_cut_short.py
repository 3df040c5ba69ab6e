"""`chainrule run --check` of large layers: their sequences are cut short, and the verdict says so."""

import re

import numpy as np
import pytest

from chainrule.cli.checked import report
from chainrule.cli.terminal import speak
from chainrule.scratch import watch
from chainrule.scratch.time_layers import TimeLSTM
from chainrule.scratch.watch import watching

LONG = """
class TimeWeights:
    def __init__(self, W):
        self.params, self.grads = [W], [np.zeros_like(W)]

    def forward(self, xs):
        self.xs = xs
        return xs @ self.params[0]

    def backward(self, dys):
        self.grads[0][...] = FACTOR * np.tensordot(self.xs, dys, ((0, 1), (0, 1)))
        return dys @ self.params[0].T

layer = TimeWeights(np.random.randn(3, 8))
layer.backward(np.ones_like(layer.forward(np.random.randn(5, 11, 3))))
"""


@pytest.mark.parametrize("factor", [1, 2])
def test_long_sequences_of_a_large_layer_are_cut_short_and_that_is_told(monkeypatch, tmp_path, capsys, factor):
    monkeypatch.setattr(watch, "_LARGE", 20)
    checks = []
    with watching(tmp_path / "script.py", checks.append):
        exec(LONG, {"np": np, "FACTOR": factor, "__file__": str(tmp_path / "script.py"), "__name__": "__main__"})
        lstm = TimeLSTM(*(np.random.default_rng(0).standard_normal(shape) for shape in ((3, 32), (8, 32), 32)), True)
        for _ in range(2):  # its state is as long as the whole batch
            lstm.backward(np.ones_like(lstm.forward(np.ones((6, 11, 3)))))
    assert [(check.name, check.samples, check.steps) for check in checks] == [
        ("TimeWeights", 4, (2, 11)),
        ("TimeLSTM", 6, (4, 11)),
    ]
    assert [check.check.ok for check in checks] == [factor == 1, True]
    report(checks, [])
    told = capsys.readouterr().out.splitlines()[-1]
    for steps, name in ((2, "TimeWeights"), (4, "TimeLSTM")):
        assert re.search(rf"on the first {steps} of 11 steps, \d+ elements or more of each gradient: {name}", told)
    speak("zh")
    try:
        report(checks, [])
    finally:
        speak("en")
    assert "只读前 4 步（共 11 步）" in capsys.readouterr().out
