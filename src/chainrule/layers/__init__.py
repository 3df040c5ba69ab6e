"""The bricks: layers with hand-written forward and backward passes, and the networks made of them."""

from chainrule.layers.activations import GELU, LeakyReLU, LogSoftmax, ReLU, Sigmoid, SiLU, Softmax, Softplus, Tanh
from chainrule.layers.affine import Affine
from chainrule.layers.attention import Attention
from chainrule.layers.base import Layer
from chainrule.layers.branches import Parallel, Residual
from chainrule.layers.compose import Sequential
from chainrule.layers.conv import Conv2D
from chainrule.layers.conv_transpose import ConvTranspose2D
from chainrule.layers.dropout import Dropout
from chainrule.layers.embedding import Embedding
from chainrule.layers.gru import GRU
from chainrule.layers.lstm import LSTM
from chainrule.layers.norm import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, RMSNorm
from chainrule.layers.padded import Padded
from chainrule.layers.pointwise import PointwiseAffine, ScaleShift
from chainrule.layers.pool import AvgPool2D, GlobalAvgPool2D, MaxPool2D
from chainrule.layers.positions import Positions
from chainrule.layers.preprocess import Scale, Standardize
from chainrule.layers.rnn import RNN
from chainrule.layers.shape import Flatten, Pad, Reshape
from chainrule.layers.signals import AvgPool1D, Conv1D, GlobalAvgPool1D, MaxPool1D, Pad1D
from chainrule.layers.slice import Slice
from chainrule.layers.transformer import TransformerBlock
from chainrule.layers.transpose import Expand, Transpose
from chainrule.layers.unembedding import Unembedding
from chainrule.layers.units import ELU, SELU, Clip, HardSigmoid, HardSwish, Mish, PReLU
from chainrule.layers.upsample import Upsample

__all__ = [
    "ELU",
    "GELU",
    "GRU",
    "LSTM",
    "RNN",
    "SELU",
    "Affine",
    "Attention",
    "AvgPool1D",
    "AvgPool2D",
    "BatchNorm",
    "Clip",
    "Conv1D",
    "Conv2D",
    "ConvTranspose2D",
    "Dropout",
    "Embedding",
    "Expand",
    "Flatten",
    "GlobalAvgPool1D",
    "GlobalAvgPool2D",
    "GroupNorm",
    "HardSigmoid",
    "HardSwish",
    "InstanceNorm",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "LogSoftmax",
    "MaxPool1D",
    "MaxPool2D",
    "Mish",
    "PReLU",
    "Pad",
    "Pad1D",
    "Padded",
    "Parallel",
    "PointwiseAffine",
    "Positions",
    "RMSNorm",
    "ReLU",
    "Reshape",
    "Residual",
    "Scale",
    "ScaleShift",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Slice",
    "Softmax",
    "Softplus",
    "Standardize",
    "Tanh",
    "TransformerBlock",
    "Transpose",
    "Unembedding",
    "Upsample",
]
