"""`common.config`: whether the second book computes on a GPU. chainrule's modules of the course use the processor."""

__all__ = ["GPU"]

GPU = False
