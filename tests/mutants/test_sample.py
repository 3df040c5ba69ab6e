"""A fixed sample of `make mutants` and `make right`; and checks that the harness itself can fail."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mutants.courses import scratch_layers
from mutants.mutate import function_in, mutants
from mutants.right import INPUTS, draw_case
from mutants.trial import swapped, try_mutant

SOURCE = """
class Layer:
    def backward(self, dout):
        self.dW = self.x.T @ dout
        dx = np.where(self.mask, 0, dout).sum(axis=0)
        return dx, -dout
"""


def run(*options: str) -> subprocess.CompletedProcess[str]:
    """Run the harness in a separate process, because it changes the reference kernels."""
    environment = os.environ | {"CHAINRULE_KERNELS": "reference", "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-m", "mutants", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@pytest.mark.parametrize("family", ["lessons", "scratch", pytest.param("catalogue", marks=pytest.mark.long)])
def test_every_mutant_of_a_sample_is_told_or_known_to_be_the_same(family):
    result = run(f"--families={family}", "--sample=100")
    assert result.returncode == 0, result.stdout + result.stderr


def test_none_of_a_sample_of_right_layers_and_networks_is_called_wrong():
    cases = [draw_case(number) for number in range(0, 2000, 33)]
    assert [case for case in cases if case.said == "wrong"] == []
    assert {case.checker for case in cases} == {"check_layer", "check_network", "gradcheck"}
    assert sum(case.said == "not compared" for case in cases) <= 2


def test_each_kind_of_change_is_made():
    changed = {mutant.after for mutant in mutants(function_in(SOURCE, "backward"), SOURCE)}
    assert {
        "pass",
        "self.dW = self.x @ dout",
        "self.dW = self.x.T * dout",
        "self.dW = -(self.x.T @ dout)",
        "dx = np.where(self.mask, dout, 0).sum(axis=0)",
        "dx = np.where(self.mask, 0, dout).sum(axis=1)",
        "dx = np.where(self.mask, 0, dout).mean(axis=0)",
        "dx = np.where(self.mask, 1, dout).sum(axis=0)",
        "dx = np.where(self.mask, 0, self.x).sum(axis=0)",
        "return (-dout, dx)",
        "return (dx, dout)",
        "return",
    } <= changed


def test_a_checker_that_sees_nothing_is_found_out():
    relu = next(subject for subject in scratch_layers() if subject.name == "layers Relu")
    blind = tuple(replace(configuration, told=lambda: "") for configuration in relu.configurations)
    outcomes = {try_mutant(replace(relu, configurations=blind), mutant).outcome for mutant in relu.mutants}
    assert outcomes == {"survives"}


def test_a_function_is_itself_again_after_its_mutant():
    relu = next(subject for subject in scratch_layers() if subject.name == "layers Relu")
    before = relu.function.__code__
    with pytest.raises(ZeroDivisionError), swapped(relu.function, "def backward(self, dout):\n    return 1 / 0"):
        relu.function(None, None)
    assert relu.function.__code__ is before


@pytest.mark.parametrize("name", INPUTS)
def test_inputs_have_the_shape_that_was_asked_for(name):
    x = INPUTS[name](np.random.default_rng(0), (3, 2))
    assert x.shape == ((1, 2) if name == "a batch of one" else (3, 2))
    assert x.dtype == np.float64
