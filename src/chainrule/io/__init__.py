"""Files: networks and checkpoints, written atomically and without pickle."""

from chainrule.io.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from chainrule.io.foreign import load_weights
from chainrule.io.pretrained import PRETRAINED, pretrained
from chainrule.io.weights import fill, load, save

__all__ = [
    "PRETRAINED",
    "Checkpoint",
    "fill",
    "load",
    "load_checkpoint",
    "load_weights",
    "pretrained",
    "save",
    "save_checkpoint",
]
