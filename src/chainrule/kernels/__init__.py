"""The hot operations: arrays in, arrays out. Each uses the native kernel if it was compiled, otherwise NumPy.

Every kernel is written in plain NumPy in `reference`, which is the specification of its native twin. docs/kernels.md is
a guide to the C++.
"""

from inspect import isfunction

from chainrule.kernels import reference
from chainrule.kernels.native import FOR_NUMPY, IMPLEMENTATION, NATIVE, WITHOUT_TWIN, accelerated, work_alone
from chainrule.kernels.reference import *  # noqa: F403

REFERENCES = {name: kernel for name, kernel in vars(reference).items() if isfunction(kernel)}
"""The NumPy version of every kernel, by name."""

__all__ = ["FOR_NUMPY", "IMPLEMENTATION", "NATIVE", "REFERENCES", "WITHOUT_TWIN", "work_alone"]
__all__.extend(REFERENCES)

# The import of * shows readers and type checkers the names. From here on they refer to the native twins.
globals().update({name: accelerated(kernel) for name, kernel in REFERENCES.items()})
