"""Neural networks from layers you can read, gradients you can check, models you can ship.

>>> import chainrule as cr
>>> train, test = cr.data.mnist()
>>> net = cr.models.two_layer().build((1, 28, 28), seed=0)
"""

from chainrule import data, errors, functions, initializers, io, kernels, layers, losses, metrics, models, optimizers
from chainrule.config import Configured
from chainrule.data import Dataset
from chainrule.gradcheck import gradcheck
from chainrule.initializers import He, Normal, Xavier, Zeros
from chainrule.io import load, save
from chainrule.layers import Affine, Flatten, Layer, ReLU, Scale, Sequential, Sigmoid, Standardize, Tanh
from chainrule.losses import Loss, MeanSquaredError, SoftmaxCrossEntropy
from chainrule.metrics import accuracy, confusion
from chainrule.models import TwoLayerNet
from chainrule.numerical import numerical_gradient
from chainrule.optimizers import SGD, Optimizer
from chainrule.parameters import Buffer, Parameter
from chainrule.training import Trainer, evaluate
from chainrule.version import __version__

__all__ = [
    "SGD",
    "Affine",
    "Buffer",
    "Configured",
    "Dataset",
    "Flatten",
    "He",
    "Layer",
    "Loss",
    "MeanSquaredError",
    "Normal",
    "Optimizer",
    "Parameter",
    "ReLU",
    "Scale",
    "Sequential",
    "Sigmoid",
    "SoftmaxCrossEntropy",
    "Standardize",
    "Tanh",
    "Trainer",
    "TwoLayerNet",
    "Xavier",
    "Zeros",
    "__version__",
    "accuracy",
    "confusion",
    "data",
    "errors",
    "evaluate",
    "functions",
    "gradcheck",
    "initializers",
    "io",
    "kernels",
    "layers",
    "load",
    "losses",
    "metrics",
    "models",
    "numerical_gradient",
    "optimizers",
    "save",
]
