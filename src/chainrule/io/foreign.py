"""Loads weights trained with PyTorch or Keras into a network."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path

import numpy as np

from chainrule.arrays import Array
from chainrule.errors import DataError, ModelFileError
from chainrule.io.arrangement import KERAS, arranged, check_order, names_of
from chainrule.io.pairing import candidates, pair_up
from chainrule.io.places import Place, places
from chainrule.io.safetensors import read_safetensors
from chainrule.io.weights import fill
from chainrule.layers import Affine, PointwiseAffine, Sequential

__all__ = ["load_weights"]

_SHOWN = 40
"""The most layers listed in a mapping to complete; the others are listed once these are known."""

_IGNORED = {"num_batches_tracked", "seed_generator_state"}
"""Arrays to ignore: the batch counts of PyTorch's BatchNorm and the random states of Keras's Dropout."""


def load_weights(
    network: Sequential,
    path: str | os.PathLike[str],
    mapping: Mapping[str, str] | None = None,
    *,
    channels_last: bool | None = None,
) -> dict[str, str]:
    """Fill a built network with the arrays of a file; return a mapping from our names to theirs.

    A layer gets the module whose arrays fit. If several fit, their names must decide, by their numbers, as PyTorch's
    (`fc1`, `layer1.0.conv2`, `10`) and Keras's (`dense`, `dense_1`) do. Otherwise nothing is loaded, and the error
    contains a mapping to complete. If a Linear has no bias, its Affine's is set to zero.

    Args:
        network: built; changed only if everything fits.
        path: a safetensors file, as `safetensors.torch.save_file(model.state_dict(), path)` writes it, or an .npz file,
            as `numpy.savez(path, **{weight.path: weight for weight in model.weights})`.
        mapping: from our names (`network.arrays`) to theirs, for some layers or all; one array per layer is enough.
        channels_last: whether a Keras model kept images as (H, W, C); needed only if the file depends on it.

    Raises:
        ModelFileError: the file is damaged, or its arrays do not fit or fit in several ways; the message names both
            sides.
    """
    theirs = {name: array for name, array in _read(path).items() if _split(name)[1] not in _IGNORED}
    try:
        pairs, values = _Sides(network, theirs, channels_last, mapping or {}).paired()
        fill(network, values)
    except ModelFileError as error:
        raise ModelFileError(f"cannot load {path}: {error}") from error
    return pairs


class _Sides:
    """Layers of a network and modules of a file, and those of both that the mapping leaves to be paired."""

    def __init__(
        self, network: Sequential, theirs: Mapping[str, Array], channels_last: bool | None, mapping: Mapping[str, str]
    ) -> None:
        found = places(network)
        self.keras = any(_split(name)[1] in KERAS for name in theirs)
        if self.keras:
            for place in found:
                check_order(place, channels_last)
        self.channels_last = self.keras and bool(channels_last)
        self.theirs = theirs
        self.places = [place for place in found if place.arrays]
        self.own = {_join(place, own): (place, own) for place in self.places for own in place.arrays}
        is_ours = not mapping and set(theirs) == set(self.own)
        self.pairs = {name: name for name in self.own} if is_ours else dict(mapping)
        self._check_mapping()
        used = set(self.pairs.values())
        modules = _by_module(theirs)
        self.left = {
            module: left
            for module, kinds in modules.items()
            if (left := {kind: name for kind, name in kinds.items() if name not in used})
        }
        module_of = {name: module for module, kinds in modules.items() for name in kinds.values()}
        self.homes = {(self.own[name][0].name, module_of[other]) for name, other in self.pairs.items()}
        self.partly = {layer for layer, module in self.homes if module in self.left}
        self.wanted = {place.name: wanted for place in self.places if (wanted := self._wanted(place))}

    def paired(self) -> tuple[dict[str, str], dict[str, Array]]:
        """Our names with theirs, and the arrays in our layout."""
        pairs = dict(self.pairs)
        for place, module in self._layers_with_modules():
            pairs |= self._found(place, module) or {}
        names = [name for name in self.own if name in pairs]  # only biases that the file lacks are missing
        zeros = {name: np.zeros_like(place.arrays[own]) for name, (place, own) in self.own.items()}
        return {name: pairs[name] for name in names}, zeros | {name: self._value(name, pairs[name]) for name in names}

    def _check_mapping(self) -> None:
        for name, other in self.pairs.items():
            if not isinstance(other, str):
                raise ModelFileError(f"the mapping has {other!r} for {name}: keep one of these names")
            if name not in self.own or other not in self.theirs:
                known = ", ".join(self.own if name not in self.own else self.theirs)
                wrong = name if name not in self.own else other
                raise ModelFileError(f"the mapping names {wrong!r}, which does not exist: {known}")
            self._value(name, other)

    def _layers_with_modules(self) -> list[tuple[Place, str]]:
        modules = list(self.left)
        layers = [place for place in self.places if place.name in self.wanted]
        domains = candidates(layers, modules, lambda place, module: self._found(place, module) is not None)
        self._check_complete(layers, domains)
        domains, is_pairing = pair_up(layers, modules, domains, self.keras)
        if is_pairing:
            return [(layers[domain.bit_length() - 1], module) for domain, module in zip(domains, modules, strict=True)]
        choices = {}
        for index, place in enumerate(layers):
            options = [module for domain, module in zip(domains, modules, strict=True) if domain >> index & 1]
            if len(options) > 1:
                name = _join(place, self.wanted[place.name][0])
                choices[name] = [found[name] for module in options if (found := self._found(place, module))]
        shown = dict(list(choices.items())[:_SHOWN])
        more = f" (and {len(choices) - _SHOWN} more layers)" if len(choices) > _SHOWN else ""
        raise ModelFileError(
            "its arrays fit in several ways, and the names do not decide: keep one name of each list in "
            f"mapping={shown}{more}"
        )

    def _check_complete(self, layers: Sequence[Place], domains: Sequence[int]) -> None:
        """Raise ModelFileError if every pairing leaves a layer or a module over."""
        free, alone = dict(zip(self.left, domains, strict=True)), []
        for index, place in enumerate(layers):
            fitting = [module for module, domain in free.items() if domain >> index & 1]
            if fitting:
                del free[min(fitting, key=lambda module: free[module].bit_count())]
            else:
                alone.append(place)
        left = [name for module in free for name in self.left[module].values()]
        if alone:
            place = alone[0]
            ours = ", ".join(f"{_join(place, own)} {place.arrays[own].shape}" for own in self.wanted[place.name])
            theirs = ", ".join(f"{name} {self.theirs[name].shape}" for name in left)
            raise ModelFileError(f"none of its arrays fit {place.name} ({ours}); unused: {theirs or 'none'}")
        if left:
            raise ModelFileError(f"the network has no layer for its {', '.join(left)}")

    def _found(self, place: Place, module: str) -> dict[str, str] | None:
        """The arrays of a module for those of a layer, without those the mapping names; None if they do not fit."""
        if place.name in self.partly and (place.name, module) not in self.homes:
            return None
        kinds, found = self.left[module], dict[str, str]()
        largest = max(place.arrays[own].size for own in self.wanted[place.name])
        if max(self.theirs[name].size for name in kinds.values()) != largest:
            return None  # most pairs end here
        for own in self.wanted[place.name]:
            kind = next((kind for kind in names_of(own) if kind in kinds), None)
            if kind is None and _may_lack(place, own) and len(kinds) == 1:
                continue
            if kind is None or self._arranged(place, own, kinds[kind]) is None:
                return None
            found[_join(place, own)] = kinds[kind]
        return found if len(found) == len(kinds) else None

    def _wanted(self, place: Place) -> list[str]:
        """The arrays of a layer that still need one of the file."""
        wanted = [own for own in place.arrays if _join(place, own) not in self.pairs]
        is_whole = len(wanted) < len(place.arrays) and place.name not in self.partly
        return [own for own in wanted if not (is_whole and _may_lack(place, own))]

    def _value(self, name: str, other: str) -> Array:
        place, own = self.own[name]
        value = self._arranged(place, own, other)
        if value is None:
            raise ModelFileError(
                f"{other} of {self.theirs[other].shape} does not fit {name} of {place.arrays[own].shape}: "
                "build the same network, or pass another mapping"
            )
        return value

    def _arranged(self, place: Place, own: str, other: str) -> Array | None:
        return arranged(place, own, _split(other)[1], self.theirs[other], self.channels_last)


def _may_lack(place: Place, own: str) -> bool:
    """Whether the file may lack an array: a Linear without a bias is an Affine with b = 0."""
    return own == "b" and isinstance(place.layer, Affine | PointwiseAffine)


def _read(path: str | os.PathLike[str]) -> dict[str, Array]:
    if Path(path).suffix.lower() != ".npz":
        return read_safetensors(path)[0]
    try:
        arrays: dict[str, Array] = import_module("chainrule.data.npz").read_arrays(path)  # imported only when needed
        return arrays
    except DataError as error:
        raise ModelFileError(str(error)) from error


def _join(place: Place, own: str) -> str:
    return f"{place.name}.{own}".lstrip(".")


def _split(name: str) -> tuple[str, str]:
    """Module and kind of an array: "dense/kernel:0" is "dense" and "kernel"."""
    *parts, kind = re.split(r"([./])", re.sub(r":[0-9]+$", "", name))
    return "".join(parts[:-1]), kind


def _by_module(names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Array names by module and kind; Keras's one separable convolution is two layers here."""
    modules: dict[str, dict[str, str]] = {}
    for name in sorted(names):
        module, kind = _split(name)
        kinds = modules.setdefault(module, {})
        kinds[name if kind in kinds else kind] = name  # two of one kind fit nothing
    for module in [module for module, kinds in modules.items() if "pointwise_kernel" in kinds]:
        if "depthwise_kernel" in modules[module]:
            modules[f"{module}/0"] = {"depthwise_kernel": modules[module].pop("depthwise_kernel")}
            modules[f"{module}/1"] = modules.pop(module)
    return modules
