"""How fast this is next to others, on this machine: the same work by turns, ratios first.

Peers are measured where they are installed: PyTorch, JAX, scikit-learn, ONNX Runtime.
"""

from chainrule.bench.report import lines, versions
from chainrule.bench.rounds import Result
from chainrule.bench.sections import SECTIONS

__all__ = ["SECTIONS", "Result", "lines", "versions"]
