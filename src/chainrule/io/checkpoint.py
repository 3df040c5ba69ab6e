"""Checkpoints: everything needed to continue training, in one file: arrays, optimizer and random state, position."""

import copy
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.arrays import Array
from chainrule.config import to_config
from chainrule.errors import ModelFileError
from chainrule.io.safetensors import read_safetensors, write_safetensors
from chainrule.io.weights import check_arrays, decode, describe, encode, fill, reject_newer
from chainrule.layers import Layer
from chainrule.optimizers import Optimizer, WeightAverage

__all__ = ["Checkpoint", "load_checkpoint", "save_checkpoint"]

_NETWORK, _OPTIMIZER, _AVERAGE, _BEST = "network/", "optimizer/", "average/", "best/"


@dataclass(frozen=True)
class Checkpoint:
    """The content of a checkpoint: arrays by name, descriptions and the trainer's progress as JSON data."""

    path: str
    network: dict[str, Array]
    optimizer: dict[str, Array]
    average: dict[str, Array]
    best: dict[str, Array]
    description: dict[str, Any]
    progress: dict[str, Any]

    def restore(self, network: Layer, optimizer: Optimizer, average: WeightAverage | None = None) -> None:
        """Restore arrays and optimizer state, after checking that all objects match the saved ones.

        Raises:
            ModelFileError: network, optimizer or average differ from the saved ones; nothing is changed.
        """
        now = decode(encode(describe(network) | _describe(optimizer, average)))
        for what in ("network", "optimizer", "average"):
            if now[what] != self.description[what]:
                raise ModelFileError(
                    f"{self.path} was saved with a different {what}: resume with the same one, or start again"
                )
        check_arrays(network, self.network)
        if self.best:
            check_arrays(network, self.best)
        steps, frozen = self.description["steps"], self.description["frozen"]
        for what in ("average", "optimizer"):
            if type(steps[what]) is not int or not 0 <= steps[what] < 2**53:
                raise ModelFileError(f"{self.path} is damaged: the {what} has done {steps[what]!r:.40} steps")
        if not isinstance(frozen, list) or not set(frozen) <= set(network.parameters):
            raise ModelFileError(f"{self.path} is damaged: it freezes a parameter that this network does not have")
        for name, array in (self.optimizer | self.average).items():
            if array.dtype != network.values.dtype or not np.isfinite(array).all():
                raise ModelFileError(f"{self.path} is damaged: {name} of {array.dtype} is not finite {network.dtype}")
        for once in (False, True):  # first on copies: the second object may refuse after the first has accepted
            if average is not None:
                target = average if once else copy.copy(average)
                target.load_state(self.average, steps["average"], network)
            (optimizer if once else copy.copy(optimizer)).load_state(
                self.optimizer, steps["optimizer"], network.values.size
            )
        fill(network, self.network)
        for name, parameter in network.parameters.items():
            parameter.frozen = name in self.description["frozen"]


def save_checkpoint(
    path: str | os.PathLike[str],
    network: Layer,
    optimizer: Optimizer,
    progress: Mapping[str, Any],
    average: WeightAverage | None = None,
    best: Mapping[str, Array] | None = None,
) -> None:
    """Write the file atomically, so that a run killed at any moment finds the last complete one.

    `best` are the network's arrays at its best epoch so far.

    Raises:
        FileError: it cannot be written; an earlier one is kept.
    """
    arrays = {_NETWORK + name: array for name, array in network.arrays.items()}
    arrays |= {_OPTIMIZER + name: array for name, array in (optimizer.state or {}).items()}
    arrays |= {_AVERAGE + name: array for name, array in ((average and average.state) or {}).items()}
    arrays |= {_BEST + name: array for name, array in (best or {}).items()}
    description = describe(network) | _describe(optimizer, average) | {"progress": dict(progress)}
    write_safetensors(path, arrays, encode(description))


def load_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Read what `save_checkpoint` wrote.

    Raises:
        ModelFileError: the file is not a checkpoint, is damaged, or was made by a newer chainrule.
    """
    arrays, metadata = read_safetensors(path)
    try:
        description = decode(metadata)
        reject_newer(description["chainrule"])
        progress = description.pop("progress")
        if not isinstance(progress, dict):
            raise ValueError("progress is not a table")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ModelFileError(f"{path} is not a checkpoint of chainrule: train without resuming first") from error
    return Checkpoint(
        str(path),
        _below(arrays, _NETWORK),
        _below(arrays, _OPTIMIZER),
        _below(arrays, _AVERAGE),
        _below(arrays, _BEST),
        description,
        progress,
    )


def _describe(optimizer: Optimizer, average: WeightAverage | None) -> dict[str, Any]:
    return {
        "optimizer": to_config(optimizer),
        "average": to_config(average),
        "steps": {"optimizer": optimizer.steps, "average": average.steps if average else 0},
    }


def _below(arrays: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
