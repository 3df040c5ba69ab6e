"""Photographs of handwritten numbers, read."""

from chainrule.vision.read import Digit, Number, read_numbers

__all__ = ["Digit", "Number", "read_numbers"]
