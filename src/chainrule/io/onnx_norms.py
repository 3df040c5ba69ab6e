"""LayerNorm and RMSNorm from ONNX operators, and from the formulas that exporters write instead.

    RMSNorm    x / sqrt(mean(x^2) + epsilon), then gamma
    LayerNorm  the same for x - mean(x), then gamma and beta

The root may be a divisor or, inverted, a factor. Steps of a formula are Parts with a `form`; the part after a norm or
a centered x is merged into it by its `takes`.

https://onnx.ai/onnx/operators
"""

from functools import partial

import numpy as np

from chainrule.arrays import Array
from chainrule.errors import ModelFileError
from chainrule.io.onnx_parts import Node, Part, parallel, tidy
from chainrule.layers import LayerNorm, RMSNorm, Scale

__all__ = ["difference", "norm", "power", "power_of", "quotient", "scaled_by_root"]


def norm(node: Node) -> Part:
    """LayerNormalization, RMSNormalization."""
    gamma = node.constants.get(1)
    if gamma is None:
        raise ModelFileError(f"it has a {node.operator} whose weights are not constant")
    axis, shape = int(node.attributes.get("axis", -1)), next(iter(node.before), None)
    if shape is not None:  # it extends to the last axis, whatever the shape of the scale
        axis = axis - len(shape) - 1 if axis > 0 else axis
        gamma = np.broadcast_to(gamma, shape[axis:])
    if axis == 0 or (axis < 0 and axis != -gamma.ndim):
        raise ModelFileError(f"it has a {node.operator} with axis = {axis} and a scale of {gamma.shape}")
    over = tuple(range(axis, axis + gamma.ndim))
    kind = LayerNorm if node.operator == "LayerNormalization" else RMSNorm
    part = _part(kind, over, float(node.attributes.get("epsilon", 1e-5)), {"gamma": np.asarray(gamma, np.float32)})
    if axis > 0:
        part.rank, part.axis = over[-1], None
    if 2 in node.constants:
        part.arrays["beta"] = np.asarray(np.broadcast_to(node.constants[2], gamma.shape), np.float32)
    return part


def power(node: Node) -> Part:
    """Pow with a constant exponent: a square or cube."""
    exponent = np.ravel(node.constants.get(1, ()))
    if exponent.size != 1 or float(exponent[0]) not in (2.0, 3.0):
        raise ModelFileError(
            f"it has a Pow by {exponent.tolist() or 'something else'}: only powers of 2 and 3 are supported"
        )
    return power_of(int(exponent[0]))


def power_of(exponent: int) -> Part:
    """x^2 or x^3: the product of two or three branches that are x, or a step of a formula."""
    part = parallel([[] for _ in range(exponent)], "product")
    part.form = {2: "square", 3: "cube"}[exponent]
    return part


def difference(node: Node, branches: list[list[Part]]) -> Part:
    """x - mean(x) as a step of a LayerNorm, or the sum of one branch and minus another."""
    x, other = branches
    if x or len(other) != 1 or other[0].form != "mean" or other[0].over is None:
        return parallel([tidy(x), [*tidy(other), Part(Scale(-1.0))]], "sum")
    part = Part(form="centered", over=other[0].over)
    part.takes = partial(_of_centered, part)
    return part


def quotient(node: Node, branches: list[list[Part]]) -> Part:
    """x / sqrt(mean(x^2) + epsilon), for x or for x minus its mean."""
    found = _normalized(*branches)
    if found is None:
        raise ModelFileError("it divides two values that both depend on the input, which no layer supports")
    return found


def scaled_by_root(branches: list[list[Part]]) -> Part | None:
    """x times 1 / sqrt(mean(x^2) + epsilon), if these are the factors."""
    for other, inverse in (branches, reversed(branches)) if len(branches) == 2 else ():
        places = [place for place, part in enumerate(inverse) if part.form == "reciprocal"]
        if places and (found := _normalized(other + inverse[places[0] + 1 :], inverse[: places[0]])):
            return found
    return None


def _normalized(x: list[Part], root: list[Part]) -> Part | None:
    """The norm equal to x divided by this root; constant factors of x become its gamma."""
    kind: type[LayerNorm | RMSNorm] = RMSNorm
    over = None
    if root and root[0].form == "centered":
        if not x or x[0].form != "centered" or x[0].over != root[0].over:
            return None
        kind, over, x, root = LayerNorm, root[0].over, x[1:], root[1:]
    if [part.form for part in root] != ["square", "mean", "", "sqrt"] or root[2].constant is None:
        return None
    (operator, epsilon), mean = root[2].constant, root[1].over
    if operator != "Add" or epsilon.size != 1 or mean is None or over not in (None, mean):
        return None
    found: Part | None = _part(kind, mean, float(np.ravel(epsilon)[0]))
    for part in x:
        found = _with_constant(found, part) if found else None
    return found


def _part(
    kind: type[LayerNorm | RMSNorm], over: tuple[int, ...], epsilon: float, arrays: dict[str, Array] | None = None
) -> Part:
    if not epsilon > 0:
        raise ModelFileError(f"it has a norm with epsilon = {epsilon}: it must be above 0")
    part = Part(kind(len(over), epsilon), arrays or {}, over=over)
    if len(over) == 1 and over[0]:  # along this axis, whichever it may be
        part.axis = over[0] - 1 if over[0] > 0 else over[0]
    elif over == tuple(range(over[0], over[0] + len(over))) and (over[0] > 0 or over[0] == -len(over)):
        part.rank = over[-1] if over[0] > 0 else None
    else:
        raise ModelFileError(f"it has a norm over axes {list(over)}, which are not the last ones")
    part.takes = partial(_with_constant, part)
    return part


def _of_centered(centered: Part, part: Part) -> Part | None:
    """x - mean(x) and an RMSNorm of it as a LayerNorm."""
    if not isinstance(part.layer, RMSNorm) or part.over is None or centered.over is None:
        return None
    over = max(centered.over, part.over)  # counted from the start if either is, so that the rank is checked
    if part.layer.axes != len(centered.over):
        return None
    return _part(LayerNorm, over, part.layer.epsilon, part.arrays)


def _with_constant(norm: Part, part: Part) -> Part | None:
    """A norm with its factor as gamma, or the added constant as beta."""
    layer = norm.layer
    if part.constant is None or not isinstance(layer, LayerNorm | RMSNorm):
        return None
    operator, value = part.constant
    name = {"Mul": "gamma", "Add": "beta"}.get(operator, "")
    wanted = {"gamma", "beta"} if isinstance(layer, LayerNorm) else {"gamma"}
    if name not in wanted - set(norm.arrays) or (name == "gamma" and "beta" in norm.arrays):
        return None
    shape = value.shape[-layer.axes :]
    if layer.axes == 1 and norm.axis is not None and norm.axis >= 0 and value.size == max(value.shape, default=1):
        # (C, 1, 1) belongs to the first axis of (C, H, W), and gives the number of axes
        place = value.ndim - int(np.argmax(value.shape))
        if norm.rank not in (None, norm.axis + place):
            return None
        norm.rank, shape = norm.axis + place, (value.size,)
    if value.size == 1 or value.ndim < layer.axes or value.size != np.prod(shape):
        return None
    norm.arrays[name] = value.reshape(shape)
    return norm
