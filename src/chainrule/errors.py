"""What can go wrong, as a tree of exceptions; each message says what, where, expected, got and the cure.

::

    ChainruleError
    ├── ShapeError (ValueError)          a layer, network or loss cannot take an array of this shape
    ├── LabelError (ValueError)          labels that are not classes, or not of this network
    ├── OptionError (ValueError)         an argument outside its range
    ├── NotBuiltError (RuntimeError)     a network is used before `build`
    ├── DivergenceError (ArithmeticError)  the loss became NaN or infinite
    ├── DataError (ValueError)           a data file or array cannot be used
    ├── FileError                        a file cannot be read or written
    │   └── ModelFileError               a model file or checkpoint cannot be used
    ├── WorkerLostError (RuntimeError)   a process that trains with this one is dead, or does not answer
    └── MissingExtraError (ImportError)  an optional package is not installed
"""

__all__ = [
    "ChainruleError",
    "DataError",
    "DivergenceError",
    "FileError",
    "LabelError",
    "MissingExtraError",
    "ModelFileError",
    "NotBuiltError",
    "OptionError",
    "ShapeError",
    "WorkerLostError",
]


class ChainruleError(Exception):
    """Base of every error that chainrule raises on purpose."""


class ShapeError(ChainruleError, ValueError):
    """An array or a layer has the wrong shape.

    Args:
        problem: what is needed, what was got and the cure; it follows the layer's repr in the message.
        layer: the layer that met it, or None.
        place: the layer's index within its network, such as "2" or "3.0".
    """

    def __init__(self, problem: str, layer: object = None, place: str = "") -> None:
        self.problem, self.layer, self.place = problem, layer, place
        where = f" as layer {place}" if place else ""
        super().__init__(problem if layer is None else f"{layer!r}{where} {problem}")

    def inside(self, index: int) -> "ShapeError":
        """The same error, as seen from the network that contains the layer at `index`."""
        return ShapeError(self.problem, self.layer, f"{index}.{self.place}".rstrip("."))


class LabelError(ChainruleError, ValueError):
    """Labels do not fit the classes."""


class OptionError(ChainruleError, ValueError):
    """An argument is outside its range."""


class NotBuiltError(ChainruleError, RuntimeError):
    """The network has not been built."""


class DivergenceError(ChainruleError, ArithmeticError):
    """The loss is no longer finite."""


class DataError(ChainruleError, ValueError):
    """A data file or array cannot be used."""


class FileError(ChainruleError):
    """A file cannot be read or written."""


class ModelFileError(FileError):
    """A model file or checkpoint cannot be used."""


class WorkerLostError(ChainruleError, RuntimeError):
    """Another process of the same training is dead or does not answer."""


class MissingExtraError(ChainruleError, ImportError):
    """A required optional package is missing."""

    def __init__(self, package: str, purpose: str, extra: str = "app") -> None:
        super().__init__(f'{purpose} needs {package}: pip install "chainrule[{extra}]"')
