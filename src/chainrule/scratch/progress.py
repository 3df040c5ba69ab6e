"""Long loops can be watched: `counted(range(...))` is that range, or what a face shows in its place.

A script's own `for ... in range(...)` loops are counted where it is run with `counting_loops`; the course's Trainer
counts its steps itself.
"""

import ast
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import CodeType
from typing import Any

__all__ = ["counted", "counting_loops", "shown_by"]

_Show = Callable[[range], Iterable[int]]
_SHOW: ContextVar[_Show | None] = ContextVar("show", default=None)
_NAME = "__counted__"


def counted(steps: range) -> Iterable[int]:
    """The same numbers one after the other, watched by whoever said so with `shown_by`."""
    show = _SHOW.get()
    return steps if show is None else show(steps)


@contextmanager
def shown_by(show: _Show) -> Iterator[None]:
    """Within the block, counted loops run over what `show` makes of their ranges."""
    token = _SHOW.set(show)
    try:
        yield
    finally:
        _SHOW.reset(token)


def counting_loops(tree: ast.Module, script: Path) -> tuple[CodeType, dict[str, Any]]:
    """The script's code with its outermost loops over a range counted, and the name that it needs for that.

    Raises:
        SyntaxError: as Python raises it.
    """
    return compile(ast.fix_missing_locations(_Counting().visit(tree)), str(script), "exec"), {_NAME: _counted}


def _counted(value: Any) -> Any:
    """What is no range any more (the script may have its own `range`) stays as it is."""
    return counted(value) if isinstance(value, range) else value


class _Counting(ast.NodeTransformer):
    def visit_For(self, node: ast.For) -> ast.For:
        call = node.iter
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "range":
            node.iter = ast.copy_location(
                ast.Call(ast.copy_location(ast.Name(_NAME, ast.Load()), call), [call], []), call
            )
            return node  # loops within it are not counted by themselves
        self.generic_visit(node)
        return node
