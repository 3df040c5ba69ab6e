"""One table of all layers: every generic property of a layer is tested over each row.

A new layer needs a line here, and nothing else, to be tested. Axes are of different lengths, so that swapped ones show.
"""

from collections.abc import Callable
from typing import NamedTuple

import chainrule as cr


class Row(NamedTuple):
    """A layer, made anew by `make`, and its per-sample input shape."""

    name: str
    make: Callable[[], cr.Layer]
    shape: tuple[int, ...]


CATALOGUE = [
    Row("Affine", lambda: cr.Affine(4), (3,)),
    Row("Affine-one-input", lambda: cr.Affine(5, cr.Normal(0.5)), (1,)),
    Row("Affine-one-output", lambda: cr.Affine(1, cr.Xavier()), (6,)),
    Row("ReLU", lambda: cr.ReLU(), (3, 5)),
    Row("Sigmoid", lambda: cr.Sigmoid(), (7,)),
    Row("Tanh", lambda: cr.Tanh(), (2, 3, 5)),
    Row("Flatten", lambda: cr.Flatten(), (2, 3, 5)),
    Row("Flatten-flat", lambda: cr.Flatten(), (6,)),
    Row("Scale", lambda: cr.Scale(1 / 255), (1, 4, 3)),
    Row("Standardize", lambda: cr.Standardize(0.5, 2.0), (3, 2)),
    Row("Standardize-features", lambda: cr.Standardize((0.5, -1.0, 2.0), (1.0, 2.0, 0.5)), (3,)),
    Row("Standardize-channels", lambda: cr.Standardize((0.5, -1.0, 2.0), (1.0, 2.0, 0.5)), (3, 4, 5)),
    Row("Sequential", lambda: cr.Sequential(cr.Affine(5), cr.Tanh(), cr.Affine(2)), (3,)),
    Row(
        "Sequential-nested",
        lambda: cr.Sequential(cr.Flatten(), cr.Sequential(cr.Affine(4), cr.Sigmoid()), cr.Affine(3)),
        (2, 1, 3),
    ),
]


def shared_layer() -> cr.Sequential:
    """A network in which one layer, and its parameters, stand in two places."""
    twice = cr.Affine(4)
    return cr.Sequential(twice, cr.Tanh(), twice, cr.Affine(2))


CATALOGUE.append(Row("Sequential-shared", shared_layer, (4,)))
