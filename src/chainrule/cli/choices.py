"""What several commands ask for in the same words."""

from chainrule.data import BOOKS, BUNDLED, REMOTE

__all__ = ["DATA"]

DATA = (
    f"A name ({', '.join([*BUNDLED, *BOOKS, *REMOTE])}), or a path: .csv, .npz, a folder of IDX files, of .npy "
    "files, or of a folder of pictures for each class; for models of text any text in UTF-8."
)
"""The help of --data."""
