"""The bricks: layers with a hand-written forward and backward pass, and the networks made of them."""

from chainrule.layers.activations import ReLU, Sigmoid, Tanh
from chainrule.layers.affine import Affine
from chainrule.layers.base import Layer
from chainrule.layers.compose import Sequential
from chainrule.layers.preprocess import Scale, Standardize
from chainrule.layers.shape import Flatten

__all__ = ["Affine", "Flatten", "Layer", "ReLU", "Scale", "Sequential", "Sigmoid", "Standardize", "Tanh"]
