"""The hot operations: array arguments, array results. Each runs its native twin if that was compiled, otherwise NumPy.

Every kernel is written in plain NumPy below `reference`, which is the specification of its twin. docs/kernels.md leads
through the C++.
"""

from inspect import isfunction

from chainrule.kernels import reference
from chainrule.kernels.native import FOR_NUMPY, IMPLEMENTATION, NATIVE, WITHOUT_TWIN, accelerated, work_alone
from chainrule.kernels.reference import *  # noqa: F403

REFERENCES = {name: kernel for name, kernel in vars(reference).items() if isfunction(kernel)}
"""The NumPy version of every kernel, by name."""

__all__ = ["FOR_NUMPY", "IMPLEMENTATION", "NATIVE", "REFERENCES", "WITHOUT_TWIN", "work_alone"]
__all__.extend(REFERENCES)

# The import of * shows readers and type checkers what there is. From here on the twins answer to these names.
globals().update({name: accelerated(kernel) for name, kernel in REFERENCES.items()})
