"""Photographs of handwritten numbers, read."""

from chainrule.vision.compare import Comparison, compare
from chainrule.vision.read import Digit, Number, annotate, read_numbers, readers

__all__ = ["Comparison", "Digit", "Number", "annotate", "compare", "read_numbers", "readers"]
