"""NetRegressor: a regression network as a scikit-learn estimator."""

from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score

from chainrule.arrays import Array
from chainrule.estimators.base import NetEstimator
from chainrule.losses import MeanSquaredError

__all__ = ["NetRegressor"]


class NetRegressor(RegressorMixin, NetEstimator):  # type: ignore[misc]
    """Predicts one number or several; parameters and attributes are NetClassifier's, without class_weight and classes_.

    The loss is half the mean squared error.

    Example:
        >>> NetRegressor((64,), random_state=0).fit(X, y).predict(X)
    """

    _is_classifier: ClassVar[bool] = False

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Make one more pass over X and y."""
        return self._fit(X, y, sample_weight, None, one_pass=True)

    def predict(self, X: Any) -> Array:
        """X (N, features) -> numbers (N,), or (N, outputs) if y had several columns."""
        outputs = self._checked_outputs(X)
        return outputs.ravel() if self._flat else outputs

    def _encoded(self, y: Array, fresh: bool, classes: Any) -> Array:
        flat, targets = y.ndim == 1, y.reshape(len(y), -1)
        if fresh:
            self._flat, self.n_outputs_, self.out_activation_ = flat, targets.shape[1], "identity"
        if targets.shape[1] != self.n_outputs_:
            raise ValueError(f"y has {targets.shape[1]} columns, earlier y had {self.n_outputs_}")
        return targets

    def _loss(self, outputs: Array, targets: Array, weights: Array) -> tuple[float, Array]:
        loss, doutputs = MeanSquaredError()(outputs, targets, weights)
        return loss / 2, doutputs / 2

    def _constant(self, targets: Array, weights: Array) -> Array:
        return np.asarray(np.average(targets, axis=0, weights=weights))

    def _score(self, outputs: Array, targets: Array, weights: Array) -> float:
        return float(r2_score(targets, outputs, sample_weight=weights))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
