"""Recipe: everything about a training but the data, in a TOML file."""

import difflib
import inspect
import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Self, get_args

import numpy as np

from chainrule.data import Augment, Augmented, Part, PicturePreparation, Shards, Text, TextPreparation
from chainrule.errors import OptionError
from chainrule.files import explain
from chainrule.layers import Scale, Sequential, Standardize
from chainrule.losses import Loss, MeanSquaredError, SoftmaxCrossEntropy
from chainrule.models import LANGUAGE_MODELS, NETWORKS
from chainrule.optimizers import Optimizer, WeightAverage
from chainrule.recipes.choices import OPTIMIZERS, SCHEDULES, make_rate, usual_optimizer
from chainrule.schedules import Rate
from chainrule.sequence_losses import SequenceCrossEntropy
from chainrule.training import Trainer, Workers

__all__ = ["NAMES", "Recipe", "read_recipe"]

_LONGEST = 100_000
_LOOKED_AT = 10_000
"""Samples of which mean and deviation are taken where they lie in shards."""
_LARGEST = 2**63

_FOLDER = Path(__file__).parent

NAMES = tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))
"""The recipes in the package."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained; the fields are the keys of the file. Without any it is the lesson's training.

    Attributes:
        model: a named network.
        epochs: passes over the training data, in all.
        batch_size: samples a step.
        accumulate: parts into which a batch is divided, to need less memory.
        optimizer: a name; by default sgd, or adam for networks that convolve or write text.
        learning_rate: by default the optimizer's usual one.
        weight_decay: 0 for none; by default the optimizer's own (0.01 for adamw, else none).
        schedule: how the rate changes over the training.
        warmup: steps in which the rate rises to its value.
        clip_norm: the largest norm that all gradients together may have; 0 for any.
        label_smoothing: this share of each label is spread over all classes.
        average: decay of the running mean of the weights that is kept in the end; 0 for none.
        augment: arguments of `data.Augment`; none for pictures as they are.
        styles: share of ones and sevens that get strokes which MNIST's writers seldom wrote; 0 for none.
        strangers: share of pictures that are replaced by such as show no digit; 0 for none.
        mixup: strength with which two pictures and their labels are mixed; 0 for not at all.
        validation: share of the training data of each class to measure epochs and fit the temperature on; 0 for none.
        patience: epochs without a better one (on validation data) after which training ends; 0 for never.
        seed: decides weights and order.

    Raises:
        OptionError: a value of the wrong type or outside its range.
    """

    model: str = "two-layer"
    epochs: int = 20
    batch_size: int = 100
    accumulate: int = 1
    optimizer: str | None = None
    learning_rate: float | None = None
    weight_decay: float | None = None
    schedule: str = "constant"
    warmup: int = 0
    clip_norm: float = 0.0
    label_smoothing: float = 0.0
    average: float = 0.0
    augment: Mapping[str, Any] = field(default_factory=dict)
    styles: float = 0.0
    strangers: float = 0.0
    mixup: float = 0.0
    validation: float = 0.0
    patience: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        for entry in fields(self):
            _check_type(entry.name, getattr(self, entry.name), entry.type, "")
        self._check_choices()
        self._check_ranges()
        self.make_optimizer(self.rate)  # each refuses what it cannot be made with, before any work is done
        SoftmaxCrossEntropy(self.label_smoothing)
        WeightAverage(self.average)
        self._make_augment()

    def changed(self, **changes: Any) -> Self:
        """The same recipe, but for these fields; another optimizer brings its own usual rate."""
        if changes.get("optimizer", self.optimizer) != self.optimizer:
            changes = {"learning_rate": None} | changes
        return replace(self, **changes)

    def as_dict(self) -> dict[str, Any]:
        """The fields as JSON data."""
        return asdict(self)

    @property
    def optimizer_name(self) -> str:
        """The optimizer's, where none is given the model's usual one."""
        return self.optimizer or usual_optimizer(self.model)

    @property
    def rate(self) -> float:
        """The learning rate, where none is given the optimizer's usual one."""
        return OPTIMIZERS[self.optimizer_name].usual_rate if self.learning_rate is None else self.learning_rate

    @property
    def writes_text(self) -> bool:
        """Whether the network learns from a text and writes one."""
        return self.model in LANGUAGE_MODELS

    def steps(self, samples: int) -> int:
        """Steps of the whole training on so many samples."""
        return self.epochs * math.ceil(samples / self.batch_size)

    def network(self, data: Part) -> Sequential:
        """The network, built for this data: an output a class, or one for each number to predict.

        Numbers that are no pixels are standardized in place of being divided by 255.

        Raises:
            OptionError: the data is a text and the network reads none, or the other way round.
        """
        if self.writes_text != isinstance(data, Text):
            raise OptionError(
                f"{self.model} writes text, and this data is none: use --data shakespeare, or a text of your own"
                if self.writes_text
                else f"{self.model} does not read text: use --model {' or '.join(LANGUAGE_MODELS)}"
            )
        if isinstance(data, Text):
            network = LANGUAGE_MODELS[self.model](data.preparation.tokenizer.size)
            network = network.build(data.sample_shape, seed=self.seed)
            network.preparation = data.preparation
            return network
        x, y = data.head(_LOOKED_AT if isinstance(data, Shards) else len(data))
        outputs = len(data.classes) if data.classes or y is None else y.shape[1]
        network = NETWORKS[self.model](outputs)
        if not (x.dtype == np.uint8 or isinstance(data.preparation, PicturePreparation)):
            standardize = Standardize.of(x)
            network = Sequential(*(standardize if isinstance(layer, Scale) else layer for layer in network.layers))
        network = network.build(data.sample_shape, seed=self.seed)
        network.labels, network.preparation = data.classes or None, data.preparation
        return network

    def loss(self, network: Sequential) -> Loss:
        """Cross-entropy of tokens, or where classes have names of these, else the mean squared error."""
        if isinstance(network.preparation, TextPreparation):
            return SequenceCrossEntropy()
        return MeanSquaredError() if network.labels is None else SoftmaxCrossEntropy(self.label_smoothing)

    def trainer(self, network: Sequential, samples: int, workers: Workers | None = None) -> Trainer:
        """The trainer of this network for so many samples an epoch, alone or as one of several workers."""
        rate = make_rate(self.schedule, self.rate, self.steps(samples), self.warmup)
        return Trainer(
            network,
            loss=self.loss(network),
            optimizer=self.make_optimizer(rate),
            seed=self.seed,
            clip_norm=self.clip_norm or None,
            average=WeightAverage(self.average) if self.average else None,
            accumulate=self.accumulate,
            workers=workers,
        )

    def shown(self, data: Part) -> Part | Augmented:
        """The data as training sees it: augmented and mixed, or as it is."""
        augment = self._make_augment()
        if not (augment or self.mixup or self.styles or self.strangers):
            return data
        if isinstance(data, Text):
            raise OptionError("pictures are augmented and mixed, and this data is a text: leave these options out")
        return Augmented(data, augment, self.mixup, self.styles, self.strangers)

    def make_optimizer(self, rate: Rate) -> Optimizer:
        """The optimizer with this rate or schedule."""
        return OPTIMIZERS[self.optimizer_name].make(rate, self.weight_decay)

    def _make_augment(self) -> Augment | None:
        known = {name: entry.default for name, entry in inspect.signature(Augment).parameters.items()}
        for name, value in self.augment.items():
            if name not in known:
                raise OptionError(f"unknown key {name!r} in augment{_did_you_mean(name, list(known))}")
            _check_type(name, value, type(known[name]), " in augment")
        return Augment(**self.augment) if self.augment else None

    def _check_choices(self) -> None:
        for name, known in (("model", NETWORKS | LANGUAGE_MODELS), ("optimizer", OPTIMIZERS), ("schedule", SCHEDULES)):
            value = getattr(self, name)
            if value is not None and value not in known:
                raise OptionError(f"no {name} {value!r}: use one of {', '.join(known)}")

    def _check_ranges(self) -> None:
        for name, least in (("epochs", 1), ("batch_size", 1), ("accumulate", 1), ("warmup", 0), ("patience", 0)):
            if getattr(self, name) < least:
                raise OptionError(f"{_option(name)} must be {least} or more, got {getattr(self, name)}")
        for name in ("seed", "clip_norm", "mixup"):
            if not 0 <= getattr(self, name) < math.inf:
                raise OptionError(f"{_option(name)} must be 0 or more, got {getattr(self, name)}")
        if not 0 <= self.validation < 1:
            raise OptionError(f"--validation must be from 0 up to (not including) 1, got {self.validation}")
        for name in ("styles", "strangers"):
            if not 0 <= getattr(self, name) <= 1:
                raise OptionError(f"{name} must be a share from 0 to 1, got {getattr(self, name)}")
        if self.patience and not self.validation:
            raise OptionError("--patience waits for validation data: give --validation 0.1 as well")


def read_recipe(name: str | os.PathLike[str]) -> Recipe:
    """A recipe by its name, or from a TOML file.

    Raises:
        OptionError: neither; not TOML; an unknown key, a value of the wrong type or outside its range (all named).
    """
    path = _FOLDER / f"{name}.toml" if str(name) in NAMES else Path(name)
    if str(name) not in NAMES and path.suffix != ".toml":
        raise OptionError(f"no recipe {str(name)!r}: use one of {', '.join(NAMES)}, or the path of a .toml file")
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST + 1)
        if len(content) > _LONGEST:
            raise OptionError(f"the recipe {name} is longer than {_LONGEST:,} bytes: it is no recipe")
        values = tomllib.loads(content.decode().replace("\r\n", "\n"))
    except OSError as error:
        raise OptionError(f"cannot read the recipe {name}: {explain(error)}") from error
    except OptionError:
        raise
    except RecursionError as error:
        raise OptionError(f"the recipe {name} is not TOML that is read here: it is nested too deep") from error
    except ValueError as error:  # of TOML, of UTF-8, of numbers with thousands of digits
        raise OptionError(f"the recipe {name} is not TOML: {' '.join(str(error).split()):.200}") from error
    known = [entry.name for entry in fields(Recipe)]
    for key in values:
        if key not in known:
            raise OptionError(f"unknown key {key!r} in the recipe {name}{_did_you_mean(key, known)}")
    try:
        return Recipe(**values)
    except OptionError as error:
        raise OptionError(f"in the recipe {name}: {error}") from error


def _check_type(name: str, value: Any, annotation: Any, where: str) -> None:
    """int, float (which takes whole numbers), str or a table, or None where that is allowed; True is no number."""
    kinds = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    if value is None and NoneType in kinds:
        return
    words = {int: "a whole number", float: "a number", str: "text"}
    wanted: Any = {int: int, float: int | float, str: str}.get(kinds[0], Mapping)
    if isinstance(value, int) and abs(value) >= _LARGEST:
        raise OptionError(f"{name}{where} must be {words.get(kinds[0], 'a table')} below 2^63 in size")
    if not isinstance(value, wanted) or isinstance(value, bool):
        got = "a table" if isinstance(value, Mapping) else repr(value)
        raise OptionError(f"{name}{where} must be {words.get(kinds[0], 'a table')}, got {got}")


def _did_you_mean(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, 1)
    return f": did you mean {close[0]!r}?" if close else f": known are {', '.join(known)}"


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
