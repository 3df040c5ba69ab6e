"""Augmentation: random changes to each picture each time it is seen, so a network learns which changes do not matter.

A picture is rotated, scaled, sheared and shifted by a random affine map, bent by a smooth random field, its strokes
made thicker or thinner, then blurred; its contrast is changed, noise is added, and a square is cut out (DeVries and
Taylor 2017, arXiv:1708.04552). The elastic field follows Simard, Steinkraus and Platt 2003, but uses random shifts at
control points with a cubic B-spline between them instead of a Gaussian over shifts at every pixel, which needs far
fewer random numbers.
"""

import os
import queue
import threading
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

from chainrule import kernels
from chainrule.arrays import Array, Shape
from chainrule.config import Configured
from chainrule.data.dataset import Dataset
from chainrule.data.shards import Shards
from chainrule.data.strangers import add_strangers
from chainrule.data.styles import add_strokes
from chainrule.errors import DataError, OptionError
from chainrule.functions import distributions

__all__ = ["USUAL", "Augment", "Augmented", "mixup"]


class Augment(Configured):
    """Changes a batch of pictures (N, C, H, W) uint8, bright on black; the random numbers are drawn per picture.

    Args:
        rotation: maximum rotation to either side, in degrees.
        scale: maximum fraction by which height and width grow or shrink, independently.
        shear: maximum shear to either side, in pixels across per pixel down.
        shift: maximum shift in each direction, in pixels.
        elastic: standard deviation of the control points' movement, in pixels.
        spacing: pixels between control points of the elastic field.
        thickness: maximum fraction of a 3 x 3 neighborhood by which strokes grow or thin; 0 to 1.
        blur: maximum weight of the 3 x 3 mean; 0 to 1.
        contrast: maximum fraction by which brightness is scaled up or down; 0 up to 1.
        noise: standard deviation of the noise, on the scale of 0 to 255.
        cutout: side in pixels of a square that is set to black; 0 for none.

    Example:
        >>> augment = Augment(rotation=10, shift=2, elastic=1.5)
        >>> augment(np.zeros((3, 1, 28, 28), np.uint8), np.random.default_rng(0)).shape
        (3, 1, 28, 28)
    """

    def __init__(
        self,
        rotation: float = 0.0,
        scale: float = 0.0,
        shear: float = 0.0,
        shift: float = 0.0,
        elastic: float = 0.0,
        spacing: float = 5.0,
        thickness: float = 0.0,
        blur: float = 0.0,
        contrast: float = 0.0,
        noise: float = 0.0,
        cutout: int = 0,
    ) -> None:
        amounts = {"rotation": rotation, "shear": shear, "shift": shift, "elastic": elastic, "noise": noise}
        for name, value in amounts.items():
            if not (np.isfinite(value) and value >= 0):
                raise OptionError(f"{name} must be 0 or more, got {value}")
        for name, value in (("scale", scale), ("contrast", contrast)):
            if not 0 <= value < 1:
                raise OptionError(f"{name} must be from 0 up to (not including) 1, got {value}")
        for name, value in (("thickness", thickness), ("blur", blur)):
            if not 0 <= value <= 1:
                raise OptionError(f"{name} must be from 0 to 1, got {value}")
        if not spacing >= 1 or cutout < 0:
            raise OptionError(f"spacing must be 1 or more and cutout 0 or more, got {spacing} and {cutout}")
        self.rotation = rotation
        self.scale = scale
        self.shear = shear
        self.shift = shift
        self.elastic = elastic
        self.spacing = spacing
        self.thickness = thickness
        self.blur = blur
        self.contrast = contrast
        self.noise = noise
        self.cutout = cutout

    def __call__(self, x: Array, rng: np.random.Generator) -> Array:
        """The changed pictures, uint8 of the same shape; the same `rng` gives the same result on any number of threads.

        Raises:
            DataError: x is not (N, C, H, W) of uint8.
        """
        if x.ndim != 4 or x.dtype != np.uint8:
            raise DataError(f"pictures to augment are (N, C, H, W) of uint8, got {x.shape} of {x.dtype}")
        count, _, height, width = x.shape
        controls = max(4, round(max(height, width) / self.spacing) + 3)
        field = rng.standard_normal((count, 2, controls, controls), np.float32) * np.float32(self.elastic)
        thickness, blur = (self._between(rng, count, most) for most in (self.thickness, self.blur))
        y = kernels.distort_images(
            x,
            self._maps(rng, count),
            field,
            _spline_weights(height, controls),
            _spline_weights(width, controls),
            thickness,
            np.abs(blur),
        )
        if self.contrast:
            gain = 1 + self._between(rng, count, self.contrast)[:, np.newaxis, np.newaxis, np.newaxis]
            y = np.minimum(y * gain, 255).astype(np.uint8)
        if self.noise:
            noisy = y + rng.standard_normal(y.shape, np.float32) * np.float32(255 * self.noise)
            y = np.clip(np.round(noisy), 0, 255).astype(np.uint8)
        if self.cutout:
            _cut_out(y, self.cutout, rng)
        return y

    def _maps(self, rng: np.random.Generator, count: int) -> Array:
        """(N, 2, 3): where each output pixel is read, relative to the center of the picture."""
        angle = np.deg2rad(self._between(rng, count, self.rotation))
        down, across = (np.exp(self._between(rng, count, np.log1p(self.scale))) for _ in range(2))
        slant, rise, move = (self._between(rng, count, most) for most in (self.shear, self.shift, self.shift))
        cos, sin = np.cos(angle), np.sin(angle)
        maps = np.empty((count, 2, 3), np.float32)
        maps[:, 0, 0], maps[:, 0, 1], maps[:, 0, 2] = cos * down, -sin * down, rise
        maps[:, 1, 0], maps[:, 1, 1], maps[:, 1, 2] = (sin + slant * cos) * across, (cos - slant * sin) * across, move
        return maps

    @staticmethod
    def _between(rng: np.random.Generator, count: int, most: float) -> Array:
        """Uniform from -most to most; drawn even if that is 0, so that no option changes the draws of another."""
        drawn: Array = (2 * rng.random(count, np.float32) - 1) * np.float32(most)
        return drawn


USUAL = Augment(rotation=10, scale=0.1, shear=0.15, shift=2, elastic=1.0, thickness=0.3, contrast=0.1)
"""Settings under which handwritten digits stay readable; see `chainrule data show --augment`."""


class Augmented:
    """Data whose pictures are augmented on the fly, on all cores or in the background during the previous step.

    The draws depend on the generator passed to `batches` (the trainer's) and on the batch's position, so that resumed
    training continues with the same pictures. Without a generator, as in evaluation, pictures are unchanged.

    Args:
        data: a Dataset or Shards of pictures.
        augment: how to change them.
        mixup: how strongly pairs of samples and their labels are then mixed (`mixup`); 0 for not at all.
        styles: fraction of the classes "1" and "7" that get a flag, a foot, a bar (`styles.add_strokes`), done first.
        strangers: fraction of the pictures replaced by pictures without a digit, labeled as an equal part of every
            class (`strangers.add_strangers`), before augmentation.
        ahead: the most batches prepared in advance; 0 prepares each on demand, on all cores. By default 2, or 0 on at
            most two cores: there a step, which needs both, would wait for the background.
    """

    def __init__(
        self,
        data: Dataset | Shards,
        augment: Augment | None = None,
        mixup: float = 0.0,
        styles: float = 0.0,
        strangers: float = 0.0,
        ahead: int | None = None,
    ) -> None:
        if not mixup >= 0:
            raise OptionError(f"mixup must be 0 (none) or more, got {mixup}: 0.2 is usual")
        for name, share in (("styles", styles), ("strangers", strangers)):
            if not 0 <= share <= 1:
                raise OptionError(f"{name} must be a fraction from 0 to 1, got {share}")
        self.data = data
        self.augment = augment
        self.mixup = mixup
        self.styles = styles
        self.strangers = strangers
        self.ahead = (2 if (os.cpu_count() or 1) > 2 else 0) if ahead is None else ahead

    def __len__(self) -> int:
        return len(self.data)

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names."""
        return self.data.classes

    @property
    def sample_shape(self) -> Shape:
        """The shape of one sample."""
        return self.data.sample_shape

    def head(self, count: int) -> tuple[Array, Array | None]:
        """The first samples, unchanged, and their labels."""
        return self.data.head(count)

    def batches(
        self, batch_size: int, rng: np.random.Generator | None = None, *, start: int = 0
    ) -> Iterator[tuple[Array, Array | None]]:
        """See `Dataset.batches`."""
        if rng is None:
            yield from self.data.batches(batch_size, start=start)
            return
        epoch = int(rng.integers(2**62))
        source = self.data.batches(batch_size, rng, start=start)
        if self.ahead < 1:
            for index, (x, y) in enumerate(source, start):
                yield self._changed(x, y, np.random.default_rng([epoch, index]))
            return
        ready: queue.Queue[Any] = queue.Queue(self.ahead)
        stop = threading.Event()

        def work() -> None:
            kernels.work_alone()
            try:
                for index, (x, y) in enumerate(source, start):
                    item = self._changed(x, y, np.random.default_rng([epoch, index]))
                    if not _put(ready, item, stop):
                        return
                _put(ready, None, stop)
            except BaseException as error:
                _put(ready, error, stop)

        worker = threading.Thread(target=work, name="augment", daemon=True)
        worker.start()
        try:
            while (item := ready.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            stop.set()
            worker.join()

    def _changed(self, x: Array, y: Array | None, rng: np.random.Generator) -> tuple[Array, Array | None]:
        if y is not None and (self.styles or self.strangers):
            names = [self.classes[label] for label in y]
            x = add_strokes(x, names, self.styles, rng)
            if self.strangers:
                y = distributions(y, len(x), len(self.classes))
                add_strangers(x, y, names, self.strangers, rng)
        if self.augment:
            x = self.augment(x, rng)
        if self.mixup and y is not None:
            return mixup(x, distributions(y, len(x), len(self.classes)), rng, self.mixup)
        return x, y


def mixup(x: Array, shares: Array, rng: np.random.Generator, strength: float = 0.2) -> tuple[Array, Array]:
    """Mix each picture and its label with another's, weighted by a draw from Beta(strength, strength).

    x (N, ...) and label rows `shares` (N, C) that sum to 1 -> the same shapes, x as float32. (Zhang et al. 2017,
    arXiv:1710.09412.)
    """
    if not strength > 0:
        raise OptionError(f"strength must be above 0, got {strength}: 0.2 is usual")
    own = rng.beta(strength, strength, len(x)).astype(np.float32)
    other = rng.permutation(len(x))
    along = own.reshape(-1, *[1] * (x.ndim - 1))
    mixed = along * x + (1 - along) * x[other]
    return mixed, own[:, np.newaxis] * shares + (1 - own[:, np.newaxis]) * shares[other]


def _put(ready: "queue.Queue[Any]", item: object, stop: threading.Event) -> bool:
    """Put it into the queue as soon as there is room; False if nobody is waiting any more."""
    while not stop.is_set():
        try:
            ready.put(item, timeout=0.1)
        except queue.Full:
            continue
        return True
    return False


def _cut_out(y: Array, side: int, rng: np.random.Generator) -> None:
    height, width = y.shape[2:]
    tops, lefts = rng.integers(0, height, len(y)), rng.integers(0, width, len(y))
    for picture, top, left in zip(y, tops - side // 2, lefts - side // 2, strict=True):
        picture[:, max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)] = 0


@cache
def _spline_weights(length: int, controls: int) -> Array:
    """(length, controls) float32: the weight of each control point at each pixel, from the uniform cubic B-spline."""
    weights = np.zeros((length, controls), np.float32)
    for place, at in enumerate(np.linspace(0, controls - 3, length, endpoint=False)):
        first, t = int(at), at - int(at)
        powers = np.array([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3])
        weights[place, first : first + 4] = powers / 6
    weights.flags.writeable = False
    return weights
