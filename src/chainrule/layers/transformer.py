"""TransformerBlock: attention, then two Affines with an activation between them; each after a norm, in a residual.

    h = x + attention(norm(x)),   y = h + affine(GELU(affine(norm(h))))

It is composed of these layers, and so is its backward pass.
(Vaswani et al. 2017, arXiv:1706.03762; the norm first: Xiong et al. 2020, arXiv:2002.04745.)
"""

from __future__ import annotations

from typing import Any

from chainrule.errors import OptionError
from chainrule.initializers import Initializer, Normal
from chainrule.layers.activations import GELU
from chainrule.layers.attention import Attention
from chainrule.layers.branches import Residual
from chainrule.layers.compose import Sequential
from chainrule.layers.norm import LayerNorm
from chainrule.layers.pointwise import PointwiseAffine

__all__ = ["TransformerBlock"]


class TransformerBlock(Sequential):
    """x (N, T, D) -> y (N, T, D): two Residuals, one of Attention, one of PointwiseAffine, GELU, PointwiseAffine.

    For another norm or activation, write the two Residuals yourself.

    Args:
        size: D.
        heads: number of attention heads.
        causal: whether a step sees only itself and the steps before it.
        rotary: whether attention rotates queries and keys by their positions.
        expansion: the width between the two Affines, as a multiple of D.
        initializer: draws the weights.

    Example:
        >>> blocks = [TransformerBlock(32, heads=4, causal=True) for _ in range(2)]
        >>> net = Sequential(Embedding(80, 32), Positions(), *blocks, LayerNorm(), PointwiseAffine(80)).build((20,))
    """

    def __init__(
        self,
        size: int,
        heads: int,
        causal: bool = False,
        rotary: bool = False,
        expansion: int = 4,
        initializer: Initializer = Normal(0.02),  # noqa: B008 (an initializer has no state)
    ) -> None:
        if size < 1 or expansion < 1:
            raise OptionError(f"TransformerBlock needs a size and expansion of 1 or more, got {size} and {expansion}")
        super().__init__(
            Residual(LayerNorm(), Attention(heads, causal, rotary, initializer)),
            Residual(
                LayerNorm(), PointwiseAffine(expansion * size, initializer), GELU(), PointwiseAffine(size, initializer)
            ),
        )
        self.size = size
        self.heads = heads
        self.causal = causal
        self.rotary = rotary
        self.expansion = expansion
        self.initializer = initializer

    def onnx(self, graph: Any, x: str) -> str:
        for layer in self.layers:
            x = graph.layer(layer, x)
        return x
