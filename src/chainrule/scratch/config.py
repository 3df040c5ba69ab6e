"""`common.config`: whether the second book's code runs on a GPU. chainrule's course modules run on the CPU."""

__all__ = ["GPU"]

GPU = False
