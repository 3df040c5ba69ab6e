"""Pictures of a training run: curves, the confusion matrix, the loss against the learning rate."""

import io
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.arrays import Array
from chainrule.errors import MissingExtraError
from chainrule.files import replacing
from chainrule.interrupt import uninterrupted

__all__ = [
    "draw_confusion",
    "draw_curves",
    "draw_grid",
    "draw_spreads",
    "plot_confusion",
    "plot_curves",
    "plot_learning_rates",
    "plot_misread",
    "plot_ratios",
    "plot_residuals",
    "plot_sheet",
    "plot_trials",
    "png_of",
]

_TRAIN, _TEST = "#0072b2", "#d55e00"  # distinguishable by color-blind readers (Okabe and Ito 2008)


def plot_curves(
    history: Sequence[Mapping[str, Any]],
    path: str | os.PathLike[str],
    title: str = "",
    watched: str = "test",
    measure: str | None = None,
) -> None:
    """`draw_curves` as a PNG file."""
    _write(draw_curves(history, title, watched, measure), path)


def draw_curves(
    history: Sequence[Mapping[str, Any]], title: str = "", watched: str = "test", measure: str | None = None
) -> Any:
    """Loss and accuracy against epochs; `history` has one mapping per epoch, with the columns of history.csv.

    `watched` names the data that epochs were measured on, `measure` the loss.
    """
    classes = any(row["train_accuracy"] is not None for row in history)
    names = ("loss", "accuracy") if classes else ("loss",)
    figure = _figure(9 if classes else 5.5, 3.8)
    panels = figure.subplots(1, len(names), squeeze=False)[0]
    epochs = [row["number"] for row in history]
    for panel, name, factor in zip(panels, names, (1, 100), strict=False):
        for part, label, colour in (("train", "training", _TRAIN), ("validation", watched, _TEST)):
            points = [row[f"{part}_{name}"] for row in history]
            if any(point is not None for point in points):
                values = [np.nan if point is None else factor * point for point in points]
                panel.plot(epochs, values, color=colour, marker="o", markersize=3.5, label=label)
        panel.set_xlabel("epoch")
        panel.grid(color="#e0e0e0")
        panel.set_axisbelow(True)
        panel.spines[["top", "right"]].set_visible(False)
        panel.xaxis.get_major_locator().set_params(integer=True)
        panel.legend(frameon=False)
    measure = measure or ("mean cross-entropy" if classes else "mean squared error, 1: the mean")
    panels[0].set_ylabel(f"loss ({measure})")
    if classes:
        panels[1].set_ylabel("accuracy (%)")
    figure.suptitle(title)
    return figure


def plot_confusion(counts: Array, classes: Sequence[str], path: str | os.PathLike[str], title: str = "") -> None:
    """`draw_confusion` as a PNG file."""
    _write(draw_confusion(counts, classes, title), path)


def draw_confusion(counts: Array, classes: Sequence[str], title: str = "") -> Any:
    """counts (C, C), row true class, column predicted, with every count.

    Color shows the errors: the scale ends at the most frequent confusion, and ignores the diagonal.
    """
    figure = _figure(1.8 + 0.55 * len(classes), 1.4 + 0.5 * len(classes))
    panel = figure.subplots()
    errors = np.where(np.eye(len(counts), dtype=bool), np.nan, counts.astype(float))
    highest = max(float(np.nanmax(errors, initial=0)), 1.0)
    image = panel.imshow(errors, cmap="Oranges", vmin=0, vmax=highest)
    for (row, column), count in np.ndenumerate(counts):
        if row == column:
            panel.add_patch(_rectangle(column - 0.5, row - 0.5))
        if count:
            strong = row != column and count > 0.6 * highest
            panel.text(
                column,
                row,
                f"{count}",
                ha="center",
                va="center",
                fontsize=9,
                color="white" if strong else "black",
                fontweight="bold" if row == column else "normal",
            )
    panel.set_xticks(range(len(classes)), classes)
    panel.set_yticks(range(len(classes)), classes)
    panel.set_xlabel("read as")
    panel.set_ylabel("true class")
    panel.set_title(title, fontsize=11)
    panel.tick_params(length=0)
    figure.colorbar(image, ax=panel, shrink=0.8, label="misread (diagonal: right)")
    return figure


def plot_residuals(
    predictions: Array, targets: Array, name: str, path: str | os.PathLike[str], title: str = ""
) -> None:
    """Predicted numbers (N,) against true ones (N,), and residuals against predictions, as PNG."""
    figure = _figure(9, 4)
    left, right = figure.subplots(1, 2)
    low, high = float(min(predictions.min(), targets.min())), float(max(predictions.max(), targets.max()))
    left.plot([low, high], [low, high], color="#404040", linewidth=0.8, label="predicted = true")
    left.scatter(targets, predictions, s=9, color=_TRAIN, alpha=0.6, linewidths=0)
    left.set_xlabel(f"{name}, true")
    left.set_ylabel(f"{name}, predicted")
    left.legend(frameon=False)
    right.axhline(0, color="#404040", linewidth=0.8)
    right.scatter(predictions, targets - predictions, s=9, color=_TEST, alpha=0.6, linewidths=0)
    right.set_xlabel(f"{name}, predicted")
    right.set_ylabel("true - predicted")
    for panel in (left, right):
        panel.locator_params(axis="x", nbins=5)
        panel.grid(color="#e0e0e0")
        panel.set_axisbelow(True)
        panel.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title)
    _write(figure, path)


def plot_learning_rates(
    rates: Sequence[float],
    losses: Sequence[float],
    smoothed: Sequence[float],
    proposal: float,
    path: str | os.PathLike[str],
    title: str = "",
) -> None:
    """The loss of each step against its learning rate (logarithmic), raw and smoothed, with the suggestion, as PNG."""
    figure = _figure(7, 4.2)
    panel = figure.subplots()
    panel.plot(rates, losses, color="#b8c4ce", linewidth=0.8, label="loss of a step")
    panel.plot(rates, smoothed, color=_TRAIN, label="smoothed")
    panel.axvline(proposal, color=_TEST, linestyle="--", label=f"proposed: {proposal:g}")
    panel.set_xscale("log")
    low, high = min(smoothed), max(smoothed[: max(len(smoothed) // 2, 1)])
    panel.set_ylim(low - 0.1 * (high - low), high + 0.6 * (high - low))
    panel.set_xlabel("learning rate")
    panel.set_ylabel("loss")
    panel.grid(color="#e0e0e0")
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(frameon=False)
    panel.set_title(title, fontsize=11)
    _write(figure, path)


def plot_sheet(
    images: Array, names: Sequence[str], path: str | os.PathLike[str], title: str = "", columns: Sequence[str] = ()
) -> None:
    """A contact sheet of pictures (rows, columns, C, H, W) uint8 with names for rows and columns, as PNG."""
    rows, count, channels, height, width = images.shape
    gap = 2
    sheet = np.full((rows * (height + gap) - gap, count * (width + gap) - gap, channels), 96, np.uint8)
    for row, column in np.ndindex(rows, count):
        top, left = row * (height + gap), column * (width + gap)
        sheet[top : top + height, left : left + width] = np.moveaxis(images[row, column], 0, -1)
    figure = _figure(1 + 0.55 * count, 0.7 + 0.55 * rows)
    panel = figure.subplots()
    panel.imshow(sheet if channels == 3 else sheet[:, :, 0], cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    panel.set_yticks([row * (height + gap) + height / 2 for row in range(rows)], names)
    panel.set_xticks([column * (width + gap) + width / 2 for column in range(len(columns))], columns)
    panel.xaxis.tick_top()
    panel.tick_params(length=0, labelsize=8)
    panel.spines[:].set_visible(False)
    panel.set_title(title, fontsize=10)
    _write(figure, path)


def plot_misread(images: Array, captions: Sequence[str], path: str | os.PathLike[str], title: str = "") -> None:
    """Pictures (N, H, W) uint8 in a grid, dark on light, each with its caption, as PNG."""
    _write(draw_grid(255 - images, captions, title), path)


def draw_grid(images: Array, captions: Sequence[str], title: str = "") -> Any:
    """Pictures (N, H, W) uint8 in a grid, each with its caption."""
    columns = min(max(len(images), 1), 10)
    rows = -(-max(len(images), 1) // columns)
    figure = _figure(1.0 * columns, 0.5 + 1.2 * rows)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel in panels:
        panel.set_axis_off()
    for panel, image, caption in zip(panels, images, captions, strict=False):
        panel.imshow(image, cmap="gray", vmin=0, vmax=255)
        panel.set_title(caption, fontsize=8)
    figure.suptitle(title, fontsize=10)
    return figure


def draw_spreads(names: Sequence[str], sizes: Mapping[str, Sequence[float]], title: str = "") -> Any:
    """One line per kind of size, layer by layer, logarithmic; `sizes` has one number per name, NaN for none."""
    figure = _figure(1.5 + max(5.0, 0.45 * len(names)), 4.2)
    panel = figure.subplots()
    places = np.arange(len(names))
    for (kind, values), marker in zip(sizes.items(), "osD^v", strict=False):
        known = np.isfinite(values)
        panel.plot(places[known], np.asarray(values)[known], marker=marker, markersize=4, label=kind)
    panel.set_yscale("log")
    panel.set_xticks(places, names, rotation=60, ha="right", fontsize=8)
    panel.set_ylabel("root mean square")
    panel.grid(color="#e0e0e0")
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(frameon=False, fontsize=8)
    panel.set_title(title, fontsize=11)
    return figure


def plot_ratios(ratios: Mapping[str, Mapping[str, float]], path: str | os.PathLike[str], title: str = "") -> None:
    """One bar per variant of each piece of work, logarithmic, as PNG; the baseline is 1."""
    colours = ("#0072b2", "#d55e00", "#e69f00", "#009e73", "#56b4e9", "#cc79a7", "#999999", "#000000")  # Okabe and Ito
    ways = list(dict.fromkeys(way for group in ratios.values() for way in group))
    rows = [(work, way) for work, group in ratios.items() for way in group]
    figure = _figure(9, 1.2 + 0.24 * len(rows) + 0.2 * len(ratios))
    panel = figure.subplots()
    place, marks = 0.0, []
    for work, group in ratios.items():
        marks.append((place + (len(group) - 1) / 2, work))
        for way, ratio in group.items():
            panel.barh(place, ratio, height=0.8, color=colours[ways.index(way) % len(colours)])
            panel.text(ratio * 1.03, place, f"{ratio:.2f}  {way}", va="center", fontsize=8)
            place += 1
        place += 0.8
    numbers = [ratio for group in ratios.values() for ratio in group.values() if np.isfinite(ratio)]
    panel.set_xscale("log")
    panel.set_xlim(min([*numbers, 1.0]) / 1.6, max([*numbers, 1.0]) * 8)
    panel.axvline(1, color="#404040", linewidth=0.8)
    panel.set_yticks([at for at, _ in marks], [work for _, work in marks])
    panel.invert_yaxis()
    panel.tick_params(axis="y", length=0)
    panel.spines[["top", "right", "left"]].set_visible(False)
    panel.set_title(title, fontsize=11)
    _write(figure, path)


def plot_trials(
    curves: Sequence[Sequence[float | None]],
    best: int | None,
    fields: Mapping[str, Sequence[tuple[Any, float]]],
    path: str | os.PathLike[str],
    title: str,
    measure: str,
) -> None:
    """All trials of a sweep as PNG: the result after each epoch, and the final result against each field.

    Args:
        curves: for each trial, one number per epoch; None if unknown.
        best: the trial to highlight.
        fields: name of a varied field -> (its value, the result) of each trial.
        path: of the file.
        title: above the picture.
        measure: what the numbers are.
    """
    figure = _figure(4.2 + 2.8 * len(fields), 3.8)
    first, *others = figure.subplots(1, 1 + len(fields), sharey=True, squeeze=False)[0]
    for place, curve in enumerate(curves):
        values = [np.nan if value is None else value for value in curve]
        is_best = place == best
        look = {"color": _TEST, "zorder": 3, "label": "best"} if is_best else {"color": _TRAIN, "alpha": 0.35}
        first.plot(range(1, len(values) + 1), values, marker="o", markersize=2.5, **look)
    first.set_xlabel("epoch")
    first.set_ylabel(measure)
    first.xaxis.get_major_locator().set_params(integer=True)
    if best is not None:
        first.legend(frameon=False)
    for panel, (name, points) in zip(others, fields.items(), strict=True):
        numbers = [value for value, _ in points if isinstance(value, int | float) and not isinstance(value, bool)]
        is_numeric = len(numbers) == len(points)
        panel.plot(
            [value if is_numeric else str(value) for value, _ in points],
            [reached for _, reached in points],
            color=_TRAIN,
            marker="o",
            markersize=4,
            linestyle="",
        )
        if is_numeric and numbers and min(numbers) > 0 and max(numbers) > 20 * min(numbers):
            panel.set_xscale("log")
        panel.set_xlabel(name)
    for panel in (first, *others):
        panel.grid(color="#e0e0e0")
        panel.set_axisbelow(True)
        panel.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title)
    _write(figure, path)


def _figure(width: float, height: float) -> Any:
    try:
        with uninterrupted():  # a library of C++ broken off while it loads would end Python by an abort
            from matplotlib.backends import backend_agg  # noqa: F401 (savefig would load it)
            from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise MissingExtraError("matplotlib", "drawing pictures") from None
    return Figure(figsize=(width, height), dpi=130, layout="constrained")


def _rectangle(left: float, top: float) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((left, top), 1, 1, facecolor="#e8eef4", edgecolor="white")


def png_of(figure: Any) -> bytes:
    """The bytes of a PNG file."""
    content = io.BytesIO()
    figure.savefig(content, format="png", metadata={"Software": None})
    return content.getvalue()


def _write(figure: Any, path: str | os.PathLike[str]) -> None:
    content = png_of(figure)
    with replacing(path) as file:
        file.write(content)
