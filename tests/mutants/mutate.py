"""Make wrong versions of a function, with one small change each, from its syntax tree.

Each change is a typical human mistake: an operator, a sign, an axis, a transpose, a wrong array, a missing term.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

__all__ = ["Mutant", "function_in", "mutants"]

_OPERATORS: dict[type, tuple[type, ...]] = {
    ast.Add: (ast.Sub, ast.Mult),
    ast.Sub: (ast.Add, ast.Mult),
    ast.Mult: (ast.Div, ast.Add),
    ast.Div: (ast.Mult, ast.Sub),
    ast.FloorDiv: (ast.Mult, ast.Add),
    ast.Pow: (ast.Mult,),
    ast.MatMult: (ast.Mult,),
}
_COMPARISONS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)
_EXCHANGED = {"mean": "sum", "max": "min", "maximum": "minimum", "argmax": "argmin", "zeros": "ones"}
_EXCHANGED |= {"zeros_like": "ones_like", "cumsum": "cumprod", "sin": "cos", "exp": "log", "sqrt": "square"}
_EXCHANGED |= {value: key for key, value in _EXCHANGED.items()}
_NO_CODE = {"annotation", "returns", "decorator_list", "type_params", "keywords", "func"}
"""Fields of a node that are not mutated by themselves; for calls, see `_places`."""
_MODULES = ("np", "kernels", "math")
_DESCRIPTIONS = (".shape", ".size", ".ndim", ".dtype", ".T")
"""Attributes of an array that are not interchangeable with arrays."""


@dataclass(frozen=True)
class Mutant:
    """A mutation: its statement (at `line` of the function) before and after, and the mutated function's source."""

    line: int
    before: str
    after: str
    source: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.before}  ->  {self.after}"


@dataclass
class _Place:
    """The location of a node: `holder[key]` in a list, or attribute `key` of a node; and its statement."""

    holder: Any
    key: Any
    node: ast.AST
    statement: ast.stmt

    def put(self, node: ast.AST) -> None:
        if isinstance(self.holder, list):
            self.holder[self.key] = node
        else:
            setattr(self.holder, self.key, node)


def function_in(source: str, name: str) -> ast.FunctionDef:
    """Return the function or method with that name from a source text."""
    return next(n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef) and n.name == name)


def mutants(function: ast.FunctionDef, around: str = "") -> list[Mutant]:
    """Return every mutant of a function's body, without duplicates in source.

    Args:
        function: modified and then restored.
        around: source of the class that it belongs to, whose attributes of self may replace each other.
    """
    start = function.lineno - 1
    if isinstance(function.body[0], ast.Expr) and isinstance(function.body[0].value, ast.Constant):
        del function.body[0]  # the docstring
    scope = _Scope(function, around)
    seen, found = {ast.unparse(function)}, []
    for place in list(_places(function, function.body[0])):
        before = _first_line(place.statement)
        is_statement = isinstance(place.node, ast.stmt)
        for other in _others(place.node, scope, place.statement.lineno):
            place.put(other)
            source = ast.unparse(function)
            after = _first_line(other if is_statement else place.statement)
            place.put(place.node)
            if source not in seen:
                seen.add(source)
                found.append(Mutant(place.statement.lineno - start, before, after, source))
    return found


def _first_line(statement: ast.AST) -> str:
    return ast.unparse(statement).splitlines()[0]


def _places(node: ast.AST, statement: ast.stmt) -> Iterator[_Place]:
    if isinstance(node, ast.Raise | ast.Assert | ast.JoinedStr) or _is_of_dtype(node):
        return
    for field, value in ast.iter_fields(node):
        if field == "func" and isinstance(value, ast.Attribute) and _root(value) not in _MODULES:
            # the receiver of a method: x in x.sum()
            yield _Place(value, "value", value.value, statement)
            yield from _places(value.value, statement)
        if field == "keywords":
            for keyword in value:
                yield _Place(keyword, "value", keyword.value, statement)
                yield from _places(keyword.value, statement)
        if field in _NO_CODE or isinstance(value, ast.arguments):
            continue
        items = value if isinstance(value, list) else [value]
        for index, item in enumerate(items):
            if isinstance(item, ast.AST) and not _is_of_dtype(item):
                inside = item if isinstance(item, ast.stmt) else statement
                yield _Place(*((value, index) if isinstance(value, list) else (node, field)), item, inside)
                yield from _places(item, inside)


def _is_of_dtype(node: ast.AST) -> bool:
    """Check for type or layout conversions, which do not concern derivatives."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr in ("astype", "ascontiguousarray")
    return isinstance(node, ast.Attribute) and node.attr == "dtype"


class _Scope:
    """Return which names may replace which: local names after their binding, and chains such as `self.W.value`."""

    def __init__(self, function: ast.FunctionDef, around: str) -> None:
        arguments = [*function.args.args, *function.args.kwonlyargs]
        self.bound = {a.arg: 0 for a in arguments if a.arg not in ("self", "input_gradient")}
        for node in ast.walk(function):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                self.bound.setdefault(node.id, node.lineno)
        nodes = [*ast.walk(function), *ast.walk(ast.parse(around))]
        called = {ast.unparse(n.func) for n in nodes if isinstance(n, ast.Call)}
        methods = {f"self.{n.name}" for n in nodes if isinstance(n, ast.FunctionDef)}
        chains = {ast.unparse(n) for n in nodes if isinstance(n, ast.Attribute) and _root(n) == "self"}
        chains = {chain for chain in chains if not chain.endswith(_DESCRIPTIONS)}
        prefixes = {chain.rsplit(".", 1)[0] for chain in chains if chain.count(".") > 1}
        self.chains = sorted(chains - called - methods - prefixes)
        self.targets = sorted(
            {
                ast.unparse(n)
                for n in ast.walk(function)
                if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)
            }
        )
        self.called = called

    def others(self, node: ast.Name | ast.Attribute, line: int) -> Iterator[ast.expr]:
        text = ast.unparse(node)
        if isinstance(node.ctx, ast.Store):
            names = self.targets if text in self.targets else []
        elif text in self.bound or text in self.chains:
            names = [name for name, bound in self.bound.items() if bound < line] + self.chains
        else:
            names = []
        yield from (_expression(name) for name in names if name != text)


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _others(node: ast.AST, scope: _Scope, line: int) -> Iterator[ast.AST]:  # noqa: PLR0912 (a case a kind)
    """Yield the possible replacements of a node."""
    match node:
        case ast.BinOp(left=left, op=op, right=right):
            yield from (ast.BinOp(left, other(), right) for other in _OPERATORS.get(type(op), ()))
            yield from (left, right)
            if isinstance(op, ast.Sub | ast.Div | ast.MatMult):
                yield ast.BinOp(right, op, left)
            if isinstance(op, ast.MatMult):
                yield ast.BinOp(ast.Attribute(left, "T", ast.Load()), op, right)
                yield ast.BinOp(left, op, ast.Attribute(right, "T", ast.Load()))
        case ast.UnaryOp(operand=operand):
            yield operand
        case ast.BoolOp(op=op, values=values):
            yield ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)
            yield from values
        case ast.Compare(left=left, ops=[op], comparators=[right]) if isinstance(op, _COMPARISONS):
            yield from (ast.Compare(left, [other()], [right]) for other in _COMPARISONS if other is not type(op))
        case ast.Compare(left=left, ops=[ast.Is() | ast.IsNot() as op], comparators=right):
            yield ast.Compare(left, [ast.IsNot() if isinstance(op, ast.Is) else ast.Is()], right)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            yield from (body, orelse, ast.IfExp(test, orelse, body))
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int() | float() as value):
            yield from (ast.Constant(value + 1), *([ast.Constant(value - 1)] if value else []))
        case ast.Tuple(elts=elements, ctx=ast.Load()) | ast.List(elts=elements, ctx=ast.Load()):
            kind = type(node)
            yield from (kind(swapped, ast.Load()) for swapped in _swaps(elements))
            yield from (kind(shorter, ast.Load()) for shorter in _without_one(elements) if shorter)
        case ast.Dict(keys=keys, values=values):
            yield from (ast.Dict(keys, swapped) for swapped in _swaps(values))
        case ast.Attribute(value=value, attr="T"):
            yield value
        case ast.Name() | ast.Attribute() if ast.unparse(node) not in scope.called:
            yield from scope.others(node, line)
        case ast.Subscript(value=value, slice=index, ctx=context):
            yield from _other_subscripts(value, index, context)
        case ast.Slice(lower=lower, upper=upper, step=step):
            yield from (ast.Slice(None, upper, step), ast.Slice(lower, None, step), ast.Slice(lower, upper, None))
        case ast.Call():
            yield from _other_calls(node)
        case ast.stmt():
            yield from _other_statements(node, scope, line)


def _swaps(items: list[Any]) -> Iterator[list[Any]]:
    """Yield the list with each pair of neighbours swapped."""
    for first, second in pairwise(range(len(items))):
        swapped = list(items)
        swapped[first], swapped[second] = items[second], items[first]
        yield swapped


def _without_one(items: list[Any]) -> Iterator[list[Any]]:
    yield from ([*items[:index], *items[index + 1 :]] for index in range(len(items)))


def _other_subscripts(value: ast.expr, index: ast.expr, context: ast.expr_context) -> Iterator[ast.AST]:
    if isinstance(context, ast.Load):
        yield value
        if isinstance(index, ast.Constant) and index.value:
            yield ast.Subscript(value, ast.UnaryOp(ast.USub(), index), context)
    elif isinstance(index, ast.Name | ast.Attribute):  # x[mask] = 0
        yield ast.Subscript(value, ast.UnaryOp(ast.Invert(), index), context)
    if isinstance(index, ast.Tuple):
        yield from (ast.Subscript(value, ast.Tuple(s, ast.Load()), context) for s in _swaps(index.elts))


def _other_calls(node: ast.Call) -> Iterator[ast.AST]:
    function, arguments, keywords = node.func, node.args, node.keywords
    name = function.attr if isinstance(function, ast.Attribute) else ""
    is_method = isinstance(function, ast.Attribute) and _root(function) not in _MODULES
    if isinstance(function, ast.Attribute) and name in _EXCHANGED:
        yield ast.Call(ast.Attribute(function.value, _EXCHANGED[name], ast.Load()), arguments, keywords)
    if isinstance(function, ast.Attribute) and is_method:
        yield function.value
    elif arguments and not isinstance(arguments[0], ast.Starred):
        yield arguments[0]
    yield from (ast.Call(function, swapped, keywords) for swapped in _swaps(arguments))
    if name == "reshape":
        yield ast.Call(function, arguments, [*keywords, ast.keyword("order", ast.Constant("F"))])
    for rest in _without_one(keywords):
        yield ast.Call(function, arguments, rest)
    for index, keyword in enumerate(keywords):
        if keyword.arg == "axis":
            others = [*keywords[:index], *keywords[index + 1 :]]
            for axis in ("0", "1", "-1"):
                yield ast.Call(function, arguments, [ast.keyword("axis", _expression(axis)), *others])
    if name in ("sum", "mean") and not any(keyword.arg == "axis" for keyword in keywords):
        yield ast.Call(function, arguments, [*keywords, ast.keyword("axis", ast.Constant(0))])


def _other_statements(node: ast.stmt, scope: _Scope, line: int) -> Iterator[ast.AST]:
    nothing = ast.Pass(lineno=line)
    match node:
        case ast.Assign(targets=[target], value=value) | ast.AnnAssign(target=target, value=ast.expr() as value):
            if not (isinstance(target, ast.Name) and scope.bound.get(target.id) == line):
                yield nothing
            if not isinstance(target, ast.Tuple):
                yield _at(line, ast.Assign([target], ast.UnaryOp(ast.USub(), value)))
        case ast.AugAssign(target=target, op=op, value=value):
            yield nothing
            yield _at(line, ast.Assign([target], value))
            yield from (_at(line, ast.AugAssign(target, other(), value)) for other in _OPERATORS[type(op)])
        case ast.Expr():
            yield nothing
        case ast.Return(value=ast.expr() as value):
            yield _at(line, ast.Return(None))
            if isinstance(value, ast.Tuple):
                for index, item in enumerate(value.elts):
                    negative = [*value.elts[:index], ast.UnaryOp(ast.USub(), item), *value.elts[index + 1 :]]
                    yield _at(line, ast.Return(ast.Tuple(negative, ast.Load())))
            else:
                yield _at(line, ast.Return(ast.UnaryOp(ast.USub(), value)))
        case ast.If(test=test, body=body, orelse=orelse):
            yield _at(line, ast.If(ast.UnaryOp(ast.Not(), test), body, orelse))
            yield _at(line, ast.If(ast.Constant(True), body, orelse))
            yield _at(line, ast.If(ast.Constant(False), body, orelse))
        case ast.For(body=body):
            yield from (_at(line, ast.For(node.target, node.iter, [s, ast.Break()], [])) for s in body[:1])


def _at(line: int, node: ast.stmt) -> ast.stmt:
    node.lineno = line
    return node
