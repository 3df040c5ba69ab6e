"""HTML for notebooks: tables, pictures and small charts, everything escaped, no scripts and nothing loaded.

Text keeps the notebook's own colour, and everything else is mixed from that colour, so it is readable on light and dark
pages alike; JupyterLab's variables are used where they are set.
"""

import base64
from collections.abc import Sequence
from html import escape

import numpy as np

from chainrule.arrays import Array

__all__ = ["Html", "bar", "cells", "fragment", "histogram", "lines", "note", "picture", "pictures", "rows"]

_STYLE = """
.chainrule { color: var(--jp-content-font-color1, inherit); font-size: 13px; line-height: 1.4; max-width: 100%;
  overflow-x: auto; --bad: color-mix(in srgb, #e0402a 75%, currentColor); --good: color-mix(in srgb, #0a8f6a 75%,
  currentColor); --faint: color-mix(in srgb, currentColor 14%, transparent); }
.chainrule p { margin: 4px 0; }
.chainrule table { color: inherit; font-size: inherit; margin: 6px 0; border: none;
  border-collapse: collapse; font-variant-numeric: tabular-nums; }
.chainrule th, .chainrule td { padding: 3px 10px; border: none; border-bottom: 1px solid var(--faint);
  text-align: left; white-space: nowrap; background: none; color: inherit; }
.chainrule th { border-bottom: 2px solid color-mix(in srgb, currentColor 35%, transparent); font-weight: 600; }
.chainrule .number { text-align: right; }
.chainrule .total td { font-weight: 600; border-bottom: none; }
.chainrule .bad { color: var(--bad); font-weight: 600; }
.chainrule .good { color: var(--good); }
.chainrule .bar { display: inline-block; height: 8px; vertical-align: middle; background: var(--good); }
.chainrule svg { vertical-align: middle; }
.chainrule figure { display: inline-block; margin: 4px 8px 4px 0; text-align: center; font-size: 12px; }
.chainrule img { display: block; margin: 0 auto; image-rendering: pixelated; background: none; }
"""
_BINS = 24


class Html(str):
    """Markup that is already safe; any other text is escaped."""

    __slots__ = ()


def fragment(title: str, *parts: str) -> str:
    """The HTML for one object in a notebook: its title and the parts below it."""
    body = "".join(map(cells, parts))
    return f'<div class="chainrule"><style>{_STYLE}</style><p><strong>{escape(title)}</strong></p>{body}</div>'


def cells(content: object) -> Html:
    """The content unchanged if it is markup, otherwise its escaped text."""
    return content if isinstance(content, Html) else Html(escape(str(content)))


def note(text: str, kind: str = "") -> Html:
    """A line of text; `kind` is good, bad or nothing."""
    return Html(f'<p class="{escape(kind)}">{escape(text)}</p>')


def rows(
    headers: Sequence[str],
    lines: Sequence[Sequence[object]],
    total: Sequence[object] | None = None,
    right: bool = False,
) -> Html:
    """A table; numbers (or everything) are right-aligned. `total` is an emphasized last row."""
    columns = len(headers)
    numeric = [right or (bool(lines) and all(_is_number(line[column]) for line in lines)) for column in range(columns)]

    def line(contents: Sequence[object], tag: str) -> str:
        marks = [' class="number"' if right else "" for right in numeric]
        return "".join(f"<{tag}{mark}>{cells(content)}</{tag}>" for content, mark in zip(contents, marks, strict=True))

    body = "".join(f"<tr>{line(contents, 'td')}</tr>" for contents in lines)
    if total is not None:
        body += f'<tr class="total">{line(total, "td")}</tr>'
    return Html(f"<table><thead><tr>{line(headers, 'th')}</tr></thead><tbody>{body}</tbody></table>")


def _is_number(content: object) -> bool:
    text = str(content).replace(",", "").replace("%", "").strip()
    try:
        float(text)
    except ValueError:
        return False
    return not isinstance(content, Html)


def bar(share: float) -> Html:
    """A bar of up to 80 pixels for a share from 0 to 1."""
    width = round(80 * min(max(share, 0.0), 1.0)) if np.isfinite(share) else 0
    return Html(f'<span class="bar" style="width:{width}px"></span>')


def histogram(values: Array, height: int = 22) -> Html:
    """A small histogram with 24 columns; empty without numbers."""
    finite = np.asarray(values, np.float64).ravel()
    finite = finite[np.isfinite(finite)]
    if not finite.size:
        return Html("")
    low, high = float(finite.min()), float(finite.max())
    if not low < high or not np.isfinite(high - low):
        return Html(escape(f"all {low:.3g}"))
    counts = np.histogram((finite - low) / (high - low), _BINS, (0, 1))[0]
    tall = np.ceil(counts / counts.max() * height)
    columns = "".join(
        f'<rect x="{4 * place}" y="{height - int(top)}" width="3" height="{int(top)}"/>'
        for place, top in enumerate(tall)
        if top
    )
    told = escape(f"{low:.3g} to {high:.3g}")
    return Html(
        f'<svg width="{4 * _BINS}" height="{height}" fill="currentColor" fill-opacity="0.7" role="img" '
        f'aria-label="{told}"><title>{told}</title>{columns}</svg>'
    )


def lines(curves: Sequence[tuple[str, Sequence[float | None]]], width: int = 260, height: int = 90) -> Html:
    """A small line chart, with the first series solid and the others dashed; missing numbers leave gaps.

    It is empty if fewer than two numbers are finite.
    """
    arrays = [np.array([np.nan if value is None else value for value in values], np.float64) for _, values in curves]
    every = np.concatenate(arrays) if arrays else np.zeros(0)
    finite = every[np.isfinite(every)]
    if finite.size < 2:
        return Html("")
    low, high = float(finite.min()), float(finite.max())
    span = high - low if 0 < high - low < np.inf else 1.0
    drawn = []
    for place, values in enumerate(arrays):
        points = [
            f"{6 + (width - 12) * at / max(len(values) - 1, 1):.1f},{6 + (height - 12) * (high - value) / span:.1f}"
            for at, value in enumerate(values)
            if np.isfinite(value)
        ]
        dashes = ' stroke-dasharray="5 3"' if place else ""
        drawn.append(f'<polyline points="{" ".join(points)}"{dashes}/>')
    names = escape(", ".join(f"{name} ({'dashed' if place else 'solid'})" for place, (name, _) in enumerate(curves)))
    return Html(
        f'<figure><svg width="{width}" height="{height}" fill="none" stroke="currentColor" stroke-width="1.5" '
        f'role="img" aria-label="{names}">{"".join(drawn)}</svg><figcaption>{names}<br>'
        f"{escape(f'{low:.4g} to {high:.4g}')}</figcaption></figure>"
    )


def picture(png: bytes, caption: str, height: int = 56) -> Html:
    """An embedded PNG file with its caption below."""
    address = "data:image/png;base64," + base64.b64encode(png).decode("ascii")
    told = escape(caption)
    return Html(f'<figure><img src="{address}" height="{height}" alt="{told}"><figcaption>{told}</figcaption></figure>')


def pictures(shown: Sequence[Html]) -> Html:
    """Pictures side by side."""
    return Html(f"<div>{''.join(shown)}</div>")
