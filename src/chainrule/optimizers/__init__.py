"""Optimizers: how gradients change the parameters, in one pass over the flat buffers per step."""

from chainrule.optimizers.adaptive import AdaGrad, Adam, AdamW, RMSProp
from chainrule.optimizers.average import WeightAverage
from chainrule.optimizers.base import Optimizer, Trainable
from chainrule.optimizers.clip import clip_gradients
from chainrule.optimizers.muon import Muon
from chainrule.optimizers.sgd import SGD

__all__ = [
    "SGD",
    "AdaGrad",
    "Adam",
    "AdamW",
    "Muon",
    "Optimizer",
    "RMSProp",
    "Trainable",
    "WeightAverage",
    "clip_gradients",
]
