"""NetClassifier: a classification network as a scikit-learn estimator."""

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils import column_or_1d
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels

from chainrule import kernels
from chainrule.arrays import Array
from chainrule.estimators.base import NetEstimator
from chainrule.functions import softmax
from chainrule.losses import SigmoidCrossEntropy, SoftmaxCrossEntropy

__all__ = ["NetClassifier"]


@dataclass(eq=False, repr=False)
class NetClassifier(ClassifierMixin, NetEstimator):  # type: ignore[misc]
    """Predicts a class, or which of several labels apply (multi-label: y as rows of 0 and 1).

    Args:
        hidden_layer_sizes: units of each hidden layer.
        activation: relu, tanh, logistic or identity.
        layers: unbuilt bricks in place of the two above, such as [Reshape((1, 8, 8)), Conv2D(16, 3), ReLU(),
            Flatten(), Dropout(0.2)]; a final Affine with one output per class is added.
        preparation: how X was made from pictures or table rows: a Dataset's `preparation`. It is saved with network_,
            so `chainrule predict`, `serve` and an ONNX file prepare their input in the same way. If None, network_
            takes numbers as they are in X.
        class_weight: one weight per class, or "balanced".
        solver: adam or sgd.
        alpha: L2 penalty on weights.
        batch_size: samples per step; "auto" is min(200, N).
        learning_rate: constant, or (for sgd) invscaling or adaptive; starts at learning_rate_init.
        max_iter: maximum number of passes over the data.
        shuffle, random_state, tol, verbose, warm_start, momentum, nesterovs_momentum, early_stopping,
            validation_fraction, beta_1, beta_2, epsilon, n_iter_no_change, power_t: as MLPClassifier's.

    Attributes:
        network_: the Sequential, which ends in logits; `chainrule.save(clf.network_, path)` saves it with the names
            of classes_.
        classes_, n_iter_, loss_, loss_curve_, best_loss_, validation_scores_, best_validation_score_, coefs_,
            intercepts_, n_features_in_, feature_names_in_: as MLPClassifier's.

    Example:
        >>> NetClassifier((64,), random_state=0).fit(X, y).score(X, y)
    """

    _is_classifier: ClassVar[bool] = True

    _: KW_ONLY
    class_weight: Any = None

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Make one more pass over X and y; the first call needs `classes` unless y contains all of them."""
        return self._fit(X, y, sample_weight, classes, one_pass=True)

    def predict(self, X: Any) -> Array:
        """X (N, features) -> labels (N,), or rows of 0 and 1 (N, labels)."""
        outputs = self._checked_outputs(X)
        if self._multi_label:
            return (outputs > 0).astype(int)
        labels: Array = self.classes_[outputs.argmax(axis=1)]
        return labels

    def predict_proba(self, X: Any) -> Array:
        """X (N, features) -> probabilities (N, classes), in the order of classes_."""
        outputs = self._checked_outputs(X)
        return kernels.sigmoid_forward(outputs) if self._multi_label else softmax(outputs)

    def predict_log_proba(self, X: Any) -> Array:
        """X (N, features) -> logarithms of the probabilities."""
        with np.errstate(divide="ignore"):  # a probability may underflow to 0
            logs: Array = np.log(self.predict_proba(X))
        return logs

    def _encoded(self, y: Array, fresh: bool, classes: Any) -> Array:
        check_classification_targets(y)
        multi_label = type_of_target(y) == "multilabel-indicator"
        if fresh:
            self._multi_label = multi_label
            self.classes_ = unique_labels(y if classes is None else classes)
            self.n_outputs_ = y.shape[1] if multi_label else len(self.classes_)
            self.out_activation_ = "logistic" if multi_label else "softmax"
        if multi_label != self._multi_label or (multi_label and y.shape[1] != self.n_outputs_):
            raise ValueError("y is of another kind than before: start over with fit and warm_start=False")
        if multi_label:
            return np.asarray(y)
        y = column_or_1d(y, warn=True)
        unknown = np.setdiff1d(y, self.classes_)
        if unknown.size:
            raise ValueError(f"y has new classes {unknown.tolist()}, the network knows {self.classes_.tolist()}")
        return np.searchsorted(self.classes_, y)

    def _weighted(self, y: Array, targets: Array, weights: Array) -> Array:
        if self.class_weight is None:
            return weights
        if self._multi_label:
            raise ValueError("class_weight needs one class per sample: leave it out for multi-label y")
        each = compute_class_weight(self.class_weight, classes=self.classes_, y=np.ravel(y))
        weighted: Array = weights * each[targets].astype(weights.dtype)
        return weighted

    def _names(self) -> tuple[str, ...] | None:
        return None if self._multi_label else tuple(map(str, self.classes_))

    def _loss(self, outputs: Array, targets: Array, weights: Array) -> tuple[float, Array]:
        loss = SigmoidCrossEntropy() if self._multi_label else SoftmaxCrossEntropy()
        return loss(outputs, targets, weights)

    def _constant(self, targets: Array, weights: Array) -> Array:
        if self._multi_label:
            share = np.clip(np.average(targets, axis=0, weights=weights), 1e-9, 1 - 1e-9)
            return np.asarray(np.log(share / (1 - share)))
        shares = np.bincount(targets, weights, self.n_outputs_) / weights.sum()
        return np.asarray(np.log(np.maximum(shares, 1e-9)))

    def _score(self, outputs: Array, targets: Array, weights: Array) -> float:
        right = ((outputs > 0) == targets).all(axis=1) if self._multi_label else outputs.argmax(axis=1) == targets
        return float(np.average(right, weights=weights))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
