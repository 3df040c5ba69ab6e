"""What NetClassifier and NetRegressor share: parameters, the training loop, and when it stops."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from importlib.util import find_spec
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from chainrule.arrays import Array, name_shape, quiet
from chainrule.data import Preparation
from chainrule.errors import OptionError
from chainrule.initializers import Xavier
from chainrule.layers import Affine, Layer, ReLU, Sequential, Sigmoid, Tanh
from chainrule.metrics import divergence
from chainrule.optimizers import SGD, Adam, Optimizer

if find_spec("sklearn.callback") is not None:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
else:  # before scikit-learn 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands for scikit-learn's, which this version lacks."""

    def with_callbacks(fit: Any) -> Any:
        """Return the method unchanged."""
        return fit


__all__ = ["NetEstimator"]

_ACTIVATIONS: dict[str, type[Layer] | None] = {"relu": ReLU, "tanh": Tanh, "logistic": Sigmoid, "identity": None}


@dataclass(eq=False, repr=False)
class NetEstimator(CallbackSupportMixin, BaseEstimator):  # type: ignore[misc]
    """A network that is built, trained and used as scikit-learn does; a subclass says what y means.

    The fields are the constructor's arguments, which scikit-learn reads from its signature.
    """

    _is_classifier: ClassVar[bool]

    hidden_layer_sizes: Sequence[int] | int = (100,)
    activation: str = "relu"
    _: KW_ONLY
    layers: Sequence[Layer] | None = None
    preparation: Preparation | None = None
    solver: str = "adam"
    alpha: float = 0.0001
    batch_size: int | str = "auto"
    learning_rate: str = "constant"
    learning_rate_init: float = 0.001
    power_t: float = 0.5
    max_iter: int = 200
    shuffle: bool = True
    random_state: Any = None
    tol: float = 1e-4
    verbose: bool = False
    warm_start: bool = False
    momentum: float = 0.9
    nesterovs_momentum: bool = True
    early_stopping: bool = False
    validation_fraction: float = 0.1
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    n_iter_no_change: int = 10

    # ---- what a subclass defines ----

    def _encoded(self, y: Array, fresh: bool, classes: Any) -> Array:
        """y in the form the loss needs: class indices (N,), or numbers (N, outputs)."""
        raise NotImplementedError

    def _weighted(self, y: Array, targets: Array, weights: Array) -> Array:
        """Sample weights (N,), times class weights if there are any."""
        return weights

    def _score(self, outputs: Array, targets: Array, weights: Array) -> float:
        """How good outputs are; higher is better."""
        raise NotImplementedError

    def _constant(self, targets: Array, weights: Array) -> Array:
        """The best constant outputs (outputs,), the same for every sample."""
        raise NotImplementedError

    def _names(self) -> tuple[str, ...] | None:
        """The class names to save with the network."""
        return None

    # ---- fitting ----

    @with_callbacks  # type: ignore[untyped-decorator]
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on X (N, features), dense or sparse, and y; returns self."""
        return self._fit(X, y, sample_weight, None, one_pass=False)

    def _fit(self, X: Any, y: Any, sample_weight: Any, classes: Any, *, one_pass: bool) -> Self:
        self._check_parameters()
        fresh = not hasattr(self, "network_") or not (self.warm_start or one_pass)
        X, y = validate_data(
            self,
            X,
            y,
            reset=fresh,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            multi_output=True,
            y_numeric=not self._is_classifier,
        )
        targets = self._encoded(y, fresh, classes)
        told: dict[str, Any] = {"estimator": self, "X": X, "y": y}  # to callbacks
        weights = self._weighted(y, targets, _checked_weights(sample_weight, X))
        used = np.flatnonzero(weights)
        X, targets, weights = X[used], targets[used], weights[used]
        if fresh:
            self._check_preparation(X)
            self._begin(X)
        held = None
        if self.early_stopping and not one_pass:
            (X, targets, weights), held = self._hold_out(X, targets, weights)
        epochs = 1 if one_pass else self.max_iter
        context = self._init_callback_context(max_subtasks=epochs) if hasattr(self, "_init_callback_context") else None
        if context is not None:
            context.call_on_fit_task_begin(**told)
        for _ in range(epochs):
            inner = context.subcontext(task_name="epoch") if context is not None else None
            if inner is not None:
                inner.call_on_fit_task_begin(**told)
            stop = self._epoch(X, targets, weights, held)
            if inner is not None:
                stop = inner.call_on_fit_task_end(**told, reconstruction_attributes=self._fitted_attributes) or stop
            if stop and not one_pass:
                break
        else:
            if not one_pass and self.n_iter_no_change < self.max_iter:
                warnings.warn(
                    f"the loss was still falling after {self.max_iter} passes: increase max_iter or tol",
                    ConvergenceWarning,
                    stacklevel=3,
                )
        if self._best is not None:
            self.network_.values[...] = self._best
        elif not one_pass:
            self._tell_if_far_off(targets, weights)
        if context is not None:
            context.call_on_fit_task_end(**told, reconstruction_attributes=dict)
        return self

    def _begin(self, X: Any) -> None:
        """Create the network, optimizer and generator."""
        self._rng = np.random.default_rng(check_random_state(self.random_state).randint(2**31, size=4))
        network = Sequential(*self._hidden_layers(), Affine(self.n_outputs_, Xavier()))
        network = network.build((X.shape[1],), seed=int(self._rng.integers(2**31)))
        self.network_ = network.astype(X.dtype) if X.dtype != network.dtype else network
        self.network_.labels = self._names()
        self.network_.preparation = self.preparation
        self._optimizer = self._make_optimizer()
        self._rate = float(self.learning_rate_init)
        self._idle = 0
        self._best: Array | None = None
        self.n_iter_, self.t_ = 0, 0
        self.loss_curve_: list[float] = []
        self.best_loss_: float | None = math.inf
        self.validation_scores_: list[float] | None = None
        self.best_validation_score_: float | None = None
        if self.early_stopping:
            self.validation_scores_, self.best_validation_score_, self.best_loss_ = [], -math.inf, None

    def _hidden_layers(self) -> list[Layer]:
        if self.layers is not None:
            return [copy.deepcopy(layer) for layer in self.layers]
        sizes = self.hidden_layer_sizes
        kind = _ACTIVATIONS[self.activation]
        hidden: list[Layer] = []
        for size in [sizes] if isinstance(sizes, int | np.integer) else sizes:
            hidden.append(Affine(int(size), Xavier()))  # as in MLPClassifier, whatever the activation
            hidden += [] if kind is None else [kind()]
        return hidden

    def _make_optimizer(self) -> Optimizer:
        if self.solver == "adam":
            return Adam(self.learning_rate_init, self.beta_1, self.beta_2, self.epsilon)
        nesterov = bool(self.nesterovs_momentum and self.momentum)
        return SGD(self.learning_rate_init, momentum=self.momentum, nesterov=nesterov)

    def _hold_out(self, X: Any, targets: Array, weights: Array) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        labels = targets if self._is_classifier and targets.ndim == 1 else None
        X, X_held, targets, held, weights, held_weights = train_test_split(
            X,
            targets,
            weights,
            test_size=self.validation_fraction,
            stratify=labels,
            random_state=int(self._rng.integers(2**31)),
        )
        return (X, targets, weights), (X_held, held, held_weights)

    @quiet
    def _epoch(self, X: Any, targets: Array, weights: Array, held: tuple[Any, ...] | None) -> bool:
        """Make one pass over the data; return whether to stop because nothing has improved for long enough."""
        samples = X.shape[0]
        size = min(200, samples) if self.batch_size == "auto" else min(int(self.batch_size), samples)
        order = self._rng.permutation(samples) if self.shuffle else np.arange(samples)
        total, net = 0.0, self.network_
        for start in range(0, samples, size):
            chosen = order[start : start + size]
            x = _dense(X[chosen])
            share = weights[chosen]
            outputs, cache = net.forward(x, train=True, rng=self._rng)
            loss, doutputs = self._loss(outputs, targets[chosen], share)
            net.backward(doutputs, cache, input_gradient=False)
            mass = float(share.sum())
            penalty = self.alpha / mass
            total += mass * (loss + penalty / 2 * self._squared_weights())
            self._optimizer.weight_decay = penalty
            self._optimizer.learning_rate = self._current_rate()
            self._optimizer.step(net)
            self.t_ += len(chosen)
        self.n_iter_ += 1
        self.loss_ = total / float(weights.sum())
        if not math.isfinite(self.loss_):
            raise ValueError(f"the loss became {self.loss_}: scale X, or decrease learning_rate_init")
        self.loss_curve_.append(self.loss_)
        if self.verbose:
            print(f"pass {self.n_iter_}: loss {self.loss_:.6f}")
        return self._is_done(held)

    def _is_done(self, held: tuple[Any, ...] | None) -> bool:
        if held is not None and self.validation_scores_ is not None:
            X, targets, weights = held
            score = self._score(self._outputs(X), targets, weights)
            self.validation_scores_.append(score)
            best = self.best_validation_score_
            assert best is not None
            self._idle = 0 if score > best + self.tol else self._idle + 1
            if score > best:
                self.best_validation_score_, self._best = score, self.network_.values.copy()
        else:
            best_loss = math.inf if self.best_loss_ is None else self.best_loss_
            self._idle = 0 if self.loss_ < best_loss - self.tol else self._idle + 1
            self.best_loss_ = min(best_loss, self.loss_)
        if self._idle <= self.n_iter_no_change:
            return False
        if self.solver == "sgd" and self.learning_rate == "adaptive" and self._rate > 1e-6:
            self._rate, self._idle = self._rate / 5, 0
            return False
        return True

    def _tell_if_far_off(self, targets: Array, weights: Array) -> None:
        """Warn of training that diverged to a finite loss, which would otherwise look like a fit."""
        outputs = np.broadcast_to(self._constant(targets, weights), (len(weights), self.n_outputs_))
        constant = self._loss(np.ascontiguousarray(outputs, self.network_.dtype), targets, weights)[0]
        told = divergence(self.loss_, constant, least=math.log(2) if self._is_classifier else 0)
        if constant > 0 and told is not None:
            warnings.warn(
                f"{told}: scale X{'' if self._is_classifier else ' and y'}, or decrease learning_rate_init",
                ConvergenceWarning,
                stacklevel=4,
            )

    def _current_rate(self) -> float:
        if self.solver == "sgd" and self.learning_rate == "invscaling":
            return float(self.learning_rate_init / (self.t_ + 1) ** self.power_t)
        return self._rate

    def _squared_weights(self) -> float:
        kept = [p.value for p in self.network_.parameters.values() if p.decay]
        return sum(float(np.vdot(value, value)) for value in kept)

    def _loss(self, outputs: Array, targets: Array, weights: Array) -> tuple[float, Array]:
        raise NotImplementedError

    @quiet
    def _outputs(self, X: Any, batch_size: int = 1000) -> Array:
        """The network's outputs for X (N, features), computed a batch at a time."""
        parts = [self.network_(_dense(X[start : start + batch_size])) for start in range(0, X.shape[0], batch_size)]
        return np.concatenate(parts)

    def _checked_outputs(self, X: Any) -> Array:
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, accept_sparse="csr", dtype=[np.float64, np.float32])
        return self._outputs(X.astype(self.network_.dtype, copy=False))

    def _fitted_attributes(self) -> dict[str, Any]:
        """What a callback needs to build an estimator from the current state."""
        return {name: value for name, value in vars(self).items() if name.endswith("_") and not name.startswith("_")}

    def _check_parameters(self) -> None:
        for name, known in (("solver", ("adam", "sgd")), ("learning_rate", ("constant", "invscaling", "adaptive"))):
            if getattr(self, name) not in known:
                raise OptionError(f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}")
        if self.activation not in _ACTIVATIONS:
            raise OptionError(f"activation must be one of {', '.join(_ACTIVATIONS)}, got {self.activation!r}")
        for name in ("max_iter", "n_iter_no_change"):
            if getattr(self, name) < 1:
                raise OptionError(f"{name} must be 1 or more, got {getattr(self, name)}")
        if self.batch_size != "auto" and (isinstance(self.batch_size, str) or self.batch_size < 1):
            raise OptionError(f"batch_size must be 'auto' or 1 or more, got {self.batch_size!r}")
        if not self.alpha >= 0:
            raise OptionError(f"alpha must be 0 or more, got {self.alpha}")
        if not 0 < self.validation_fraction < 1:
            raise OptionError(f"validation_fraction must be between 0 and 1, got {self.validation_fraction}")

    def _check_preparation(self, X: Any) -> None:
        if self.preparation is None:
            return
        if not isinstance(self.preparation, Preparation):
            raise OptionError(
                "preparation must be what chainrule.data.load gives its Dataset as `preparation`, "
                f"got {type(self.preparation).__name__}"
            )
        if math.prod(self.preparation.shape) != X.shape[1]:
            raise OptionError(
                f"preparation yields {name_shape(self.preparation.shape)}, X has {name_shape(X.shape[1:])}: "
                "pass the X that it prepared, one row per sample"
            )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    # ---- as MLPClassifier names them ----

    @property
    def coefs_(self) -> list[Array]:
        """The weights of each Affine, (inputs, outputs)."""
        return [layer.W.value for layer in self.network_.layers if isinstance(layer, Affine)]

    @property
    def intercepts_(self) -> list[Array]:
        """The biases of each Affine."""
        return [layer.b.value for layer in self.network_.layers if isinstance(layer, Affine)]

    @property
    def n_layers_(self) -> int:
        """The number of layers with parameters, plus one for the input."""
        return 1 + sum(bool(layer.parameters) for layer in self.network_.layers)


def _checked_weights(sample_weight: Any, X: Any) -> Array:
    """The weights of X's rows (N,) in X's dtype; None means ones, one number the same for all."""
    samples = X.shape[0]
    weights = np.ones(samples) if sample_weight is None else sample_weight
    weights = np.full(samples, weights) if np.isscalar(weights) else weights
    weights = check_array(weights, ensure_2d=False, allow_nd=True, dtype=X.dtype, input_name="sample_weight")
    if weights.shape != (samples,):
        raise ValueError(f"sample_weight has shape {weights.shape}: give one weight per sample, ({samples},)")
    if weights.min() < 0 or not weights.any():
        raise ValueError("sample_weight must not be negative, and not every weight may be zero")
    return np.asarray(weights)


def _dense(X: Any) -> Array:
    """Rows as an array, also from a sparse matrix."""
    rows: Array = X.toarray() if hasattr(X, "toarray") else X
    return rows
