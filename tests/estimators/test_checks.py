"""All of scikit-learn's own estimator checks."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from chainrule.estimators import NetClassifier, NetRegressor


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks([NetClassifier(max_iter=100), NetRegressor(max_iter=100)])
def test_scikit_learns_checks(estimator, check):
    check(estimator)
