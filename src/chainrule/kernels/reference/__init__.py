"""The hot operations in plain NumPy, one file per kind: obviously right, and the specification of any faster twin.

N batch, D inputs, H outputs of an Affine or height of an image, W width, C channels or classes, F filters, M rows,
P parameters. Arguments are never written to, except where a name says `update`.

Each name in a file's `__all__` is a kernel; `chainrule.kernels` exports it under the same name.
"""

from chainrule.kernels.reference.affine import *  # noqa: F403
from chainrule.kernels.reference.attention import *  # noqa: F403
from chainrule.kernels.reference.batches import *  # noqa: F403
from chainrule.kernels.reference.chain import *  # noqa: F403
from chainrule.kernels.reference.conv import *  # noqa: F403
from chainrule.kernels.reference.conv_relu_pool import *  # noqa: F403
from chainrule.kernels.reference.ctc import *  # noqa: F403
from chainrule.kernels.reference.descent import *  # noqa: F403
from chainrule.kernels.reference.elementwise import *  # noqa: F403
from chainrule.kernels.reference.images import *  # noqa: F403
from chainrule.kernels.reference.losses import *  # noqa: F403
from chainrule.kernels.reference.norm import *  # noqa: F403
from chainrule.kernels.reference.pool import *  # noqa: F403
from chainrule.kernels.reference.recurrent import *  # noqa: F403
from chainrule.kernels.reference.updates import *  # noqa: F403
