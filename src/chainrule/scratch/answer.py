"""How the course's `common.*` and `dataset.*` are answered by chainrule.scratch, within this process only."""

import importlib
import importlib.util
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

__all__ = ["answering", "own_modules", "saving_pictures"]

_ROOMS = {"common": "chainrule.scratch", "dataset": "chainrule.scratch.dataset"}
_PICTURES = {"PIL.ImageShow": "chainrule.scratch.pictures"}


class _Answer(MetaPathFinder, Loader):
    """Finds the lesson's names before any folder is searched, and loads chainrule's modules for them."""

    def __init__(self, rooms: Mapping[str, str]) -> None:
        self.rooms = rooms

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        room = next((name for name in self.rooms if f"{fullname}.".startswith(f"{name}.")), None)
        if room is None:
            return None
        ours = self.rooms[room] + fullname.removeprefix(room)
        found = importlib.util.find_spec(ours)
        if found is None:
            return None
        return ModuleSpec(fullname, self, loader_state=ours, is_package=found.submodule_search_locations is not None)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """A module of the lesson's name whose content is that of ours, so that both are the same objects."""
        module = ModuleType(spec.name)
        ours = importlib.import_module(spec.loader_state)
        module.__dict__.update({key: value for key, value in vars(ours).items() if not key.startswith("__")})
        module.__doc__ = ours.__doc__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to run: chainrule's module has run already."""


def own_modules(folder: Path) -> list[str]:
    """Those of `common` and `dataset` that a script's own folder has."""
    return [name for name in _ROOMS if (folder / name).is_dir() or (folder / f"{name}.py").is_file()]


@contextmanager
def answering(names: Sequence[str] = tuple(_ROOMS)) -> Iterator[None]:
    """Within the block, imports of `names` ("common", "dataset") get chainrule's modules."""
    with _answered({name: _ROOMS[name] for name in names}):
        yield


@contextmanager
def saving_pictures() -> Iterator[None]:
    """Within the block, images that Pillow shows are written beside the script."""
    with _answered(_PICTURES):
        yield


@contextmanager
def _answered(rooms: Mapping[str, str]) -> Iterator[None]:
    finder = _Answer(rooms)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for module in [name for name in sys.modules if any(f"{name}.".startswith(f"{room}.") for room in rooms)]:
            del sys.modules[module]
            parent, _, own = module.rpartition(".")
            if parent in sys.modules:
                vars(sys.modules[parent]).pop(own, None)
