"""Files: networks and checkpoints, written whole or not at all, without pickle."""

from chainrule.io.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from chainrule.io.weights import load, save

__all__ = ["Checkpoint", "load", "load_checkpoint", "save", "save_checkpoint"]
