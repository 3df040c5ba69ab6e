"""One sample's forward and backward pass with every number in between; and one derivative computed in two ways."""

import math
from typing import Any

import numpy as np
from pydantic import BaseModel, Field

from chainrule.arrays import Array
from chainrule.functions import softmax
from chainrule.layers import Attention, Embedding, Layer, Positions, Sequential
from chainrule.layers.recurrent import Recurrent
from chainrule.layers.trace import Trace
from chainrule.losses import Loss, MeanSquaredError, SoftmaxCrossEntropy
from chainrule.numerical import STEP, central_difference
from chainrule.parameters import Parameter
from chainrule.sequence_losses import SequenceCrossEntropy
from chainrule.server.problems import ProblemError
from chainrule.server.terms import explainable
from chainrule.server.wire import Packed, pack

__all__ = [
    "Derivative", "Place", "Walk", "check_walk", "compare_derivative", "find_parameter", "gradient_of", "last_step",
    "loss_of", "pack_parameters", "trace_sample", "walk",
]  # fmt: skip

_SEED = 0
"""The seed for Dropout in a pass as in training."""
_LARGEST_WALK = 20_000_000
"""Maximum number of activations and parameters."""


class Place(BaseModel):
    """One layer at one place. Arrays belong to the one sample and have no batch axis."""

    name: str = Field(description="such as 2.Affine, or 3.Residual.0.Conv2D within another layer")
    layer: str = Field(description="its repr, such as Affine(50)")
    x: Packed | None = Field(description="its input; null if that is the output of the previous place")
    y: Packed
    dy: Packed | None = Field(description="the loss's gradient with respect to y")
    dx: Packed | None = Field(description="and to x; null if that is the dy of the previous place, or there is none")
    gradients: dict[str, Packed] = Field(description="and to each of the layer's own parameters")
    explained: list[str] = Field(description="dx and those parameters that /api/number can explain")
    sequence: bool = Field(description="whether y is a sequence (T, D)")
    between: dict[str, Packed] = Field(
        description="intermediate results between x and y: states and gates (T, H), attention shares (heads, T, S)"
    )
    state_gradients: dict[str, Packed] = Field(
        description="the loss's gradient with respect to the state after each step (T, H)"
    )


class Walk(BaseModel):
    """A forward and a backward pass."""

    model: str
    label: str
    loss: float
    probabilities: list[float]
    places: list[Place]
    x: Packed = Field(description="the sample")
    logits: Packed
    dlogits: Packed = Field(
        description="the loss's gradient with respect to the logits: p - onehot(label); if numbers are predicted, "
        "2 (y - label) / n"
    )


class Derivative(BaseModel):
    """The loss's derivative with respect to one parameter, computed in two ways, in float64."""

    parameter: str
    index: list[int]
    value: float
    backpropagation: float
    numerical: float
    relative_difference: float = Field(description="the difference of the two, relative to the larger one")
    step: float = Field(description="how far the parameter is moved in both directions")
    loss_above: float
    loss_below: float


def trace_sample(model: str, network: Sequential, sample: Array, label: int | float, *, train: bool = False) -> Trace:
    """The passes of one sample (*input_shape); for a text (n,) the loss is that of the next token.

    train: as in training, with this sample as the batch: BatchNorm uses its mean and variance, and Dropout drops
    numbers, the same ones each time.
    """
    check_walk(model, network, sample)
    labels_of_steps, loss = _question(network, sample, label)
    rng = np.random.default_rng(_SEED) if train else None
    return network.trace(sample[np.newaxis], labels_of_steps, loss, train=train, rng=rng)


def check_walk(model: str, network: Sequential, sample: Array) -> None:
    """Raise ProblemError if a pass of this sample has more numbers than the page can take."""
    memory = sum(math.prod(row.output_shape) for row in network.summary().rows) + _shares(network, len(sample))
    if 3 * memory + network.values.size > _LARGEST_WALK:
        raise ProblemError(422, f"{model} is too large to be walked through: {memory:,} activations a sample")


def walk(
    model: str,
    network: Sequential,
    sample: Array,
    label: int | float,
    labels: tuple[str, ...],
    *,
    train: bool = False,
) -> Walk:
    """`trace_sample` in the page's format.

    If `labels` is empty, `label` is the number to predict, and the loss is the squared error.
    """
    trace = trace_sample(model, network, sample, label, train=train)
    in_steps = _reads_steps(network)
    places: list[Place] = []
    rows = trace.rows
    for index, row in enumerate(rows):
        before = rows[index - 1] if index else None
        follows = before is not None and (row.x is before.y or row.x.base is before.y)
        has_dx = row.dx is not None and (before is None or row.dx is not before.dy)
        places.append(
            Place(
                name=row.name,
                layer=repr(row.layer),
                x=None if follows else pack(row.x[0]),
                y=pack(row.y[0]),
                dy=None if row.dy is None else pack(row.dy[0]),
                dx=pack(row.dx[0]) if has_dx and row.dx is not None else None,
                gradients={name: pack(gradient) for name, gradient in row.gradients.items()},
                explained=explainable(row),
                sequence=in_steps and row.y.ndim == 3,
                between={name: pack(array[0]) for name, array in row.between.items()},
                state_gradients={name: pack(array[0]) for name, array in row.state_gradients.items()},
            )
        )
    return Walk(
        model=model,
        label=labels[int(label)] if labels else str(label),
        loss=trace.loss,
        probabilities=softmax(last_step(trace.outputs))[0].tolist() if labels else [],
        places=places,
        x=pack(sample),
        logits=pack(last_step(trace.outputs)[0]),
        dlogits=pack(last_step(trace.doutputs)[0]),
    )


def compare_derivative(
    network: Sequential,
    sample: Array,
    label: int | float,
    parameter: str,
    index: tuple[int, ...],
    *,
    train: bool = False,
) -> Derivative:
    """d loss / d parameter[index] by backpropagation and by a central difference, on a float64 copy."""
    exact = network.astype("float64")
    holder = find_parameter(exact, parameter, index)
    x = sample[np.newaxis].astype(np.int64 if exact.takes_indices else np.float64)
    labels, loss = _question(exact, sample, label)
    exact.gradients.fill(0)

    def forward() -> tuple[Array, Any]:
        rng = np.random.default_rng(_SEED) if train else None
        if exact.answers_steps:
            return exact.run(x, train=train, rng=rng)[::2]
        return exact.forward(x, train=train, rng=rng)

    logits, cache = forward()
    exact.backward(loss(logits, labels)[1], cache, input_gradient=False)
    back = float(holder.grad[index])
    seen: list[float] = []

    def value() -> float:
        seen.append(loss(forward()[0], labels)[0])
        return seen[-1]

    numerical = central_difference(value, holder.value, index)
    size = max(abs(back), abs(numerical))
    return Derivative(
        parameter=parameter,
        index=list(index),
        value=float(holder.value[index]),
        backpropagation=back,
        numerical=numerical,
        relative_difference=abs(back - numerical) / size if size else 0.0,
        step=STEP,
        loss_above=seen[0],
        loss_below=seen[1],
    )


def find_parameter(network: Sequential, parameter: str, index: tuple[int, ...]) -> Parameter:
    """The parameter of that name, which has an element at `index`."""
    if parameter not in network.parameters:
        raise ProblemError(422, f"there is no parameter {parameter!r}: use one of {', '.join(network.parameters)}")
    holder = network.parameters[parameter]
    if len(index) != holder.value.ndim or any(not 0 <= i < n for i, n in zip(index, holder.value.shape, strict=True)):
        raise ProblemError(422, f"{parameter} has the shape {holder.value.shape}, there is nothing at {index}")
    return holder


def loss_of(network: Sequential, sample: Array, label: int | float) -> float:
    """The loss of one sample (*input_shape), in inference."""
    labels, loss = _question(network, sample, label)
    x = sample[np.newaxis]
    return loss(network.run(x)[0] if network.answers_steps else network(x), labels)[0]


def gradient_of(network: Sequential, sample: Array, label: int | float) -> dict[str, Array]:
    """The gradient of one sample's loss with respect to each parameter, in inference, as float64."""
    own = network.copy()
    own.gradients.fill(0)
    labels, loss = _question(own, sample, label)
    x = sample[np.newaxis]
    logits, cache = own.run(x)[::2] if own.answers_steps else own.forward(x)
    own.backward(loss(logits, labels)[1], cache, input_gradient=False)
    return {name: parameter.grad.astype(np.float64) for name, parameter in own.parameters.items()}


def _question(network: Sequential, sample: Array, label: int | float) -> tuple[Array, Loss]:
    """The target and the loss; for a sequence, of its last step."""
    if isinstance(label, float):
        return np.full((1, *(network.output_shape or ())), label, network.dtype), MeanSquaredError()
    if not network.answers_steps:
        return np.array([label]), SoftmaxCrossEntropy()
    labels = np.full((1, len(sample)), -1)
    labels[0, -1] = label
    return labels, SequenceCrossEntropy(padding=-1)


def last_step(outputs: Array) -> Array:
    """Outputs (N, C) unchanged, the last step of (N, T, C)."""
    return outputs[:, -1] if outputs.ndim == 3 else outputs


def _reads_steps(layer: Layer) -> bool:
    """Whether sequences (T, D) pass through a network."""
    steps = isinstance(layer, Recurrent | Attention | Positions | Embedding)
    return steps or any(_reads_steps(child) for _, child in layer.children())


def _shares(layer: Layer, steps: int) -> int:
    """Numbers in the attention maps over this many steps."""
    own = layer.heads * steps**2 if isinstance(layer, Attention) else 0
    return own + sum(_shares(child, steps) for _, child in layer.children())


def pack_parameters(network: Sequential) -> dict[str, Packed]:
    """All parameters, by name."""
    if network.values.size > _LARGEST_WALK:
        raise ProblemError(422, f"{network.values.size:,} parameters are too many to be sent")
    return {name: pack(parameter.value) for name, parameter in network.parameters.items()}
