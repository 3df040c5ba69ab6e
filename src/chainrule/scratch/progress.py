"""Make long loops observable: `counted(range(...))` is that range, or what a user interface substitutes for it.

`counting_loops` counts a script's own `for ... in range(...)` loops; the course's Trainer counts its steps itself.
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
    """Return the same numbers, passed through the function given to `shown_by`, if any."""
    show = _SHOW.get()
    return steps if show is None else show(steps)


@contextmanager
def shown_by(show: _Show) -> Iterator[None]:
    """Within the block, counted loops iterate over `show(range)` in place of their range."""
    token = _SHOW.set(show)
    try:
        yield
    finally:
        _SHOW.reset(token)


def counting_loops(tree: ast.Module, script: Path) -> tuple[CodeType, dict[str, Any]]:
    """Compile the script with its outermost range loops counted; return the code and the global that it needs for that.

    Raises:
        SyntaxError: as raised by Python.
    """
    return compile(ast.fix_missing_locations(_Counting().visit(tree)), str(script), "exec"), {_NAME: _counted}


def _counted(value: Any) -> Any:
    """Count a range and return anything else unchanged, because the script may define its own `range`."""
    return counted(value) if isinstance(value, range) else value


class _Counting(ast.NodeTransformer):
    def visit_For(self, node: ast.For) -> ast.For:
        call = node.iter
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "range":
            node.iter = ast.copy_location(
                ast.Call(ast.copy_location(ast.Name(_NAME, ast.Load()), call), [call], []), call
            )
            return node  # nested loops are not counted separately
        self.generic_visit(node)
        return node
