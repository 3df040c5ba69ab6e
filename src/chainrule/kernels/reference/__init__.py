"""The hot operations in plain NumPy, a file a kind: obviously right, and the specification of any faster twin.

N batch, D inputs, H outputs of an Affine or height of an image, W width, C channels or classes, F filters, M rows,
P parameters. Arguments are never written to, except where a name says `update`.
"""
