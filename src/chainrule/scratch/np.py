"""`common.np`: NumPy under the name that the second book's modules take by star import, and `GPU` beside it."""

import numpy as np  # noqa: F401

from chainrule.scratch.config import GPU  # noqa: F401
