"""Networks of bricks as scikit-learn estimators.

Parameters that mean the same as MLPClassifier's have its names and defaults, so it is enough to change the import;
`layers=` takes any bricks in place of `hidden_layer_sizes`. If X is float32, everything is computed in float32, about
twice as fast as in float64.
"""

from importlib.util import find_spec

from chainrule.errors import MissingExtraError

if find_spec("sklearn") is None:
    raise MissingExtraError("scikit-learn", "an estimator", "sklearn")

from chainrule.estimators.classifier import NetClassifier
from chainrule.estimators.regressor import NetRegressor

__all__ = ["NetClassifier", "NetRegressor"]
