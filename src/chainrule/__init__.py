"""Neural networks from layers you can read, gradients you can check, models you can ship.

>>> import chainrule as cr
>>> train, test = cr.data.mnist()
>>> net = cr.models.two_layer().build((1, 28, 28), seed=0)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from chainrule import errors, functions, initializers, kernels, layers, losses, metrics, optimizers, schedules
from chainrule.config import Configured
from chainrule.gradcheck import gradcheck
from chainrule.initializers import He, Normal, Xavier, Zeros
from chainrule.layers import (
    ELU,
    GELU,
    GRU,
    LSTM,
    RNN,
    SELU,
    Affine,
    Attention,
    AvgPool1D,
    AvgPool2D,
    BatchNorm,
    Clip,
    Conv1D,
    Conv2D,
    ConvTranspose2D,
    Dropout,
    Embedding,
    Expand,
    Flatten,
    GlobalAvgPool1D,
    GlobalAvgPool2D,
    GroupNorm,
    HardSigmoid,
    HardSwish,
    InstanceNorm,
    Layer,
    LayerNorm,
    LeakyReLU,
    LogSoftmax,
    MaxPool1D,
    MaxPool2D,
    Mish,
    Pad,
    Pad1D,
    Padded,
    Parallel,
    PointwiseAffine,
    Positions,
    PReLU,
    ReLU,
    Reshape,
    Residual,
    RMSNorm,
    Scale,
    ScaleShift,
    Sequential,
    Sigmoid,
    SiLU,
    Slice,
    Softmax,
    Softplus,
    Standardize,
    Tanh,
    TransformerBlock,
    Transpose,
    Unembedding,
    Upsample,
)
from chainrule.losses import Huber, Loss, MeanSquaredError, NegativeSampling, SigmoidCrossEntropy, SoftmaxCrossEntropy
from chainrule.metrics import accuracy, confusion
from chainrule.numerical import numerical_gradient
from chainrule.optimizers import SGD, AdaGrad, Adam, AdamW, Muon, Optimizer, RMSProp, WeightAverage, clip_gradients
from chainrule.parameters import Buffer, Parameter
from chainrule.schedules import Constant, Cosine, OneCycle, Schedule, StepDecay, Warmup
from chainrule.sequence_losses import CTC, SequenceCrossEntropy
from chainrule.version import __version__

if TYPE_CHECKING:
    from chainrule import data, io, models, plot, training, vision
    from chainrule.data import Dataset
    from chainrule.io import load, pretrained, save  # type: ignore[no-redef]
    from chainrule.models import TwoLayerNet
    from chainrule.sweeps import sweep
    from chainrule.training import (  # type: ignore[no-redef]
        Ensemble,
        Trainer,
        calibrate,
        evaluate,
        find_learning_rate,
    )
    from chainrule.vision import read_numbers
    from chainrule.writing import write_text

__all__ = [
    "CTC",
    "ELU",
    "GELU",
    "GRU",
    "LSTM",
    "RNN",
    "SELU",
    "SGD",
    "AdaGrad",
    "Adam",
    "AdamW",
    "Affine",
    "Attention",
    "AvgPool1D",
    "AvgPool2D",
    "BatchNorm",
    "Buffer",
    "Clip",
    "Configured",
    "Constant",
    "Conv1D",
    "Conv2D",
    "ConvTranspose2D",
    "Cosine",
    "Dataset",
    "Dropout",
    "Embedding",
    "Ensemble",
    "Expand",
    "Flatten",
    "GlobalAvgPool1D",
    "GlobalAvgPool2D",
    "GroupNorm",
    "HardSigmoid",
    "HardSwish",
    "He",
    "Huber",
    "InstanceNorm",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "LogSoftmax",
    "Loss",
    "MaxPool1D",
    "MaxPool2D",
    "MeanSquaredError",
    "Mish",
    "Muon",
    "NegativeSampling",
    "Normal",
    "OneCycle",
    "Optimizer",
    "PReLU",
    "Pad",
    "Pad1D",
    "Padded",
    "Parallel",
    "Parameter",
    "PointwiseAffine",
    "Positions",
    "RMSNorm",
    "RMSProp",
    "ReLU",
    "Reshape",
    "Residual",
    "Scale",
    "ScaleShift",
    "Schedule",
    "SequenceCrossEntropy",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SigmoidCrossEntropy",
    "Slice",
    "Softmax",
    "SoftmaxCrossEntropy",
    "Softplus",
    "Standardize",
    "StepDecay",
    "Tanh",
    "Trainer",
    "TransformerBlock",
    "Transpose",
    "TwoLayerNet",
    "Unembedding",
    "Upsample",
    "Warmup",
    "WeightAverage",
    "Xavier",
    "Zeros",
    "__version__",
    "accuracy",
    "calibrate",
    "clip_gradients",
    "confusion",
    "data",
    "errors",
    "evaluate",
    "find_learning_rate",
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
    "plot",
    "pretrained",
    "read_numbers",
    "save",
    "schedules",
    "sweep",
    "training",
    "vision",
    "write_text",
]

# What reads and writes files (and loads much of the standard library for it) is imported when it is first asked for.
_LATER = {
    "data": "chainrule.data",
    "Dataset": "chainrule.data",
    "io": "chainrule.io",
    "load": "chainrule.io",
    "pretrained": "chainrule.io",
    "save": "chainrule.io",
    "models": "chainrule.models",
    "plot": "chainrule.plot",
    "TwoLayerNet": "chainrule.models",
    "sweep": "chainrule.sweeps",
    "training": "chainrule.training",
    "Ensemble": "chainrule.training",
    "Trainer": "chainrule.training",
    "calibrate": "chainrule.training",
    "evaluate": "chainrule.training",
    "find_learning_rate": "chainrule.training",
    "vision": "chainrule.vision",
    "read_numbers": "chainrule.vision",
    "write_text": "chainrule.writing",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'chainrule' has no attribute {name!r}")
    module = import_module(_LATER[name])
    globals()[name] = module if module.__name__ == f"chainrule.{name}" else getattr(module, name)
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
