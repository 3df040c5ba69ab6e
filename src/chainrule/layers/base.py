"""The base class of every layer: forward, backward, and parameters.

A layer author writes `forward` and `backward`, and `build` if there are parameters or the shape changes; names, flat
buffers, copies and checks are inherited. See CONTRIBUTING.md for a complete example.
"""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from chainrule.arrays import Array, Shape, name_shape
from chainrule.config import Configured
from chainrule.errors import ChainruleError, OptionError, ShapeError
from chainrule.parameters import Buffer, Parameter, flat_buffers

__all__ = ["LARGEST_SAMPLE", "Layer", "check_size"]


def _largest_sample() -> int:
    text = os.environ.get("CHAINRULE_LARGEST_SAMPLE", str(2**28))
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise OptionError(f"CHAINRULE_LARGEST_SAMPLE must be a whole number of 1 or more, got {text!r:.40}")
    return number


LARGEST_SAMPLE = _largest_sample()
"""The most numbers one sample may have: 1 GiB of float32, unless CHAINRULE_LARGEST_SAMPLE sets another limit."""

_SMALLER = "check the sizes, or set CHAINRULE_LARGEST_SAMPLE to a larger number before importing chainrule"


class Layer(Configured):
    """A brick: y = f(x; parameters), and its vector-Jacobian product.

    A layer remembers nothing between calls: `cache` carries what backward needs. It never writes to its input arrays.
    """

    input_shape: Shape | None = None
    """Per-sample shapes, set when the layer is built."""
    output_shape: Shape | None = None
    dtype: np.dtype[Any] = np.dtype(np.float32)
    """The dtype integers (pixels) are converted to; floating-point inputs keep their own."""

    reads: str = "floats"
    """"floats": integers (pixels) are converted first; "numbers": integers and floats pass as they are; "indices"."""
    spans: int = 1
    """The number of layers that a fused layer stands for."""

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        """Check the per-sample input shape, create the Parameters, return the per-sample output shape.

        Write it as if it ran once: a layer that already has its arrays only checks that the shape is the same.

        Raises:
            ShapeError: the layer cannot take this shape; the message says which layer, what it needs, what it got and
                how to fix it.
        """
        return shape

    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        """x (N, *input_shape) -> y (N, *output_shape) and the cache for `backward`."""
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        """dy (N, *output_shape) -> dx (N, *input_shape), and adds to each Parameter's `grad`.

        If `input_gradient` is False, dx is not needed and None may be returned.
        """
        raise NotImplementedError(f"{type(self).__name__} has no backward")

    def run(
        self,
        x: Array,
        state: Any = None,
        mask: Array | None = None,
        *,
        train: bool = False,
        rng: np.random.Generator | None = None,
    ) -> tuple[Array, Any, Any]:
        """`forward` for a chunk of each sequence: y, the state after the chunk, and the cache.

        Layers without memory return the state None, and they and their backward pass ignore the mask.

        Args:
            x: (N, T, ...), the next T steps.
            state: what `run` returned for the previous steps; None at the start. No gradient flows into it.
            mask: (N, T), true for real steps, false for padding. None: all are real.
            train, rng: as in `forward`.
        """
        y, cache = self.forward(x, train=train, rng=rng)
        return y, None, cache

    def between(self, cache: Any) -> dict[str, Array]:
        """Intermediate results of `forward` worth showing, by name, (N, ...): states, gates, shares.

        Args:
            cache: what `forward` or `run` returned.
        """
        return {}

    def state_gradients(self, dy: Array, cache: Any) -> dict[str, Array]:
        """The loss's gradient with respect to the state after each step (backpropagation through time), by name.

        Each is (N, T, H), in temporal order; layers without a state return {}. No `grad` changes.
        """
        return {}

    def __call__(self, x: Array) -> Array:
        """Inference: returns the output only."""
        return self.forward(x)[0]

    def multiply_adds(self, shape: Shape) -> int:
        """The number of multiply-adds forward does for one sample of this shape."""
        return 0

    def onnx(self, graph: Any, x: str) -> str:
        """Add this layer's ONNX operators (opset 17) to `graph`, applied to the value named x; return the name of y.

        `graph.add(operator, *inputs, **attributes)` adds a node, `graph.held(self.W)` a parameter or buffer,
        `graph.constant(value)` an array; each returns a name. A layer without this method cannot be exported.
        """
        raise NotImplementedError(f"{type(self).__name__} has no onnx")

    def entering(self, x: Array) -> Array:
        """Convert `x` to what this layer reads; a network calls this before `forward`."""
        return x if x.dtype.kind == "f" or self.reads != "floats" else x.astype(self.dtype)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "build" in vars(cls):
            cls.build = _built_once(vars(cls)["build"])  # type: ignore[method-assign]

    # ---- sublayers, parameters, buffers ----

    def children(self) -> Iterator[tuple[str, Layer]]:
        """The sublayers by name, in attribute order; one in a list is named "index.Class"."""
        for name, value in vars(self).items():
            if isinstance(value, Layer):
                yield name, value
            elif isinstance(value, list | tuple):
                for index, item in enumerate(value):
                    if isinstance(item, Layer):
                        yield f"{index}.{type(item).__name__}", item

    def parts(self, shape: Shape) -> Iterator[tuple[str, Layer, Shape]]:
        """The children of a built layer with their per-sample input shapes; by default they run one after another."""
        for name, layer in self.children():
            yield name, layer, shape
            shape = layer.build(shape, np.random.default_rng(0))  # already built: this only returns the shape

    @property
    def takes_indices(self) -> bool:
        """Whether the input is row indices (Embedding), which have no gradient."""
        return self.reads == "indices" or any(layer.takes_indices for _, layer in self.children())

    @property
    def parameters(self) -> dict[str, Parameter]:
        """Trained arrays by name, such as "0.Affine.W", in the order of the flat buffers; a shared one appears once."""
        return self._named(Parameter, "_parameters")

    @property
    def buffers(self) -> dict[str, Buffer]:
        """Saved arrays that are not trained, by name."""
        return self._named(Buffer, "_buffers")

    @property
    def arrays(self) -> dict[str, Array]:
        """All arrays of a saved model by name: the values of the parameters, then of the buffers."""
        return {name: holder.value for name, holder in self._holders().items()}

    @property
    def values(self) -> Array:
        """All parameters as one array (P,); each parameter is a view of it."""
        return flat_buffers(self.parameters.values())[0]

    @property
    def gradients(self) -> Array:
        """All gradients as one array (P,); each gradient is a view of it."""
        return flat_buffers(self.parameters.values())[1]

    def freeze(self) -> Self:
        """Stop updating this layer's parameters; gradients still flow through it."""
        return self._set_frozen(True)

    def unfreeze(self) -> Self:
        """Train this layer's parameters again."""
        return self._set_frozen(False)

    def copy(self) -> Self:
        """An independent copy: same parameters, buffers and settings."""
        other = copy.deepcopy(self)
        flat_buffers(other.parameters.values())
        return other

    def astype(self, dtype: npt.DTypeLike) -> Self:
        """A copy that computes in `dtype`; the gradient check uses "float64" to run the same code more precisely."""
        other, dtype = self.copy(), np.dtype(dtype)
        for holder in other._holders().values():
            holder.cast(dtype)
        for layer in other._tree():
            layer.dtype = dtype
        flat_buffers(other.parameters.values())
        return other

    def check_room(self, shape: Shape, arrays: int) -> None:
        """Raise ShapeError if `arrays` arrays of this shape would be larger than any data needs."""
        if arrays * math.prod(shape) > LARGEST_SAMPLE:
            raise self.shape_error(
                f"needs {arrays} arrays of {shape}, more than {LARGEST_SAMPLE:,} numbers: {_SMALLER}"
            )

    def shape_error(self, problem: str) -> ShapeError:
        """The error for `raise self.shape_error("needs ..., got ...: cure")`."""
        return ShapeError(problem, self)

    def _holders(self) -> dict[str, Parameter | Buffer]:
        return {**self.parameters, **self.buffers}

    def _named(self, kind: type, memory: str) -> dict[str, Any]:
        if self.input_shape is None:  # not built yet
            return dict(_collect(self, kind, "", set()))
        if memory not in vars(self):
            vars(self)[memory] = dict(_collect(self, kind, "", set()))
        found: dict[str, Any] = vars(self)[memory]
        return found

    def _set_frozen(self, frozen: bool) -> Self:
        for parameter in self.parameters.values():
            parameter.frozen = frozen
        return self

    def _tree(self) -> Iterator[Layer]:
        yield self
        for _, child in self.children():
            yield from child._tree()


def _collect(layer: Layer, kind: type, prefix: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    """The layer's own arrays of `kind`, then those of its children; a shared array comes once."""
    for name, value in vars(layer).items():
        if isinstance(value, kind) and id(value) not in seen:
            seen.add(id(value))
            yield prefix + name, value
    for name, child in layer.children():
        yield from _collect(child, kind, f"{prefix}{name}.", seen)


def check_size(layer: Layer, shape: Shape) -> None:
    """Raise the layer's ShapeError if one sample has more than LARGEST_SAMPLE numbers."""
    if math.prod(shape) > LARGEST_SAMPLE:
        raise layer.shape_error(
            f"has samples of {name_shape(shape)}, more than {LARGEST_SAMPLE:,} numbers each: {_SMALLER}"
        )


def _built_once(build: Callable[..., Any]) -> Callable[..., Any]:
    """Make an author's `build` remember its shapes, and only check them if its arrays already exist."""

    @wraps(build)
    def guarded(self: Layer, shape: Shape, *arguments: Any, **options: Any) -> Any:
        has_arrays = any(isinstance(value, Parameter | Buffer) for value in vars(self).values())
        if has_arrays and self.output_shape is not None:
            if shape != self.input_shape:
                assert self.input_shape is not None
                raise self.shape_error(
                    f"was built for {name_shape(self.input_shape)}, got {name_shape(shape)}: use a new layer"
                )
            return self.output_shape
        check_size(self, shape)
        try:
            result = build(self, shape, *arguments, **options)
        except (MemoryError, OverflowError, ValueError) as error:  # from NumPy: arrays too large for memory
            if isinstance(error, ChainruleError):
                raise
            raise self.shape_error(f"cannot make its arrays for {name_shape(shape)}: {error}") from error
        if isinstance(result, tuple):
            check_size(self, result)
            self.input_shape, self.output_shape = shape, result
        return result

    return guarded
