"""The rules of the house, checked on the syntax trees: which modules may import which, and what every module needs."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import chainrule as cr
from catalogue import CATALOGUE
from chainrule import kernels

SOURCE = Path(cr.__file__).parent
MODULES = sorted(path.relative_to(SOURCE).with_suffix("").as_posix() for path in SOURCE.rglob("*.py"))
NATIVE = Path(__file__).parents[1] / "src" / "chainrule" / "kernels" / "native"
CPP = {path.name: path.read_text(encoding="utf-8") for path in sorted(NATIVE.iterdir())}

# A room may import from rows below its own (earlier in this list), and from itself, but not from others in its row.
ROWS = [
    # these serve every row: plain text, HTML for notebooks, safe writing, constructor arguments
    {"errors", "arrays", "version", "text"},
    {"files", "config", "markup", "interrupt"},
    {"kernels"},
    # `schedules` (a rate for each step) is below the optimizers, which accept one in place of a number
    {"parameters", "functions", "initializers", "schedules"},
    # `numerical` (central differences) is maths on arrays: gradcheck and models both stand on it
    # `diagnosis` and `gradient_report` tell what was found about arrays of gradients: they know no layer
    # `summation` adds arrays in an order that does not depend on who adds: both training and parallel stand on it
    {"losses", "metrics", "optimizers", "numerical", "data", "diagnosis", "gradient_report", "summation"},
    {"sequence_losses"},
    {"layers"},
    {"io", "gradcheck", "models", "plots", "parallel"},
    # `vision` reads pages with networks that `io` loads; it trains nothing
    # `writing` lets a trained language model generate text
    {"training", "vision", "writing"},
    # `plot` shows what training and vision found
    {"recipes", "plot"},
    {"sweeps"},
    {"scratch", "bench", "estimators", "server"},
    # the lessons' exercises are checked as `chainrule run --check` checks, with the course's layers
    {"lessons"},
    # the command line starts every other face, so it is above them
    {"cli"},
    {"__init__", "__main__"},
]
# The only place of each optional package.
OPTIONAL = {
    # matplotlib itself loads `figures`; `pyplot` shows a curve as the script that asks for it would
    "matplotlib": {"plots", "scratch/figures", "scratch/pyplot"},
    "PIL": {"data/images"},
    "scipy": {"data/ink"},
    "typer": {"cli"},
    "rich": {"cli"},
    "fastapi": {"server"},
    "starlette": {"server"},  # fastapi is built on it
    "anyio": {"server"},  # starlette is built on it; its threads serve requests
    "pydantic": {"server"},
    "pydantic_core": {"server"},
    "uvicorn": {"server"},
    "prometheus_client": {"server"},
    "torch": {"bench/peers/pytorch", "bench/peers/torch_sequences"},
    "jax": {"bench/peers/jax"},
    "IPython": {"training/watch"},  # loaded where a notebook has loaded it already
    "tensorboardX": {"training/log"},
    "sklearn": {"bench/peers/sklearn", "data/digits", "estimators"},
    "onnx": {"bench/peers/onnx", "io/onnx_export", "io/onnx_import"},
    "onnxruntime": {"bench/peers/onnx"},
    "mpi4py": {"parallel"},
    "ray": {"parallel"},
    "optuna": {"sweeps/search"},  # proposes settings; where they run is `parallel`'s
}
# Scripts of the course rely on everything that star imports of these bring in (np included), so they have no __all__.
STAR_IMPORTED = re.compile(
    r"scratch/(base_model|functions|gradient|layers|load_data|multi_layer_net(_extend)?|np|optimizer|time_layers|trainer"
    r"|util|dataset/(mnist|ptb|sequence|spiral))$"
)


@cache
def tree(module: str) -> ast.Module:
    return ast.parse((SOURCE / f"{module}.py").read_text(encoding="utf-8"))


def room(module: str) -> str:
    return module.split("/", maxsplit=1)[0]


def row(name: str) -> int:
    return next(index for index, rooms in enumerate(ROWS) if name in rooms)


def own_imports(module: str) -> set[str]:
    """Return the rooms of chainrule that a module imports from."""
    rooms = set()
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "chainrule":
            parts = node.module.split(".")
            rooms |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            rooms |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("chainrule.")}
    return rooms


def foreign_imports(module: str) -> set[str]:
    names = set()
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
        elif isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
    return names - {"chainrule"} - set(sys.stdlib_module_names)


def test_every_room_has_its_row():
    assert {room(module) for module in MODULES} == set().union(*ROWS)


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_downwards_only(module):
    here = room(module)
    for other in own_imports(module) - {here}:
        assert row(other) < row(here), f"{module} imports {other}, which is not below it"


@pytest.mark.parametrize("module", MODULES)
def test_own_modules_are_imported_at_the_top(module):
    for function in ast.walk(tree(module)):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in ast.walk(function):
                assert not (isinstance(node, ast.ImportFrom) and (node.module or "").startswith("chainrule")), module


@pytest.mark.parametrize("module", MODULES)
def test_optional_packages_have_one_place(module):
    for package in foreign_imports(module) - {"numpy"}:
        places = OPTIONAL[package]
        assert module in places or room(module) in places, f"{module} imports {package}"


@pytest.mark.parametrize("module", MODULES)
def test_a_file_is_short_and_says_what_it_is(module):
    lines = (SOURCE / f"{module}.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 400
    docstring = ast.get_docstring(tree(module))
    assert docstring, "no docstring"
    assert docstring.splitlines()[0][-1] in ".?:", "the first line is a sentence"


@pytest.mark.parametrize("module", MODULES)
def test_a_function_is_short(module):
    """Its body, that is: a command's signature is the list of its options, and a docstring may list many arguments."""
    for function in ast.walk(tree(module)):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            body = function.body[1:] if ast.get_docstring(function) else function.body
            assert not body or function.end_lineno - body[0].lineno < 60, f"{module}: {function.name}"


@pytest.mark.parametrize("name", CPP)
def test_a_file_of_cpp_is_short_and_says_what_it_is(name):
    lines = CPP[name].splitlines()
    assert len(lines) <= 400
    assert re.match(r"// .*\.$", lines[0]), "the first line is a sentence"


def test_a_kernel_has_one_place():
    """Kernel `f` of reference/x.py is bound in bind_x.cpp and computed in x.hpp, and nowhere else."""
    bound = {name: [file for file, text in CPP.items() if f'"{name}"' in text] for name in kernels.REFERENCES}
    subject = {name: kernel.__module__.rpartition(".")[2] for name, kernel in kernels.REFERENCES.items()}
    native = {name: files for name, files in bound.items() if files}
    assert native == {name: [f"bind_{subject[name]}.cpp"] for name in native}
    assert len(native) > 50
    headers = {file: text for file, text in CPP.items() if file.endswith(".hpp")}
    for entry in re.findall(r"\b([a-z_]+)(?=<T|,$)", CPP["kernels.cpp"].partition("return {")[2], re.MULTILINE):
        defined = rf"^(?:inline |CHAINRULE_INLINE )?(?:void|T|double|Index) {entry}\("
        places = [file for file, text in headers.items() if re.search(defined, text, re.MULTILINE)]
        assert len(places) == 1, f"{entry} is defined in {places}"
        assert places[0] == f"{subject.get(entry, places[0].removesuffix('.hpp'))}.hpp"


@pytest.mark.parametrize("module", [m for m in MODULES if not STAR_IMPORTED.search(m)])
def test_all_names_what_is_public(module):
    body = tree(module).body
    exported = next(
        (ast.literal_eval(n.value) for n in body if isinstance(n, ast.Assign) and n.targets[0].id == "__all__"), []
    )
    assert len(set(exported)) == len(exported)
    imports = [n for node in body for n in (node.body if isinstance(node, ast.If) else [node])]
    imported = {a.asname or a.name for n in imports if isinstance(n, ast.ImportFrom) for a in n.names}
    assert set(exported) <= imported | _defined(body)
    missing = {name for name in _defined(body) if not name.startswith("_")} - set(exported)
    assert not missing, f"public and not in __all__: {missing}"


def _defined(body: list[ast.stmt]) -> set[str]:
    names = set()
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name):
                    names.add(target.id)
        elif isinstance(node, ast.Try):
            names |= _defined(node.body) | {a.asname or a.name for n in node.body for a in getattr(n, "names", [])}
    return names - {"__all__"}


def test_every_public_layer_is_in_the_catalogue():
    def kinds(layer: cr.Layer):
        yield type(layer)
        for _, child in layer.children():
            yield from kinds(child)

    tested = {kind for row in CATALOGUE for kind in kinds(row.make())}
    public = {getattr(cr.layers, name) for name in cr.layers.__all__} - {cr.Layer}
    assert public <= tested
    assert {name for name in cr.layers.__all__ if not hasattr(cr, name)} == set()


def test_public_docstrings_are_there():
    for name in cr.__all__:
        thing = getattr(cr, name)
        assert isinstance(thing, str) or (thing.__doc__ or "").strip(), f"{name} has no docstring"


def test_import_loads_numpy_and_nothing_optional():
    code = (
        "import sys, chainrule; [getattr(chainrule, name) for name in chainrule.__all__]\n"
        "print(*{m.split('.')[0] for m in sys.modules})"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    ours = {"chainrule", "numpy"}
    # the interpreter may load an editable install or a coverage tool before our first line runs
    bare = subprocess.run(
        [sys.executable, "-c", "import sys, numpy, numpy.random; print(*{m.split('.')[0] for m in sys.modules})"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    extra = {m for m in set(loaded) - set(bare) - ours if m.lstrip("_") not in _standard()}
    assert not extra, f"import chainrule also loads {extra}"


def _standard() -> set[str]:
    return {name.lstrip("_") for name in sys.stdlib_module_names}
