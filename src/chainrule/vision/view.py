"""Maps places on the page as it is read to places in the photograph."""

from dataclasses import dataclass

import numpy as np

from chainrule.vision.pieces import Box

__all__ = ["View"]


@dataclass(frozen=True)
class View:
    """How a page is transformed for reading: scaled, then rotated."""

    scale: float
    degrees: float
    before: tuple[int, ...]
    after: tuple[int, ...]
    left: int = 0
    top: int = 0
    """The top-left corner of the sheet in the photograph."""

    def original(self, box: Box) -> Box:
        """The box in the photograph."""
        left, top, right, bottom = box
        corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], float)
        angle = np.deg2rad(self.degrees)
        turned = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        middle_before, middle_after = (np.array(shape[::-1]) / 2 for shape in (self.before, self.after))
        there = ((corners - middle_after) @ turned + middle_before) / self.scale + [self.left, self.top]
        low = np.maximum(np.floor(there.min(axis=0)), 0).astype(int)
        high = np.ceil(there.max(axis=0)).astype(int)
        return int(low[0]), int(low[1]), int(high[0]), int(high[1])

    def placed(self, box: Box) -> Box:
        """A box of the photograph, in the picture that was read."""
        left, top, right, bottom = (
            round((edge - begin) * self.scale) for edge, begin in zip(box, (self.left, self.top) * 2, strict=True)
        )
        return left, top, right, bottom
