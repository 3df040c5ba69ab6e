"""Compare chainrule's speed with its peers on this machine: the same work, taking turns, reported as ratios first.

Peers are measured if they are installed: PyTorch, JAX, scikit-learn, ONNX Runtime.
"""

from chainrule.bench.report import lines, rows, versions
from chainrule.bench.rounds import Result
from chainrule.bench.sections import SECTIONS

__all__ = ["SECTIONS", "Result", "lines", "rows", "versions"]
