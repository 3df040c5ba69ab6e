"""A backward pass with a planted bug, for a learner to find, and the numerical derivatives that tell it.

The batch is one sample in several brightnesses, so that the mean over the batch matters. Legend: N samples.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, Field

from chainrule.arrays import Array
from chainrule.layers import Affine, Conv2D, Layer, ReLU, Sequential
from chainrule.losses import Loss, MeanSquaredError, SoftmaxCrossEntropy
from chainrule.numerical import central_difference
from chainrule.server.inside import check_walk
from chainrule.server.number import LOSS
from chainrule.server.problems import ProblemError
from chainrule.server.wire import Packed, pack

__all__ = ["Bug", "Compared", "Planted", "PlantedPlace", "check_planted", "plant"]

Bug = Literal["mean", "transpose", "mask"]
"""The loss's gradient lacks 1/N; dx reads W in the wrong order; a ReLU lets through what it should stop."""

_BRIGHTNESS = (1.0, 0.9, 0.8, 0.7)
_VISIBLE = 0.1
"""A bug has to change dx by so much of its size."""
_CHECKED, _CANDIDATES = 6, 40
_KINK = 1e-4


class PlantedPlace(BaseModel):
    """What one layer's backward returned."""

    name: str
    layer: str
    gradient: Packed = Field(description="dx of the first sample; of the loss dlogits")
    arrays: list[str] = Field(description="what can be checked: dx and the parameters; of the loss dlogits")


class Planted(BaseModel):
    """Gradients that a wrong backward pass has computed."""

    samples: int = Field(description="N")
    loss: float
    places: list[PlantedPlace] = Field(description="from the input to the loss")
    place: str = Field(description="where the bug is")
    bug: Bug


class Compared(BaseModel):
    """One element of a gradient."""

    index: list[int]
    backward: float = Field(description="what the wrong backward pass has computed")
    numerical: float = Field(description="by a central difference of the loss, in float64")


@dataclass(frozen=True)
class _Batch:
    """A network in float64, its batch, what each layer reads and at last the logits, and the caches of backward."""

    network: Sequential
    labels: Array
    loss: Loss
    inputs: list[Array]
    caches: list[Any]

    @property
    def names(self) -> list[str]:
        return [*(f"{index}.{type(layer).__name__}" for index, layer in enumerate(self.network.layers)), LOSS]

    def loss_from(self, at: int) -> float:
        """The loss, if the network begins at layer number `at`."""
        x = self.inputs[at]
        for layer in self.network.layers[at:]:
            x = layer(x)
        return self.loss(x, self.labels)[0]

    def backward(self, bug: Bug | None = None, place: int = 0) -> list[dict[str, Array]]:
        """The gradients of each layer, dx of the first sample alone; then those of the loss."""
        dy = self.loss(self.inputs[-1], self.labels)[1]
        if bug == "mean":
            dy = dy * len(dy)
        found = [{"dlogits": dy[0]}]
        self.network.gradients.fill(0)
        for at in reversed(range(len(self.network.layers))):
            layer, cache = self.network.layers[at], self.caches[at]
            dx = layer.backward(dy, cache)
            assert dx is not None  # only layers that read tokens have none
            gradients = {name: parameter.grad.copy() for name, parameter in layer.parameters.items()}
            if at == place and bug == "transpose":
                dx = _reads_wrongly(layer, dy, cache)
            elif at == place and bug == "mask":
                dx = dy - dx
            found.append({"dx": dx[0], **gradients})
            dy = dx
        return found[::-1]


def plant(model: str, network: Sequential, sample: Array, label: int | float, task: int) -> Planted:
    """The gradients of a batch that is `sample` (*input_shape) in N brightnesses, with the bug of that number.

    A `label` that is a float is the number that the network should have predicted.

    Raises:
        ProblemError: the network reads tokens, or is too large.
    """
    batch = _batch(model, network, sample, label)
    bug, at, wrong = _choose(batch, task)
    layers = [*map(repr, batch.network.layers), type(batch.loss).__name__]
    places = [
        PlantedPlace(name=name, layer=layer, gradient=pack(next(iter(gradients.values()))), arrays=list(gradients))
        for name, layer, gradients in zip(batch.names, layers, wrong, strict=True)
    ]
    return Planted(samples=len(_BRIGHTNESS), loss=batch.loss_from(0), places=places, place=batch.names[at], bug=bug)


def check_planted(
    model: str, network: Sequential, sample: Array, label: int | float, task: int, place: str, array: str
) -> list[Compared]:
    """The gradient of `array` at `place` beside numerical derivatives, where it or the right one is largest.

    Elements at which the loss has a kink are left out: there is no derivative.

    Raises:
        ProblemError: there is no such place or array; or as `plant` has it.
    """
    batch = _batch(model, network, sample, label)
    if place not in batch.names:
        raise ProblemError(422, f"there is no place {place!r}: use one of {', '.join(batch.names)}")
    at = batch.names.index(place)
    wrong, true = _choose(batch, task)[2][at], batch.backward()[at]
    if array not in wrong:
        raise ProblemError(422, f"{place} has no gradient {array!r}: use one of {', '.join(wrong)}")
    of_inputs = array in ("dx", "dlogits")
    held = batch.inputs[at] if of_inputs else batch.network.layers[at].parameters[array].value
    compared: list[Compared] = []
    for index in _largest(wrong[array], true[array]):
        where = (0, *index) if of_inputs else index
        numerical = central_difference(lambda: batch.loss_from(at), held, where)
        if abs(numerical - true[array][index]) <= _KINK * abs(true[array][index]) + 1e-9:
            compared.append(Compared(index=list(index), backward=float(wrong[array][index]), numerical=numerical))
        if len(compared) == _CHECKED:
            break
    return compared


def _batch(model: str, network: Sequential, sample: Array, label: int | float) -> _Batch:
    if network.takes_indices or network.answers_steps:
        raise ProblemError(422, f"{model} reads a text or answers at every step: bugs are planted in other networks")
    check_walk(model, network, sample)
    exact = network.astype("float64")
    x = np.stack([share * sample.astype(np.float64) for share in _BRIGHTNESS])
    inputs, caches = [x], []
    for layer in exact.layers:
        x, cache = layer.forward(x)
        inputs.append(x.copy())
        caches.append(cache)
    if isinstance(label, float):
        return _Batch(exact, np.full(x.shape, label), MeanSquaredError(), inputs, caches)
    return _Batch(exact, np.full(len(x), label), SoftmaxCrossEntropy(), inputs, caches)


def _choose(batch: _Batch, task: int) -> tuple[Bug, int, list[dict[str, Array]]]:
    """The bug of that number, the place that has it, and the gradients: one that changes them visibly."""
    rng = np.random.default_rng(task)
    layers = batch.network.layers
    places: dict[Bug, list[int]] = {
        "mean": [len(layers)],
        "transpose": [at for at, layer in enumerate(layers) if isinstance(layer, Affine | Conv2D)],
        "mask": [at for at, layer in enumerate(layers) if isinstance(layer, ReLU)],
    }
    true = batch.backward()
    bugs: list[Bug] = ["mean", "transpose", "mask"]
    for kind in rng.permutation(3):
        bug = bugs[kind]
        for at in map(int, rng.permutation(places[bug])):
            wrong = batch.backward(bug, at)
            array = "dlogits" if bug == "mean" else "dx"
            change = np.abs(wrong[at][array] - true[at][array]).max(initial=0)
            if change > _VISIBLE * np.abs(true[at][array]).max(initial=0) > 0:
                return bug, at, wrong
    raise ProblemError(422, "every gradient of this input is 0, so no bug would show: choose another answer")


def _reads_wrongly(layer: Layer, dy: Array, cache: Any) -> Array:
    """dx with W in the wrong order: reshaped where it should be transposed; of a convolution, kernels not flipped."""
    weights = layer.parameters["W"].value
    right = weights.copy()
    weights[...] = right[..., ::-1, ::-1] if right.ndim == 4 else right.reshape(right.shape[::-1]).T
    dx = layer.backward(dy, cache)
    weights[...] = right
    assert dx is not None
    return dx


def _largest(wrong: Array, true: Array) -> list[tuple[int, ...]]:
    """Where either of the two is largest, each in turn."""
    orders = [np.argsort(-np.abs(array), axis=None, kind="stable")[:_CANDIDATES].tolist() for array in (true, wrong)]
    turns = dict.fromkeys(flat for pair in zip(*orders, strict=True) for flat in pair)
    return [tuple(int(i) for i in np.unravel_index(flat, true.shape)) for flat in turns]
