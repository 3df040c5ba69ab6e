"""Networks that have a name."""

from chainrule.models.named import NETWORKS, cnn, deep_conv, lenet, mlp, resnet_mini, simple_conv, two_layer
from chainrule.models.two_layer_net import TwoLayerNet

__all__ = ["NETWORKS", "TwoLayerNet", "cnn", "deep_conv", "lenet", "mlp", "resnet_mini", "simple_conv", "two_layer"]
