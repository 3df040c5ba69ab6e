"""What is wrong with a hand-written gradient? Known mistakes leave known traces in its numbers.

A gradient that differs from the numerical one is compared with what common mistakes would give: transposed, wrong sign,
N times too large, summed over another axis, without the upstream gradient, ... It works on arrays and knows no layers.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.arrays import Array
from chainrule.text import Language, spoken

__all__ = ["Finding", "diagnose"]

_NEAR = 1e-3
"""Relative tolerance. Two candidates differ by far more, and the numerical gradient itself is not exact."""

_TEXTS: dict[str, tuple[str, str]] = {
    "missing": ("is not there: nothing sets or returns it", "不存在：没有赋值，也没有返回"),
    "kind": ("is a {kind}, not an array of numbers", "是 {kind}，不是数组"),
    "transposed": (
        "is transposed: use .T, or swap the factors of the product",
        "被转置了：用 .T，或交换乘积中两个因子的位置",
    ),
    "reshape": (
        "has the right numbers in shape {got}, but needs shape {needed}: reshape it",
        "数值正确，但形状是 {got}，应为 {needed}：请 reshape",
    ),
    "unsummed": (
        "has shape {got}: it is not summed over the batch (sum(axis=0) gives {needed})",
        "形状是 {got}：还没有沿批次求和（用 sum(axis=0)，得到 {needed}）",
    ),
    "axis": (
        "has shape {got} instead of {needed}: it is summed over the wrong axis",
        "形状是 {got}，应为 {needed}：求和的轴错了",
    ),
    "scalar": (
        "is one number, but needs shape {needed}: it was summed over everything, or never computed",
        "只是一个数，应为 {needed}：对所有轴都求了和，或者根本没有计算",
    ),
    "shape": ("has shape {got}, but needs {needed}", "形状是 {got}，应为 {needed}"),
    "nan": ("contains NaN or infinity", "含有 NaN 或无穷大"),
    "zero": ("is zero everywhere", "处处为零"),
    "sign": ("has the wrong sign", "符号反了"),
    "times batch": (
        "is {batch} times too large, and the batch has {batch} samples: the 1/N of the mean is missing",
        "大了 {batch} 倍，而批次正好有 {batch} 个样本：漏了求平均的 1/N",
    ),
    "over batch": (
        "is {batch} times too small, and the batch has {batch} samples: it is divided by N once too often"
        " (a mean instead of a sum? right only where the loss is not divided by N)",
        "小了 {batch} 倍，而批次正好有 {batch} 个样本：多除了一次 N（把求和写成了求平均？只有在损失没有除以 N 时才对）",
    ),
    "factor": ("is {factor:.4g} times what it should be, everywhere", "处处是正确值的 {factor:.4g} 倍"),
    "swapped": ("is what {other} should be: the two are swapped", "给出的是 {other} 应有的值：两者弄反了"),
    "dout": ("is not multiplied by the upstream gradient (dout)", "没有乘上游传来的梯度 dout"),
    "dout twice": ("is multiplied by the upstream gradient (dout) twice", "乘了两次上游传来的梯度 dout"),
    "passed on": ("is dout itself: the layer's own derivative is missing", "就是 dout 本身：漏乘了本层的导数"),
    "inverted": (
        "is nonzero where forward cut off, and zero where it let x pass: the mask is inverted",
        "在 forward 截断处非零，而在通过处为零：mask 取反了",
    ),
    "leaks": (
        "is not zero at {count} of {of} places where the derivative is zero: a mask is missing",
        "在导数为零的 {of} 处中有 {count} 处不为零：漏了 mask",
    ),
    "blocks": (
        "is zero at {count} of {of} places where the derivative is not",
        "在导数不为零的 {of} 处中有 {count} 处为零",
    ),
    "statistics": (
        "ignores that the mean and the variance depend on every sample of the batch",
        "没有考虑均值和方差依赖于批次中的每个样本",
    ),
    "order": (
        "has the right numbers in the wrong places: check the order of reshape and transpose",
        "数值正确但位置错了：检查 reshape 与 transpose 的次序",
    ),
    "argument": (
        "evaluates the derivative in the wrong place: at the output of forward instead of its input",
        "导数代入的量不对：用了 forward 的输出，而不是输入",
    ),
    "input": (
        "has the right formula with the wrong array: it is written for the output y but uses the input x",
        "公式是用输出 y 写的，却代入了输入 x",
    ),
    "activation": (
        "leaves out the derivative of the activation: it is the gradient of the product alone",
        "漏了激活函数的导数：只是乘积部分的梯度",
    ),
    "mean term": (
        "leaves out the term for the mean: every sample changes the mean",
        "漏了均值那一项：每个样本都会改变均值",
    ),
    "variance term": (
        "leaves out the term for the variance: every sample changes the variance",
        "漏了方差那一项：每个样本都会改变方差",
    ),
    "updated": (
        "is computed with the weights after their update: compute it first, then update",
        "用的是更新之后的权重：应先求它，再更新权重",
    ),
    "divided": (
        "has the same size for half the upstream gradient: an optimizer such as Adam divides by that size",
        "在上游梯度减半时大小不变：中间有 Adam 之类的优化器按其大小作了除法",
    ),
    "begins": (
        "receives no upstream gradient but the input or the output, so it starts from a loss that only it knows: "
        "give the class `loss(x, t)` and `gradient(x, t)`, or check its layers",
        "没有接收上游梯度，而是接收了输入或输出，它从只有自己知道的损失出发："
        "请为这个类写 `loss(x, t)` 和 `gradient(x, t)`，或检验它的各层",
    ),
    "unmatched": (
        "does not belong to any input of forward or any array that forward reads",
        "不对应 forward 的任何输入，也不对应 forward 读取的任何数组",
    ),
    "kinks": ("lies on a kink, where there is no derivative, at every place checked", "所查之处都在折点上，没有导数"),
    "small": (
        "is 0 or too small to tell from rounding (a bias before batch normalization has no effect)",
        "为 0，或小到与舍入误差分不开（批归一化之前的偏置不起作用）",
    ),
    "noise": (
        "is computed in a precision too low for numerical differentiation to show anything",
        "计算精度太低，数值微分看不出什么",
    ),
    "some": ("is wrong at {count} of the {of} places checked", "在检查的 {of} 处中有 {count} 处错误"),
}
"""What each trace means, in English and Chinese; the name of the gradient comes first."""

_PLACE = (
    "; at {index} it is {found:.6g}, the numerical gradient is {expected:.6g}",
    "；在 {index} 处它给出 {found:.6g}，数值梯度为 {expected:.6g}",
)


@dataclass(frozen=True)
class Finding:
    """One wrong gradient: its name, the trace, and the numbers for its text."""

    name: str
    pattern: str
    values: Mapping[str, Any]

    def text(self, language: Language = "en") -> str:
        """One sentence."""
        text = f"{self.name} {spoken(_TEXTS[self.pattern], language)}"
        place = spoken(_PLACE, language) if self.values.get("index") else ""
        return (text + place).format(**self.values)


def diagnose(
    name: str,
    found: Any,
    expected: Array,
    *,
    batch: int,
    dout: Array | None = None,
    others: Mapping[str, Array] | None = None,
    x: Array | None = None,
) -> Finding:
    """The likeliest reason why a gradient differs from the numerical one.

    Args:
        name: the gradient's name ("dW").
        found: what backward returned.
        expected: the numerical gradient, NaN where it was not measured.
        batch: the number of samples it was measured with.
        dout: the upstream gradient.
        others: numerical gradients of the layer's other arrays.
        x: the layer's first input.
    """
    if found is None:
        return Finding(name, "missing", {})
    try:
        numbers = np.asarray(found, dtype=np.float64)
    except (TypeError, ValueError):
        return Finding(name, "kind", {"kind": type(found).__name__})
    shapes = {"got": numbers.shape, "needed": expected.shape}
    if numbers.shape != expected.shape:
        return Finding(name, _of_shape(numbers, expected, batch), shapes)
    if not np.isfinite(numbers).all():
        return Finding(name, "nan", {})
    known = ~np.isnan(expected)
    differs = np.abs(np.where(known, numbers - expected, 0))
    worst = tuple(int(i) for i in np.unravel_index(int(np.argmax(differs)), numbers.shape))
    place = {"index": list(worst), "found": float(numbers[worst]), "expected": float(expected[worst])}
    above = np.asarray(1.0 if dout is None else dout)
    pattern, values = next(_explanations(numbers, expected, known, batch, above, others or {}, x))
    return Finding(name, pattern, values | place)


def _near(one: Array, other: Array) -> bool:
    """Whether they are equal where both were measured, relative to the largest value."""
    if one.shape != other.shape:
        return False
    known = ~(np.isnan(one) | np.isnan(other))
    if not known.any():
        return False
    scale = max(np.abs(one[known]).max(), np.abs(other[known]).max())
    return bool(np.abs(one[known] - other[known]).max() <= _NEAR * scale)


def _of_shape(found: Array, expected: Array, batch: int) -> str:
    if found.T.shape == expected.shape and _near(found.T, expected):
        return "transposed"
    if found.size == expected.size and _near(found.reshape(expected.shape), expected):
        return "reshape"
    if found.shape[1:] == expected.shape and len(found) == batch:
        return "unsummed"
    if found.size == 1:
        return "scalar"
    if expected.ndim == 1 and found.shape in ((batch,), (batch, 1)):
        return "axis"
    return "shape"


def _explanations(
    found: Array,
    expected: Array,
    known: Array,
    batch: int,
    dout: Array,
    others: Mapping[str, Array],
    x: Array | None,
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The patterns that match, likeliest first: those of the whole gradient, then those of some of its places."""
    if not found.any():
        yield "zero", {}
    for other, gradient in others.items():
        if _near(found, gradient):
            yield "swapped", {"other": other}
    one, right = found[known], expected[known]
    yield from _explanations_of_a_factor(one, right, batch)
    if _near(found.T, expected):
        yield "transposed", {}
    if dout.shape == found.shape:
        for pattern, one_way, other_way in (
            ("passed on", found, dout),
            ("dout twice", found, expected * dout),
            ("dout", found * dout, expected),
        ):
            if _near(one_way, other_way):
                yield pattern, {}
    if x is not None:
        yield from _explanations_of_an_input(found, expected, dout, x)
    yield from _explanations_of_places(one, right)
    if known.all() and found.ndim > 1:
        size = np.abs(expected).max()
        if np.abs(expected.sum(axis=0)).max() < _NEAR * size and np.abs(found.sum(axis=0)).max() > _NEAR * size:
            yield "statistics", {}
    if known.all() and _near(np.sort(one), np.sort(right)):
        yield "order", {}
    wrong = np.abs(one - right) > _NEAR * np.abs(right).max(initial=0)
    yield "some", {"count": int(wrong.sum()), "of": int(wrong.size)}


def _explanations_of_a_factor(one: Array, right: Array, batch: int) -> Iterator[tuple[str, dict[str, Any]]]:
    factor = float(one @ right / (right @ right)) if right.any() else 0.0
    if factor and abs(factor - 1) > 3 * _NEAR and _near(one, factor * right):
        for pattern, value in (("sign", -1.0), ("times batch", float(batch)), ("over batch", 1 / batch)):
            if abs(factor - value) < _NEAR * abs(value) and (batch > 1 or pattern == "sign"):
                yield pattern, {"batch": batch}
        yield "factor", {"factor": factor}


def _explanations_of_an_input(
    found: Array, expected: Array, dout: Array, x: Array
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Mistakes that the input reveals: a missing derivative, one of the wrong array, a missing normalization term."""
    if x.shape == found.shape == dout.shape:
        for derivative in (x * (1 - x), 1 - x**2):  # of sigmoid and tanh, in terms of their output
            if _near(found, dout * derivative):
                yield "input", {}
    is_product = x.ndim == dout.ndim == 2 and len(x) == len(dout) and found.shape == (x.shape[1], dout.shape[1])
    if is_product and _near(found, x.T @ dout):
        yield "activation", {}
    if found.shape == x.shape and found.ndim > 1 and not np.isnan(expected).any():
        missing = expected - found
        for axis in (0, -1):
            mean = missing.mean(axis=axis, keepdims=True)
            centered = x - x.mean(axis=axis, keepdims=True)
            square = (centered**2).sum(axis=axis, keepdims=True)
            slope = (missing * centered).sum(axis=axis, keepdims=True) / np.where(square == 0, 1, square)
            size = np.abs(missing).max()
            if np.abs(missing - mean).max() < _NEAR * size:
                yield "mean term", {}
            if np.abs(missing - slope * centered).max() < _NEAR * size:
                yield "variance term", {}


def _explanations_of_places(one: Array, right: Array) -> Iterator[tuple[str, dict[str, Any]]]:
    """Mistakes that zeros reveal: a missing or inverted mask."""
    flat = right == 0
    if flat.any() and not flat.all() and (one[flat] != 0).any():
        if not one[~flat].any():
            yield "inverted", {}
        if _near(one[~flat], right[~flat]):
            yield "leaks", {"count": int((one[flat] != 0).sum()), "of": int(flat.sum())}
    blocked = (one == 0) & ~flat
    if blocked.any() and _near(one[~blocked], right[~blocked]):
        yield "blocks", {"count": int(blocked.sum()), "of": int((~flat).sum())}
