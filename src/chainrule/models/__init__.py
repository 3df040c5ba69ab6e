"""Networks that have a name."""

from chainrule.models.named import NETWORKS, two_layer
from chainrule.models.two_layer_net import TwoLayerNet

__all__ = ["NETWORKS", "TwoLayerNet", "two_layer"]
