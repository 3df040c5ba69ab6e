"""How `common.*` and `dataset.*` are answered by chainrule.scratch, within this process only."""

import importlib
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

__all__ = ["answering", "own_modules"]

_ROOMS = {"common": "chainrule.scratch", "dataset": "chainrule.scratch.dataset"}


class _Answer(MetaPathFinder, Loader):
    """Finds the lesson's names before any folder is searched, and loads chainrule's modules for them."""

    def __init__(self, names: Sequence[str]) -> None:
        self.rooms = {name: _ROOMS[name] for name in names}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        top, _, rest = fullname.partition(".")
        if top not in self.rooms:
            return None
        ours = f"{self.rooms[top]}.{rest}".rstrip(".")
        if importlib.util.find_spec(ours) is None:
            return None
        return ModuleSpec(fullname, self, loader_state=ours, is_package=not rest)

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
    finder = _Answer(names)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for module in [name for name in sys.modules if name.partition(".")[0] in names]:
            del sys.modules[module]
