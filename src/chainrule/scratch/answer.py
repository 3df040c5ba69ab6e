"""Resolve imports of `common.*` and `dataset.*`: to the learner's modules if they exist, otherwise to chainrule's."""

import builtins
import importlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from chainrule.scratch.whose import is_learners, places

__all__ = ["COURSE", "Course", "answering", "saving_pictures"]

_COMMON = ["base_model", "config", "functions", "gradient", "layers", "load_data", "multi_layer_net"]
_COMMON += ["multi_layer_net_extend", "np", "optimizer", "time_layers", "trainer", "util"]
COURSE = {
    "common": "chainrule.scratch",
    **{f"common.{name}": f"chainrule.scratch.{name}" for name in _COMMON},
    "dataset": "chainrule.scratch.dataset",
    **{f"dataset.{name}": f"chainrule.scratch.dataset.{name}" for name in ("mnist", "ptb", "sequence", "spiral")},
}
"""Maps the course's modules to chainrule's."""

_PARTS = {
    COURSE[f"common.{name}"]: f"common.{name}" for name in ("functions", "gradient", "layers", "optimizer", "util")
}
"""Maps chainrule's modules that other course modules build on to their names in the course."""

_WINDOWS = ["gtk3agg", "gtk3cairo", "gtk4agg", "gtk4cairo", "macosx", "nbagg", "qt5agg", "qt5cairo", "qtagg", "qtcairo"]
_WINDOWS += ["tkagg", "tkcairo", "webagg", "wxagg", "wxcairo"]
_PICTURES = {"PIL.ImageShow": "chainrule.scratch.pictures"} | {
    f"matplotlib.backends.backend_{name}": "chainrule.scratch.figures" for name in _WINDOWS
}


class _Answer(MetaPathFinder, Loader):
    """Finds these names before any folder is searched, and loads chainrule's modules for them."""

    def __init__(self, modules: Mapping[str, str]) -> None:
        self.modules = modules

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in self.modules:
            return None
        return ModuleSpec(fullname, self, loader_state=self.modules[fullname], is_package="." not in fullname)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Create a module with the requested name and the content of ours, so that both share the same objects."""
        ours = importlib.import_module(spec.loader_state)
        module = ModuleType(spec.name, ours.__doc__)
        vars(module).update({key: value for key, value in vars(ours).items() if not key.startswith("__")})
        module.__file__ = ours.__file__
        if "__getattr__" in vars(ours):
            module.__getattr__ = ours.__getattr__  # type: ignore[method-assign]
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: chainrule's module has already been executed."""


class Course(_Answer):
    """Resolves `common`, `dataset` and everything below them, module by module.

    Args:
        script: the learner's script; `chainrule.scratch.whose` decides which files are the learner's.
        ours: whether chainrule's modules take precedence.
        running: closed when the script has ended.
    """

    def __init__(self, script: Path, ours: bool, running: ExitStack) -> None:
        super().__init__(COURSE)
        self._script = script
        self._running = running
        self._finders = [self._theirs, super().find_spec][:: -1 if ours else 1]
        self._unsaid: dict[str, str | None] = {}
        self.files: dict[str, str] = {}
        """Maps the learner's modules that were imported to their files."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] not in COURSE:
            return None
        spec = self._find(fullname, path)
        if spec is not None:
            self._unsaid[fullname] = None if spec.loader is self else spec.origin or ""
            if spec.has_location and spec.origin:
                self.files[fullname] = spec.origin
            if fullname == "dataset.mnist" and spec.loader is not self:
                downloads = importlib.import_module("chainrule.scratch.downloads")  # saves other scripts 40 ms
                self._running.enter_context(downloads.mnist_at_hand())
        return spec

    def exec_module(self, module: ModuleType) -> None:
        """Execute our module again if it builds on one that the learner has; it then uses the learner's definitions."""
        ours = importlib.import_module(COURSE[module.__name__])
        parts = {getattr(value, "__module__", "") for value in vars(ours).values()} - {ours.__name__}
        specs = [self._find(_PARTS[part]) for part in parts & _PARTS.keys()]
        if all(spec is not None and spec.loader is self for spec in specs):
            return
        code = ours.__loader__.get_code(ours.__name__)  # type: ignore[union-attr]
        vars(module)["__builtins__"] = {**vars(builtins), "__import__": self._import_part}
        exec(code, vars(module))

    def _import_part(self, name: str, *arguments: Any) -> ModuleType:
        if name not in _PARTS:
            return builtins.__import__(name, *arguments)
        both = ModuleType(name)
        theirs = vars(importlib.import_module(_PARTS[name]))
        vars(both).update(vars(importlib.import_module(name)))
        vars(both).update({key: value for key, value in theirs.items() if not key.startswith("_")})
        return both

    def whose(self) -> str:
        """Return one line on who provides the modules found since the last call; "" if there were none."""
        said, self._unsaid = self._unsaid, {}
        names = [name for name in said if not any(other.startswith(f"{name}.") for other in said)]
        ours = [name for name in names if said[name] is None]
        theirs: dict[Path, list[str]] = {}
        for name in names:
            if said[name]:
                theirs.setdefault(Path(said[name] or "").parent, []).append(name)
        told = [f"{', '.join(found)}: yours, in {folder}" for folder, found in theirs.items()]
        return "; ".join(told + [f"{', '.join(ours)}: chainrule's"] * bool(ours))

    def _find(self, fullname: str, path: Sequence[str] | None = None) -> ModuleSpec | None:
        return next((spec for find in self._finders if (spec := find(fullname, path)) is not None), None)

    def _theirs(self, fullname: str, path: Sequence[str] | None) -> ModuleSpec | None:
        parents = fullname.split(".")[:-1]
        folders = [*(path or []), *(str(Path(place, *parents)) for place in places(self._script))]
        spec = _searched(fullname, folders)
        if spec is not None and not parents and spec.submodule_search_locations is None:
            spec.submodule_search_locations = []  # `common.py` may come with a `common.layers`, theirs or ours
        return spec


class _Above(MetaPathFinder):
    """Finds, as a last resort, what Python would find if it were started in the script's folder or in one above.

    It also looks beside the learner's modules: when a script in `ch08` imports `ch07/peeky.py`, that module finds its
    neighbours too.
    """

    def __init__(self, script: Path) -> None:
        self._script = script

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        folders = [place for place in places(self._script) if place != os.path.expanduser("~")]
        folders += [str(Path(file).parent) for file in self._loaded()]
        spec = None if path is not None else _searched(fullname, folders)
        if spec is None or spec.loader is not None:
            return spec
        return spec if any(any(Path(place).glob("*.py")) for place in spec.submodule_search_locations or ()) else None

    def _loaded(self) -> list[str]:
        """Return the files of the learner's modules that have been imported."""
        files = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
        return [file for file in files if isinstance(file, str) and is_learners(file, self._script)]


def _searched(fullname: str, folders: Sequence[str]) -> ModuleSpec | None:
    """Search the folders as Python does; a folder without __init__.py stays put, even if `sys.path` changes later."""
    spec = PathFinder.find_spec(fullname, folders)
    if spec is not None and spec.loader is None:
        spec.submodule_search_locations = list(spec.submodule_search_locations or [])
    return spec


_Finder = TypeVar("_Finder", bound=_Answer)


@contextmanager
def answering(script: Path, ours: bool = False) -> Iterator[Course]:
    """Within the block, imports of the course's modules prefer this learner's to chainrule's; `ours` reverses that."""
    above = _Above(script)
    with ExitStack() as running, _first(Course(script, ours, running), ("common", "dataset")) as course:
        sys.meta_path.append(above)
        running.callback(sys.meta_path.remove, above)
        yield course


@contextmanager
def saving_pictures() -> Iterator[None]:
    """Within the block, pictures that Pillow or matplotlib would show in a window are written beside the script."""
    with _first(_Answer(_PICTURES), tuple(_PICTURES)):
        yield


@contextmanager
def _first(finder: _Finder, rooms: Sequence[str]) -> Iterator[_Finder]:
    sys.meta_path.insert(0, finder)
    try:
        yield finder
    finally:
        sys.meta_path.remove(finder)
        for module in [name for name in sys.modules if any(f"{name}.".startswith(f"{room}.") for room in rooms)]:
            del sys.modules[module]
            parent, _, own = module.rpartition(".")
            if parent in sys.modules:
                vars(sys.modules[parent]).pop(own, None)
