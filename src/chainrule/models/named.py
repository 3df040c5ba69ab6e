"""Networks by name: each is a function that returns an unbuilt Sequential ending in logits."""

from collections.abc import Callable

from chainrule.layers import Affine, Flatten, ReLU, Scale, Sequential

__all__ = ["NETWORKS", "two_layer"]


def two_layer(classes: int = 10, hidden: int = 50) -> Sequential:
    """The lesson's network: Affine, ReLU, Affine, on pixels scaled to 0..1."""
    return Sequential(Flatten(), Scale(1 / 255), Affine(hidden), ReLU(), Affine(classes))


NETWORKS: dict[str, Callable[..., Sequential]] = {"two-layer": two_layer}
"""Every named network; its function takes the number of classes."""
