"""`common.base_model`: the second book's base class for models, which saves and loads its list of parameters."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.arrays import Array
from chainrule.errors import FileError, ShapeError
from chainrule.files import replacing
from chainrule.scratch.np import *  # noqa: F403
from chainrule.scratch.pickles import load_arrays
from chainrule.scratch.util import to_cpu, to_gpu  # noqa: F401


class BaseModel:
    """A model with `params`, a list of arrays, and `grads`, one gradient each; subclasses add forward and backward."""

    def __init__(self) -> None:
        self.params: Any = None
        self.grads: Any = None

    def forward(self, *args: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def backward(self, *args: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no backward")

    def save_params(self, file_name: str | None = None) -> None:
        """Write the parameters, rounded to float16, to a pickle, by default named after the class with .pkl."""
        with replacing(Path(file_name or self._own_file)) as file:
            pickle.dump([param.astype(np.float16) for param in self.params], file)

    def load_params(self, file_name: str | None = None) -> None:
        """Fill the parameters, in place, from a file that `save_params` wrote.

        Raises:
            FileNotFoundError: there is no such file.
            FileError, ShapeError: it holds something else, or the parameters of a model of another size.
        """
        path = Path(file_name or self._own_file)
        with path.open("rb") as file:
            loaded = load_arrays(file)
        if not isinstance(loaded, list) or not all(isinstance(value, np.ndarray) for value in loaded):
            raise FileError(f"{path} holds {type(loaded).__name__}, not the list of arrays that save_params writes")
        self._check_shapes(path, loaded)
        for param, value in zip(self.params, loaded, strict=True):
            param[...] = value

    @property
    def _own_file(self) -> str:
        return f"{type(self).__name__}.pkl"

    def _check_shapes(self, path: Path, loaded: list[Array]) -> None:
        own, theirs = [param.shape for param in self.params], [value.shape for value in loaded]
        if len(own) != len(theirs):
            raise ShapeError(f"{path} has {len(theirs)} parameters, but {type(self).__name__} has {len(own)}")
        for place, (mine, other) in enumerate(zip(own, theirs, strict=True)):
            if mine != other:
                raise ShapeError(
                    f"{path}: params[{place}] has shape {other}, but this {type(self).__name__} needs {mine}: create"
                    " the model with the sizes (vocabulary, word vectors, hidden units) that it was saved with"
                )
