"""Attention: each step of a sequence becomes a weighted average of all steps; the weights depend on their content.

    q, k, v = the three parts of x W_in + b_in,   each split into heads of d = D / heads features
    shares = softmax(q k^T / sqrt(d)) over the keys,   y = (shares v, heads concatenated) W_out + b_out

With da the gradient of shares v, da = dy W_out^T,

    dv = shares^T da,   dshares = da v^T,   ds = shares (dshares - sum of dshares shares over the keys) / sqrt(d)
    dq = ds k,   dk = ds^T q,   and W_in, W_out, their biases and x as in Affine

A masked key (padding, or a later step if `causal`) gets the score -infinity, hence the share 0 and no gradient.
With `rotary`, q and k are rotated by angles proportional to their positions, so that q k^T depends on the distance
between them; backward rotates the gradients back.

(Vaswani et al. 2017, arXiv:1706.03762; rotary positions: Su et al. 2021, arXiv:2104.09864.)
Legend: N batch, T steps, S keys, D features.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import kernels
from chainrule.arrays import Array, Shape, quiet
from chainrule.errors import OptionError, ShapeError
from chainrule.initializers import Initializer, Xavier
from chainrule.layers.base import Layer
from chainrule.layers.positions import angles
from chainrule.layers.recurrent import check_sequence, checked_mask, without_padding
from chainrule.parameters import Parameter

__all__ = ["Attention"]


class Attention(Layer):
    """x (N, T, D) -> y (N, T, D), multi-head self-attention; W_in (D, 3 D), b_in (3 D,), W_out (D, D), b_out (D,).

    W_in holds queries, keys and values side by side. For cross-attention, `attend` takes keys and values from another
    sequence.

    Args:
        heads: number of heads; must divide D.
        causal: whether a step sees only itself and the steps before it.
        rotary: whether to rotate queries and keys by their positions; in each head, feature j of the first half is
            paired with feature j of the second and rotated by position times 10000^(-2 j / d).
        initializer: draws W_in and W_out; b_in and b_out start at zero.

    Example:
        >>> net = Sequential(Embedding(80, 32), Attention(4, causal=True), PointwiseAffine(80)).build((20,), seed=0)
        >>> logits, state, cache = net.run(np.zeros((1, 20), int))  # then continue: net.run(more, state)
    """

    def __init__(
        self,
        heads: int,
        causal: bool = False,
        rotary: bool = False,
        initializer: Initializer = Xavier(),  # noqa: B008 (an initializer has no state)
    ) -> None:
        if heads < 1:
            raise OptionError(f"Attention needs 1 head or more, got {heads}")
        self.heads = heads
        self.causal = causal
        self.rotary = rotary
        self.initializer = initializer

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        check_sequence(self, shape)
        length, features = shape
        if features < 1 or features % (self.heads * (1 + self.rotary)):
            parts = "heads of an even number of features" if self.rotary else "heads"
            raise self.shape_error(f"cannot divide {features} features into {self.heads} {parts}, got {shape}")
        self.check_room((length, length), self.heads)
        self.check_room((features, features), 8)
        self.W_in = Parameter(self.initializer((features, 3 * features), features, features, rng))
        self.b_in = Parameter(np.zeros(3 * features, np.float32), decay=False)
        self.W_out = Parameter(self.initializer((features, features), features, features, rng))
        self.b_out = Parameter(np.zeros(features, np.float32), decay=False)
        return shape

    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        y, _, cache = self.run(x)
        return y, cache

    def run(
        self,
        x: Array,
        state: Any = None,
        mask: Array | None = None,
        *,
        train: bool = False,
        rng: np.random.Generator | None = None,
    ) -> tuple[Array, Any, Any]:
        """See `Layer.run`. Outputs at padding are 0.

        The state, (keys, values, mask), holds the keys and values of all steps so far (N, S, D) and which of those
        steps are real.

        Raises:
            ShapeError: the state belongs to another batch or layer, or the mask to other sequences.
        """
        mask = checked_mask(self, x, mask)
        before = self._before(x, state)
        rows = _rows(x)
        q, k, v = _parts(_of_rows(kernels.affine_forward(rows, self.W_in.value, self.b_in.value), x), 3)
        start = 0 if before is None else before[0].shape[1]
        q, k = self._turned(q, start), self._turned(k, start)
        seen = mask
        if before is not None:
            k, v = np.concatenate((before[0], k), axis=1), np.concatenate((before[1], v), axis=1)
            seen = _both(before[2], mask, start, x)
        y, cache = self._mixed(q, k, v, seen, self.causal)
        return without_padding(y, mask), (k, v, seen), (rows, start, mask, cache)

    @quiet
    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        rows, start, mask, mixed = cache
        # y = shares v W_out + b_out, and 0 at padding; k and v of steps before these are constants
        dq, dk, dv = self._mixed_backward(without_padding(dy, mask), mixed)
        dk, dv = dk[:, start:], dv[:, start:]
        # q, k are rotated by their positions
        dq, dk = self._turned(dq, start, back=True), self._turned(dk, start, back=True)
        dprojected = _rows(np.concatenate((dq, dk, dv), axis=-1))
        # q, k, v = x @ W_in + b_in
        kernels.add_affine_weight_gradient(rows, dprojected, self.W_in.grad)
        self.b_in.grad += kernels.affine_bias_gradient(dprojected)
        return _of_rows(kernels.affine_input_gradient(dprojected, self.W_in.value), dy) if input_gradient else None

    @quiet
    def attend(self, queries: Array, keys_values: Array, mask: Array | None = None) -> tuple[Array, Any]:
        """Cross-attention: queries (N, T, D) attend to keys_values (N, S, D) -> y (N, T, D), and a cache.

        There is no causal mask and no rotation here, since positions in two sequences are unrelated.

        Args:
            queries: with the D features the layer was built for, like keys_values.
            keys_values: the sequence to attend to, such as the outputs of an encoder.
            mask: (N, S), which of its steps are real. None: all. A query that sees no key attends to nothing.

        Raises:
            ShapeError: the number of features, the batch or the shape of the mask does not match.
        """
        features = self.W_out.shape[0]
        if any(a.ndim != 3 or a.shape[2] != features for a in (queries, keys_values)) or len(queries) != len(
            keys_values
        ):
            raise ShapeError(
                f"attends from (N, T, {features}) to (N, S, {features}), got {queries.shape} and {keys_values.shape}",
                self,
            )
        mask = checked_mask(self, keys_values, mask)
        W, b = self.W_in.value, self.b_in.value
        read, seen = _rows(queries), _rows(keys_values)
        q = _of_rows(kernels.affine_forward(read, W[:, :features], b[:features]), queries)
        projected = _of_rows(kernels.affine_forward(seen, W[:, features:], b[features:]), keys_values)
        k, v = _parts(projected, 2)
        y, cache = self._mixed(q, k, v, mask, False)
        return y, (read, seen, cache)

    @quiet
    def attend_backward(self, dy: Array, cache: Any) -> tuple[Array, Array]:
        """dy (N, T, D) -> the gradients of queries and of keys_values; adds to each Parameter's `grad`."""
        read, seen, mixed = cache
        features = self.W_out.shape[0]
        dq, dk, dv = self._mixed_backward(dy, mixed)
        dq_rows, dkv_rows = _rows(dq), _rows(np.concatenate((dk, dv), axis=-1))
        # q = queries @ W_in[:, :D] + b_in[:D], and k, v = keys_values @ W_in[:, D:] + b_in[D:]
        self.W_in.grad[:, :features] += kernels.affine_weight_gradient(read, dq_rows)
        self.W_in.grad[:, features:] += kernels.affine_weight_gradient(seen, dkv_rows)
        self.b_in.grad += np.concatenate((dq_rows.sum(axis=0), dkv_rows.sum(axis=0)))
        dqueries = kernels.affine_input_gradient(dq_rows, self.W_in.value[:, :features])
        dkeys_values = kernels.affine_input_gradient(dkv_rows, self.W_in.value[:, features:])
        return _of_rows(dqueries, dq), _of_rows(dkeys_values, dk)

    def between(self, cache: Any) -> dict[str, Array]:
        """shares (N, heads, T, S): how much each step takes of each, in each head."""
        *_, (_, _, _, shares, _) = cache
        return {"shares": shares}

    def multiply_adds(self, shape: Shape) -> int:
        length, features = shape
        return length * (4 * features * features + 2 * length * features)

    def _mixed(self, q: Array, k: Array, v: Array, mask: Array | None, causal: bool) -> tuple[Array, Any]:
        """shares v W_out + b_out (N, T, D), and its cache."""
        a, shares = kernels.attention_forward(q, k, v, self.heads, causal, mask)
        y = kernels.affine_forward(_rows(a), self.W_out.value, self.b_out.value)
        return _of_rows(y, a), (q, k, v, shares, a)

    def _mixed_backward(self, dy: Array, cache: Any) -> tuple[Array, Array, Array]:
        """dq, dk, dv; adds to the gradients of W_out and b_out."""
        q, k, v, shares, a = cache
        rows = _rows(dy)
        # y = a @ W_out + b_out
        kernels.add_affine_weight_gradient(_rows(a), rows, self.W_out.grad)
        self.b_out.grad += kernels.affine_bias_gradient(rows)
        da = _of_rows(kernels.affine_input_gradient(rows, self.W_out.value), dy)
        # a = shares v, shares = softmax(q k^T / sqrt(d))
        return kernels.attention_backward(da, q, k, v, shares, self.heads)

    def _turned(self, x: Array, start: int, back: bool = False) -> Array:
        """Queries or keys (N, T, D) at the positions from `start` on, rotated by them, or rotated back."""
        if not self.rotary:
            return x
        turn = angles(start, x.shape[1], x.shape[2] // self.heads)
        cosines, sines = np.cos(turn).astype(x.dtype), np.sin(turn).astype(x.dtype)
        return kernels.rotate_heads(x, self.heads, cosines, -sines if back else sines)

    def _before(self, x: Array, state: Any) -> Any:
        """The state, once checked to belong to this batch."""
        if state is None:
            return None
        features = x.shape[2]
        fits = isinstance(state, tuple | list) and len(state) == 3
        if not fits or any(np.ndim(a) != 3 or np.shape(a)[::2] != (len(x), features) for a in state[:2]):
            raise ShapeError(
                f"carries (keys, values, mask) of ({len(x)}, S, {features}): pass what run returned for the same batch",
                self,
            )
        return state

    # ---- ONNX ----

    def onnx(self, graph: Any, x: str) -> str:
        assert self.input_shape is not None
        length, features = self.input_shape
        d = features // self.heads
        projected = graph.add("Add", graph.add("MatMul", x, graph.held(self.W_in)), graph.held(self.b_in))
        q, k, v = (
            graph.add(
                "Transpose",
                graph.add(
                    "Reshape",
                    _slice(graph, projected, features * part, features * (part + 1), 2),
                    graph.constant([-1, length, self.heads, d], np.int64),
                ),
                perm=[0, 2, 1, 3],
            )
            for part in range(3)
        )
        if self.rotary:
            q, k = (self._onnx_turned(graph, name, length, d) for name in (q, k))
        scores = graph.add("MatMul", q, graph.add("Transpose", k, perm=[0, 1, 3, 2]))
        scores = graph.add("Mul", scores, graph.constant(1 / np.sqrt(d)))
        if self.causal:
            seen = np.tri(length, dtype=bool)
            scores = graph.add("Add", scores, graph.constant(np.where(seen, 0, -np.inf)))
        a = graph.add("Transpose", graph.add("MatMul", graph.add("Softmax", scores, axis=-1), v), perm=[0, 2, 1, 3])
        a = graph.add("Reshape", a, graph.constant([-1, length, features], np.int64))
        name: str = graph.add("Add", graph.add("MatMul", a, graph.held(self.W_out)), graph.held(self.b_out))
        return name

    def _onnx_turned(self, graph: Any, x: str, length: int, d: int) -> str:
        """x (N, heads, T, d) rotated: x cos + (its halves swapped, the new first half negated) sin."""
        turn = np.tile(angles(0, length, d), 2)
        second, first = (_slice(graph, x, start, start + d // 2, 3) for start in (d // 2, 0))
        exchanged = graph.add("Concat", graph.add("Neg", second), first, axis=3)
        parts = (
            graph.add("Mul", x, graph.constant(np.cos(turn))),
            graph.add("Mul", exchanged, graph.constant(np.sin(turn))),
        )
        name: str = graph.add("Add", *parts)
        return name


def _slice(graph: Any, x: str, start: int, stop: int, axis: int) -> str:
    name: str = graph.add("Slice", x, *(graph.constant([number], np.int64) for number in (start, stop, axis)))
    return name


def _parts(x: Array, count: int) -> list[Array]:
    """(N, T, count D) -> `count` views (N, T, D)."""
    size = x.shape[2] // count
    return [x[:, :, part * size : (part + 1) * size] for part in range(count)]


def _rows(x: Array) -> Array:
    """(N, T, D) -> (N T, D)."""
    return x.reshape(x.shape[0] * x.shape[1], x.shape[2])


def _of_rows(rows: Array, like: Array) -> Array:
    """(N T, E) -> (N, T, E)."""
    return rows.reshape(*like.shape[:2], rows.shape[1])


def _both(before: Array | None, mask: Array | None, start: int, x: Array) -> Array | None:
    """Which of the earlier steps and of these are real."""
    if before is None and mask is None:
        return None
    parts = [
        np.ones((len(x), length), bool) if part is None else part
        for part, length in ((before, start), (mask, x.shape[1]))
    ]
    return np.concatenate(parts, axis=1)
