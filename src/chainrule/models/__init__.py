"""Named networks."""

from chainrule.models.language import LANGUAGE_MODELS, char_gpt, char_lstm
from chainrule.models.named import NETWORKS, cnn, cnn_small, deep_conv, lenet, mlp, resnet_mini, simple_conv, two_layer
from chainrule.models.two_layer_net import TwoLayerNet

__all__ = [
    "LANGUAGE_MODELS",
    "NETWORKS",
    "TwoLayerNet",
    "char_gpt",
    "char_lstm",
    "cnn",
    "cnn_small",
    "deep_conv",
    "lenet",
    "mlp",
    "resnet_mini",
    "simple_conv",
    "two_layer",
]
