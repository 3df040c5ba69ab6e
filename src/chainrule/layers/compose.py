"""Sequential: layers that run one after another, which makes a network.

forward   x -> f1 -> f2 -> ... -> fn -> y
backward  dx <- f1' <- f2' <- ... <- fn' <- dy     (the chain rule, read from right to left)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, overload

import numpy as np

from chainrule.arrays import Array, Shape, name_shape
from chainrule.errors import NotBuiltError, OptionError, ShapeError
from chainrule.functions import softmax
from chainrule.layers.base import Layer
from chainrule.layers.fused import fuse
from chainrule.layers.summary import Summary, summarize
from chainrule.layers.trace import Trace, trace
from chainrule.losses import Loss, SoftmaxCrossEntropy
from chainrule.markup import fragment, note, rows
from chainrule.parameters import flat_buffers
from chainrule.sequence_losses import SequenceCrossEntropy

if TYPE_CHECKING:  # data is loaded on first use
    from chainrule.data.preparation import Preparation

__all__ = ["Sequential"]


class Sequential(Layer):
    """Layers that run one after another: a network that ends in logits, or a part of one.

    Example:
        >>> net = Sequential(Affine(3), ReLU(), Affine(2)).build((4,), seed=0)
        >>> net(np.ones((1, 4), np.float32)).shape
        (1, 2)
    """

    reads = "numbers"
    labels: tuple[str, ...] | None = None
    """Class names in the order of the logits; saved with the network."""
    preparation: Preparation | None = None
    """How raw input was prepared for training; applied again at prediction, and saved with the network."""

    def __init__(self, *layers: Layer) -> None:
        for layer in layers:
            if not isinstance(layer, Layer):
                name = type(self).__name__
                raise OptionError(f"{name} takes layers, got {layer!r}: write {name}(Affine(10), ReLU(), ...)")
        self.layers = layers
        self._planned: tuple[tuple[Layer, ...], tuple[Layer, ...]] | None = None

    @overload
    def build(self, shape: Shape, rng: np.random.Generator) -> Shape: ...

    @overload
    def build(self, shape: Shape, *, seed: int = 0) -> Self: ...

    def build(self, shape: Shape, rng: np.random.Generator | None = None, *, seed: int = 0) -> Shape | Self:
        """Called by a user, `net.build((1, 28, 28), seed=0)` returns the network itself, ready to use.

        Called on a part of another network, `build(shape, rng)` returns the output shape, like any layer's `build`.
        """
        shape = tuple(shape)
        output = self._flow(shape, np.random.default_rng(seed) if rng is None else rng)
        self.input_shape, self.output_shape = shape, output
        if rng is not None:
            return output
        flat_buffers(self.parameters.values())  # laid out now, not at the first step
        return self

    def _flow(self, shape: Shape, rng: np.random.Generator) -> Shape:
        """Build the layers in order and return the final output shape."""
        for index, layer in enumerate(self.layers):
            try:
                shape = layer.build(shape, rng)
            except ShapeError as error:
                raise error.inside(index) from None
        return shape

    @property
    def _steps(self) -> tuple[Layer, ...]:
        """The layers as they run: some are fused where that is faster."""
        if self._planned is None or self._planned[0] is not self.layers:
            self._planned = (self.layers, fuse(self.layers))
        return self._planned[1]

    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        self._check(x)
        caches = []
        for layer in self._steps:
            x, cache = layer.forward(layer.entering(x), train=train, rng=rng)
            caches.append(cache)
        return x, caches

    def run(
        self,
        x: Array,
        state: Any = None,
        mask: Array | None = None,
        *,
        train: bool = False,
        rng: np.random.Generator | None = None,
    ) -> tuple[Array, Any, Any]:
        """See `Layer.run`; chunks may have any length. The state is a tuple with one entry per layer."""
        self._check_stretch(x)
        if state is not None and len(state) != len(self.layers):
            raise ShapeError(f"carries a state of {len(self.layers)} layers, got {len(state)}: pass what run returned")
        states: list[Any] = []
        caches: list[Any] = []
        for layer in self._steps:
            states += [None] * (layer.spans - 1)  # of fused layers only the last one carries a state
            before = None if state is None else state[len(states)]
            x, after, cache = layer.run(layer.entering(x), before, mask, train=train, rng=rng)
            states.append(after)
            caches.append(cache)
        return x, tuple(states), caches

    def __call__(self, x: Array) -> Array:
        self._check(x)
        for layer in self._steps:
            x = layer(layer.entering(x))
        return x

    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        # without input_gradient, backward stops at the first layer that learns
        lowest = 0 if input_gradient else self._first_with_parameters()
        gradient: Array | None = dy
        steps = self._steps
        for index in reversed(range(lowest, len(steps))):
            # x = layer.forward(x)
            if gradient is None:  # the layer above reads indices, so there is no gradient
                break
            gradient = steps[index].backward(gradient, cache[index], input_gradient=input_gradient or index > lowest)
        return gradient if input_gradient else None

    def predict_probabilities(self, x: Array, batch_size: int = 1000) -> Array:
        """x (N, *input_shape) -> softmax of the logits (N, C), a batch at a time."""
        self._check(x)
        batches = [softmax(self(x[start : start + batch_size])) for start in range(0, len(x), batch_size)]
        return np.concatenate(batches) if batches else np.zeros((0, *(self.output_shape or ())), self.dtype)

    def predict(self, x: Array, batch_size: int = 1000) -> Array:
        """x (N, *input_shape) -> the most probable class of each sample (N,), as an index."""
        indices: Array = self.predict_probabilities(x, batch_size).argmax(axis=-1)
        return indices

    def summary(self) -> Summary:
        """One row per layer: output shape, parameters, multiply-adds, training memory per sample."""
        self._check_built()
        return summarize(self)

    def _repr_html_(self) -> str:
        """HTML for notebooks: the summary of a built network, or the list of layers of an unbuilt one."""
        if self.input_shape is not None:
            return self.summary()._repr_html_()
        layers = rows(("", "layer"), [(index, repr(layer)) for index, layer in enumerate(self.layers)])
        return fragment("not built", layers, note("build(input_shape, seed=0) makes the parameters"))

    def trace(
        self,
        x: Array,
        labels: Array,
        loss: Loss | None = None,
        *,
        train: bool = False,
        rng: np.random.Generator | None = None,
    ) -> Trace:
        """Run forward and backward once and keep every intermediate array, by layer; the network is not changed.

        Args:
            x: (N, *input_shape); sequences of any length if there is an output for every step.
            labels: the targets of the loss.
            loss: SoftmaxCrossEntropy() by default, or SequenceCrossEntropy() if there is an output for every step.
            train: run in training mode, in which Dropout and BatchNorm behave differently.
            rng: the random numbers for training mode.
        """
        self._check_built()
        if self.answers_steps:
            self._check_stretch(x)
        else:
            self._check(x)
        if loss is None:
            loss = SequenceCrossEntropy() if self.answers_steps else SoftmaxCrossEntropy()
        return trace(self, x, labels, loss, train=train, rng=rng)

    @property
    def answers_steps(self) -> bool:
        """Whether a built network reads sequences (T, ...) and has an output (T, C) for every step of them."""
        if self.input_shape is None or self.output_shape is None or len(self.output_shape) != 2:
            return False
        return len(self.input_shape) < 3 and self.input_shape[:1] == self.output_shape[:1]

    def _first_with_parameters(self) -> int:
        for index, layer in enumerate(self._steps):
            if layer.parameters:
                return index
        return len(self._steps)

    def _check_built(self) -> None:
        if self.input_shape is None:
            raise NotBuiltError("the network has no parameters yet: call net.build(input_shape, seed=0) first")

    def _check_stretch(self, x: Array) -> None:
        self._check_built()
        assert self.input_shape is not None
        if x.ndim != len(self.input_shape) + 1 or x.shape[2:] != self.input_shape[1:]:
            features = "".join(f", {number}" for number in self.input_shape[1:])
            raise ShapeError(
                f"the network runs over sequences (N, T{features}), got {x.shape}: "
                "reshape the data, or build the network for this shape"
            )

    def _check(self, x: Array) -> None:
        self._check_built()
        if x.shape[1:] != self.input_shape or x.ndim == 0:
            assert self.input_shape is not None
            raise ShapeError(
                f"the network reads {name_shape(self.input_shape)}, got {x.shape}: "
                "reshape the data, or build the network for this shape"
            )
