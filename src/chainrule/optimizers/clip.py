"""Gradient clipping: limits how far one bad batch can throw the parameters."""

import math

import numpy as np

from chainrule.arrays import quiet
from chainrule.errors import OptionError
from chainrule.optimizers.base import Trainable

__all__ = ["clip_gradients"]


@quiet
def clip_gradients(network: Trainable, maximum: float) -> float:
    """Scale all gradients down together so that their norm is at most `maximum`; return the norm before that.

    (Pascanu, Mikolov and Bengio 2012, arXiv:1211.5063.) Call it between `backward` and `optimizer.step`. If the norm is
    not finite, the gradients are left unchanged.

    Raises:
        OptionError: `maximum` is not a number above 0.
    """
    if not (math.isfinite(maximum) and maximum > 0):
        raise OptionError(f"the largest norm must be a number above 0, got {maximum}: 1 is usual")
    gradients = network.gradients
    norm = float(np.linalg.norm(gradients))
    if math.isfinite(norm) and norm > maximum:
        gradients *= maximum / norm
    return norm
