"""Recipe: all settings of a training except the data, in a TOML file."""

import difflib
import inspect
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Self, get_args

import numpy as np

from chainrule.data import Augment, Augmented, Part, PicturePreparation, Shards, Text, TextPreparation
from chainrule.errors import OptionError
from chainrule.layers import Scale, Sequential, Standardize
from chainrule.losses import Loss, MeanSquaredError, SoftmaxCrossEntropy
from chainrule.models import LANGUAGE_MODELS, NETWORKS
from chainrule.optimizers import Optimizer, WeightAverage
from chainrule.recipes.choices import OPTIMIZERS, SCHEDULES, make_rate, usual_optimizer
from chainrule.recipes.toml import read_toml
from chainrule.schedules import Rate
from chainrule.sequence_losses import SequenceCrossEntropy
from chainrule.training import Trainer, Workers

__all__ = ["NAMES", "Recipe", "read_recipe"]

_LOOKED_AT = 10_000
"""The number of samples that mean and standard deviation are computed from if the data lies in shards."""
_LARGEST = 2**63

_FOLDER = Path(__file__).parent

NAMES = tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))
"""The names of the recipes in the package."""


@dataclass(frozen=True)
class Recipe:
    """How to train a network; the fields are the keys of the file. With none of them it is the lesson's training.

    Attributes:
        model: a named network.
        epochs: total passes over the training data.
        batch_size: samples per step.
        accumulate: parts that each batch is split into, to save memory.
        optimizer: a name; by default sgd, or adam for convolutional networks and language models.
        learning_rate: by default the optimizer's usual one.
        weight_decay: 0 for none; by default the optimizer's own (0.01 for adamw, otherwise none).
        schedule: how the rate changes over the training.
        warmup: steps over which the rate rises to its value.
        clip_norm: the largest norm of all gradients together; 0 for no limit.
        label_smoothing: the fraction of each label that is spread over all classes.
        average: decay of the running mean of the weights, which is kept at the end; 0 for none.
        augment: arguments of `data.Augment`; empty for unchanged pictures.
        styles: fraction of ones and sevens that get strokes MNIST's writers rarely used; 0 for none.
        strangers: fraction of pictures that are replaced by pictures without a digit; 0 for none.
        mixup: how strongly pairs of pictures and their labels are mixed; 0 for not at all.
        validation: fraction of each class of the training data, held out to measure epochs and to fit the temperature;
            0 for none.
        patience: training stops after this many epochs without a better one (on validation data); 0 for never.
        seed: decides weights and order.

    Raises:
        OptionError: a value has the wrong type or is outside its range.
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
            _check_type(entry.name, getattr(self, entry.name), entry.type)
        self._check_choices()
        self._check_ranges()
        self.make_optimizer(self.rate)  # raises for invalid settings before any work is done
        SoftmaxCrossEntropy(self.label_smoothing)
        WeightAverage(self.average)
        self._make_augment()

    def changed(self, **changes: Any) -> Self:
        """The same recipe with these fields changed; another optimizer brings its own usual rate."""
        if changes.get("optimizer", self.optimizer) != self.optimizer:
            changes = {"learning_rate": None} | changes
        return replace(self, **changes)

    def as_dict(self) -> dict[str, Any]:
        """The fields as JSON data."""
        return asdict(self)

    @property
    def optimizer_name(self) -> str:
        """The optimizer's name; the model's usual one if none is given."""
        return self.optimizer or usual_optimizer(self.model)

    @property
    def rate(self) -> float:
        """The learning rate; the optimizer's usual one if none is given."""
        return OPTIMIZERS[self.optimizer_name].usual_rate if self.learning_rate is None else self.learning_rate

    @property
    def writes_text(self) -> bool:
        """Whether the network is a language model."""
        return self.model in LANGUAGE_MODELS

    def steps(self, samples: int) -> int:
        """The total number of steps on this many samples."""
        return self.epochs * math.ceil(samples / self.batch_size)

    def network(self, data: Part) -> Sequential:
        """The network, built for this data: one output per class, or per number to predict.

        Numbers that are not pixels are standardized instead of divided by 255.

        Raises:
            OptionError: the data is a text and the network cannot read text, or the other way round.
        """
        if self.writes_text != isinstance(data, Text):
            raise OptionError(
                f"{self.model} writes text, and this data is not text: use --data shakespeare, or a text of your own"
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
        """Cross-entropy for tokens and for classes, otherwise the mean squared error."""
        if isinstance(network.preparation, TextPreparation):
            return SequenceCrossEntropy()
        return MeanSquaredError() if network.labels is None else SoftmaxCrossEntropy(self.label_smoothing)

    def trainer(self, network: Sequential, samples: int, workers: Workers | None = None) -> Trainer:
        """The trainer of this network for this many samples per epoch, alone or as one of several workers."""
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
        """The data as training sees it: augmented and mixed, or unchanged."""
        augment = self._make_augment()
        if not (augment or self.mixup or self.styles or self.strangers):
            return data
        if isinstance(data, Text):
            raise OptionError("augmentation and mixup need pictures, and this data is a text: leave these options out")
        return Augmented(data, augment, self.mixup, self.styles, self.strangers)

    def make_optimizer(self, rate: Rate) -> Optimizer:
        """The optimizer with this rate or schedule."""
        return OPTIMIZERS[self.optimizer_name].make(rate, self.weight_decay)

    def _make_augment(self) -> Augment | None:
        known = {name: entry.default for name, entry in inspect.signature(Augment).parameters.items()}
        for name, value in self.augment.items():
            if name not in known:
                raise OptionError(f"unknown key {name!r} in augment: {_hint(name, list(known))}")
            _check_type(f"augment.{name}", value, type(known[name]))
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
                raise OptionError(f"{name} must be a fraction from 0 to 1, got {getattr(self, name)}")
        if self.patience and not self.validation:
            raise OptionError("--patience needs validation data: give --validation 0.1 as well")


def read_recipe(name: str | os.PathLike[str]) -> Recipe:
    """A recipe by its name, or from a TOML file.

    Raises:
        OptionError: there is no such recipe or file; it is not TOML; a key is unknown, or a value has the wrong type or
            is outside its range (the message names it).
    """
    path = _FOLDER / f"{name}.toml" if str(name) in NAMES else Path(name)
    if str(name) not in NAMES and path.suffix != ".toml":
        raise OptionError(f"no recipe {str(name)!r}: use one of {', '.join(NAMES)}, or the path of a .toml file")
    values = read_toml(path, f"the recipe {name}", "recipe")
    known = [entry.name for entry in fields(Recipe)]
    for key in values:
        if key not in known:
            raise OptionError(f"unknown key {key!r} in the recipe {name}: {_hint(key, known)}")
    try:
        return Recipe(**values)
    except OptionError as error:
        raise OptionError(f"in the recipe {name}: {error}") from error


def _check_type(name: str, value: Any, annotation: Any) -> None:
    """Check for int, float (whole numbers are fine), str, a table, or None where allowed; True is not a number."""
    kinds = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    if value is None and NoneType in kinds:
        return
    words = {int: "a whole number", float: "a number", str: "text"}
    wanted: Any = {int: int, float: int | float, str: str}.get(kinds[0], Mapping)
    if isinstance(value, int) and abs(value) >= _LARGEST:
        raise OptionError(f"{name} must be {words.get(kinds[0], 'a table')} below 2^63 in size")
    if not isinstance(value, wanted) or isinstance(value, bool):
        got = "a table" if isinstance(value, Mapping) else repr(value)
        raise OptionError(f"{name} must be {words.get(kinds[0], 'a table')}, got {got}")


def _hint(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, 1)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
