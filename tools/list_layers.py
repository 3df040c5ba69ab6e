"""Write the list of all layers, generated from their signatures and docstrings, into both languages of docs/bricks.md.

python tools/list_layers.py
"""

import inspect
import re
from pathlib import Path

import chainrule as cr

__all__ = ["PAGES", "listed", "with_list"]

PAGES = [Path(__file__).parents[1] / "docs" / name for name in ("bricks.md", "bricks.zh-CN.md")]
_LIST = re.compile(r"(<!-- layers: .*?-->\n).*?(<!-- end of layers -->)", re.DOTALL)


def listed() -> str:
    """Return one line per public layer: its signature and the first paragraph of its docstring."""
    kinds = [getattr(cr.layers, name) for name in sorted(cr.layers.__all__, key=str.lower) if name != "Layer"]
    return "".join(f"- `{kind.__name__}{_arguments(kind)}`: {_first_line(kind)}\n" for kind in kinds)


def with_list(page: str) -> str:
    """Return the page with the current list inserted."""
    return _LIST.sub(lambda found: f"{found[1]}\n{listed()}\n{found[2]}", page)


def _arguments(kind: type[cr.Layer]) -> str:
    if kind.__init__ is cr.Layer.__init__:
        return "()"
    parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]
    return f"({', '.join(str(parameter.replace(annotation=parameter.empty)) for parameter in parameters)})"


def _first_line(kind: type[cr.Layer]) -> str:
    text = inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0]
    told = " ".join(re.sub(r"\s{2,}\([^()]*(\([^()]*\)[^()]*)*\)", "", text).split()).rstrip(".")
    return re.sub(r"([*_|<])", r"\\\1", told)


if __name__ == "__main__":
    for path in PAGES:
        path.write_text(with_list(path.read_text(encoding="utf-8")), encoding="utf-8")
