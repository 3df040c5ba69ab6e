"""What several commands ask for in the same words."""

from chainrule.data import BUNDLED, REMOTE

__all__ = ["DATA"]

DATA = (
    f"A name ({', '.join([*BUNDLED, *REMOTE])}), or a path: .csv, .npz, a folder of IDX files, of .npy files, or of a "
    "folder of pictures for each class."
)
"""The help of --data."""
