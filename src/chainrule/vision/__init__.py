"""Reads the handwritten numbers in photographs."""

from chainrule.vision.compare import Comparison, compare
from chainrule.vision.doubts import SURE
from chainrule.vision.grid import arrange
from chainrule.vision.numbers import Digit, Number
from chainrule.vision.read import annotate, read_numbers
from chainrule.vision.readers import Readers

__all__ = ["SURE", "Comparison", "Digit", "Number", "Readers", "annotate", "arrange", "compare", "read_numbers"]
