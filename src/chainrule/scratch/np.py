"""`common.np`: NumPy under the name `np`, and `GPU`, for the star imports of the second book's modules."""

import numpy as np  # noqa: F401

from chainrule.scratch.config import GPU  # noqa: F401
