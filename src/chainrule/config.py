"""repr, JSON and reconstruction of an object from its constructor arguments alone."""

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.errors import ModelFileError, OptionError

__all__ = ["Configured", "from_config", "to_config"]


class Configured:
    """Base of layers, losses, optimizers and initializers.

    It has one requirement: the constructor stores each argument untouched under the argument's own name. Then repr,
    JSON and copies need no further code.
    """

    def arguments(self) -> dict[str, Any]:
        """Constructor arguments by name; those of `*args` as one tuple under its name."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def __repr__(self) -> str:
        shown: list[str] = []
        for name, parameter in inspect.signature(type(self)).parameters.items():
            value = getattr(self, name)
            if parameter.kind is parameter.VAR_POSITIONAL:
                shown.extend(map(repr, value))
            elif parameter.default is parameter.empty:
                shown.append(repr(value))
            elif repr(value) != repr(parameter.default):
                shown.append(f"{name}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"


def to_config(value: Any, seen: dict[int, int] | None = None) -> Any:
    """`value` as JSON data: a Configured object becomes {"type", "arguments"}; a repeated one becomes {"repeat": k},
    the k-th object in reading order, so that a layer used in two places stays one layer.

    Raises:
        OptionError: JSON cannot represent an argument.
    """
    seen = {} if seen is None else seen
    if isinstance(value, Configured):
        if id(value) in seen:
            return {"repeat": seen[id(value)]}
        seen[id(value)] = len(seen)
        arguments = {name: to_config(argument, seen) for name, argument in value.arguments().items()}
        return {"type": type(value).__name__, "arguments": arguments}
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [to_config(item, seen) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise OptionError(f"cannot save the argument {value!r}: use numbers, text, lists or chainrule's own objects")


def from_config(config: Any, classes: Mapping[str, type], made: list[Any] | None = None) -> Any:
    """Rebuild the object that `to_config` described; classes are looked up by name in `classes`.

    Raises:
        ModelFileError: a class is unknown, or its constructor does not take the arguments.
    """
    made = [] if made is None else made
    if isinstance(config, list):
        return tuple(from_config(item, classes, made) for item in config)
    if not isinstance(config, dict):
        return config
    if "repeat" in config:
        try:
            return made[config["repeat"]]
        except (IndexError, TypeError):
            raise ModelFileError("the network's description repeats a layer that it does not contain") from None
    name = config.get("type")
    if not isinstance(name, str) or name not in classes:
        raise ModelFileError(f"unknown layer {name!r}: pass its class as layers=[{name}], or update chainrule")
    slot = len(made)
    made.append(None)  # in reading order an object comes before its parts
    arguments = config.get("arguments")
    if not isinstance(arguments, dict):
        raise ModelFileError(f"the description of {name} has no arguments")
    made[slot] = _construct(classes[name], {key: from_config(part, classes, made) for key, part in arguments.items()})
    return made[slot]


def _construct(kind: type, arguments: dict[str, Any]) -> Any:
    positional: tuple[Any, ...] = ()
    for name, parameter in inspect.signature(kind).parameters.items():
        if parameter.kind is parameter.VAR_POSITIONAL:
            positional = tuple(arguments.pop(name, ()))
    try:
        return kind(*positional, **arguments)
    except (TypeError, ValueError) as error:
        raise ModelFileError(f"{kind.__name__} cannot be rebuilt from its description: {error}") from error
