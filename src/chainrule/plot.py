"""Pictures of what was learned, for notebooks and files: curves, confusion, filters, gradients, a reading."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from chainrule.arrays import Array
from chainrule.data.images import encode_png
from chainrule.errors import OptionError
from chainrule.files import replacing
from chainrule.layers import Sequential
from chainrule.layers.trace import Trace
from chainrule.plots import draw_confusion, draw_curves, draw_grid, draw_spreads, png_of
from chainrule.training import Epoch, Evaluation
from chainrule.vision import Number, annotate

__all__ = ["Picture", "confusion", "curves", "filters", "gradients", "reading"]

_MOST_FILTERS = 64


@dataclass(frozen=True)
class Picture:
    """A PNG file in memory: a notebook shows it, `save` writes it.

    Attributes:
        png: the bytes of the file.
        figure: matplotlib's figure, to change and draw again; None for a photograph.
    """

    png: bytes
    figure: Any = None

    def _repr_png_(self) -> bytes:
        return self.png

    def __repr__(self) -> str:
        return f"Picture({len(self.png):,} bytes of PNG)"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file, completely or not at all.

        Raises:
            FileError: it cannot be written.
        """
        with replacing(path) as file:
            file.write(self.png)


def curves(history: Sequence[Epoch], title: str = "") -> Picture:
    """Loss and accuracy against epochs.

    Args:
        history: `trainer.history`, with at least one epoch.
        title: above the picture.

    Raises:
        OptionError: no epoch is complete.
        MissingExtraError: matplotlib is not installed.
    """
    if not history:
        raise OptionError("there is no epoch to draw: train first")
    return _drawn(draw_curves([asdict(epoch) for epoch in history], title, "validation"))


def confusion(report: Evaluation, classes: Sequence[str] | None = None, title: str = "") -> Picture:
    """The confusion matrix: row true class, column predicted; color shows the errors.

    Args:
        report: from `evaluate`.
        classes: names in the order of the logits, such as `net.labels`; by default their numbers.
        title: above the picture; by default a summary of the report.

    Raises:
        OptionError: the loss is not one of classification, or the number of `classes` is wrong.
        MissingExtraError: matplotlib is not installed.
    """
    if report.confusion is None:
        raise OptionError("this report has no classes: only networks that classify have a confusion matrix")
    names = [str(number) for number in range(len(report.confusion))] if classes is None else list(classes)
    if len(names) != len(report.confusion):
        raise OptionError(f"the report has {len(report.confusion)} classes, got {len(names)} names")
    return _drawn(draw_confusion(report.confusion, names, title or str(report)))


def filters(network: Sequential, name: str | None = None) -> Picture:
    """What the first layer with weights responds to: each filter or hidden unit as a small picture, dark to light.

    Args:
        network: built.
        name: of a parameter, such as "0.Conv2D.W"; by default the first that can be shown as pictures. Weights of an
            Affine layer (D, H) can if the network reads pictures of D pixels.

    Raises:
        OptionError: no such parameter, or none that can be shown as pictures.
        MissingExtraError: matplotlib is not installed.
    """
    parameters = network.parameters
    if name is not None and name not in parameters:
        raise OptionError(f"no parameter {name!r}: there are {', '.join(parameters)}")
    for key in parameters if name is None else [name]:
        images = _as_images(parameters[key].value, network)
        if images is not None:
            shown = [_stretched(image) for image in images[:_MOST_FILTERS]]
            left_out = "" if len(images) <= _MOST_FILTERS else f", the first {_MOST_FILTERS} of {len(images):,}"
            return _drawn(draw_grid(np.stack(shown), [str(place) for place in range(len(shown))], key + left_out))
    if name is not None:
        raise OptionError(f"{name} cannot be shown as pictures: name a convolution's weights")
    raise OptionError("no parameter of this network can be shown as pictures")


def _as_images(weights: Array, network: Sequential) -> Array | None:
    """Weights as pictures (count, H, W), averaged over channels; None if they are not pictures."""
    shape = network.input_shape or ()
    if weights.ndim == 2 and len(shape) == 3 and weights.shape[0] == np.prod(shape):
        weights = weights.T.reshape(-1, *shape)
    if weights.ndim != 4 or min(weights.shape[2:]) < 2:
        return None
    images: Array = weights.mean(axis=1)
    return images


def _stretched(image: Array) -> Array:
    """Convert to bytes: 0 in the middle, the largest absolute value at either end."""
    most = float(np.abs(image).max(initial=0)) or 1.0
    return np.round(127.5 + 127.5 * np.clip(image / most, -1, 1)).astype(np.uint8)


def gradients(trace: Trace, title: str = "") -> Picture:
    """The size of outputs and gradients from layer to layer: shows where they vanish or explode.

    Args:
        trace: from `net.trace(x, labels)`.
        title: above the picture; by default the loss.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    sizes: Mapping[str, list[float]] = {
        "outputs": [_size(row.y) for row in trace.rows],
        "gradients of the outputs": [np.nan if row.dy is None else _size(row.dy) for row in trace.rows],
        "gradients of the parameters": [
            _size(np.concatenate([gradient.ravel() for gradient in row.gradients.values()]))
            if row.gradients
            else np.nan
            for row in trace.rows
        ],
    }
    return _drawn(draw_spreads([row.name for row in trace.rows], sizes, title or f"loss {trace.loss:.4f}"))


def _size(values: Array) -> float:
    """The root mean square; NaN if it is not positive, which a logarithmic axis cannot show."""
    with np.errstate(all="ignore"):
        size = float(np.sqrt(np.mean(np.square(values, dtype=np.float64)))) if values.size else 0.0
    return size if 0 < size < np.inf else np.nan


def reading(picture: Array, numbers: Sequence[Number]) -> Picture:
    """A page with a frame around each number and its reading above.

    Args:
        picture: the upright page (H, W, 3) uint8, as returned by `data.read_colour`.
        numbers: from `read_numbers`.

    Raises:
        MissingExtraError: Pillow is not installed.
    """
    return Picture(encode_png(annotate(picture, list(numbers))))


def _drawn(figure: Any) -> Picture:
    return Picture(png_of(figure), figure)
