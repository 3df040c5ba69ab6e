"""Typical uses of estimators: data frames, pipelines, searches, sample weights, warm starts, and custom layers."""

import inspect
import pickle
import warnings

import joblib
import numpy as np
import pandas
import polars
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.datasets import (
    load_digits,
    load_iris,
    make_classification,
    make_multilabel_classification,
    make_regression,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_val_score, validation_curve
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import chainrule as cr
from chainrule.errors import OptionError
from chainrule.estimators import NetClassifier, NetRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def blobs() -> tuple[np.ndarray, np.ndarray]:
    X, y = make_classification(300, 8, n_informative=5, n_classes=3, class_sep=1.5, random_state=0)
    return X, np.array(["ant", "bee", "cat"])[y]


@pytest.fixture(scope="module")
def fitted(blobs) -> NetClassifier:
    return NetClassifier((30,), random_state=0, max_iter=100).fit(*blobs)


def test_it_learns_and_has_mlpclassifiers_attributes(blobs, fitted):
    X, y = blobs
    peer = MLPClassifier((30,), random_state=0, max_iter=100).fit(X, y)
    assert fitted.score(X, y) > peer.score(X, y) - 0.03
    assert list(fitted.classes_) == ["ant", "bee", "cat"]
    assert fitted.predict_proba(X).sum(axis=1) == pytest.approx(1)
    np.testing.assert_array_equal(fitted.classes_[fitted.predict_proba(X).argmax(axis=1)], fitted.predict(X))
    for name in ("n_iter_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_"):
        assert getattr(fitted, name) == getattr(peer, name), name
    assert [w.shape for w in fitted.coefs_] == [w.shape for w in peer.coefs_]
    assert [b.shape for b in fitted.intercepts_] == [b.shape for b in peer.intercepts_]
    assert fitted.t_ == peer.t_
    assert len(fitted.loss_curve_) == len(peer.loss_curve_)
    assert fitted.loss_ == pytest.approx(peer.loss_, rel=0.25)
    assert fitted.best_loss_ == min(fitted.loss_curve_)


def test_parameters_of_the_same_name_have_the_same_default():
    for own, peer in ((NetClassifier(), MLPClassifier()), (NetRegressor(), MLPRegressor())):
        mine, theirs = own.get_params(), peer.get_params()
        different = {name for name in mine.keys() & theirs.keys() if mine[name] != theirs[name]}
        assert not different
        assert theirs.keys() - mine.keys() <= {"max_fun", "loss"}  # an lbfgs option, and a choice that does not exist


def test_frames_with_names(blobs):
    X, y = blobs
    names = [f"column {i}" for i in range(8)]
    for frame in (pandas.DataFrame(X, columns=names), polars.DataFrame(X, schema=names)):
        net = NetClassifier(random_state=0, max_iter=30).fit(frame, y)
        assert list(net.feature_names_in_) == names
        np.testing.assert_array_equal(
            net.predict(frame), NetClassifier(random_state=0, max_iter=30).fit(X, y).predict(X)
        )
    with pytest.raises(ValueError, match="feature names should match"):
        net.predict(pandas.DataFrame(X, columns=names[::-1]))


def test_pipelines_searches_and_curves(blobs):
    X, y = blobs
    pipeline = make_pipeline(StandardScaler(), NetClassifier(random_state=0, max_iter=40))
    search = GridSearchCV(pipeline, {"netclassifier__hidden_layer_sizes": [(1,), (30,)]}, cv=3).fit(X, y)
    assert search.best_params_ == {"netclassifier__hidden_layer_sizes": (30,)}
    assert cross_val_score(pipeline, X, y, cv=3).mean() > 0.8
    train, held = validation_curve(NetClassifier(max_iter=20), X, y, param_name="alpha", param_range=[1e-4, 1.0], cv=3)
    assert train.shape == held.shape == (2, 3)
    assert clone(pipeline[-1]).get_params() == pipeline[-1].get_params()


def test_pickled_and_dumped_it_predicts_and_goes_on_the_same(blobs, tmp_path):
    X, y = blobs
    net = NetClassifier((20,), random_state=0, warm_start=True, max_iter=10).fit(X, y)
    joblib.dump(net, tmp_path / "net")
    copies = [pickle.loads(pickle.dumps(net)), joblib.load(tmp_path / "net")]
    net.fit(X, y)
    for other in copies:
        np.testing.assert_array_equal(other.fit(X, y).predict_proba(X), net.predict_proba(X))


def test_sparse_input_is_dense_input(blobs):
    X, y = blobs
    X = np.where(np.abs(X) < 1, 0, X)
    dense, sparse = (NetClassifier(random_state=0, max_iter=20).fit(x, y) for x in (X, scipy.sparse.csr_matrix(X)))
    np.testing.assert_array_equal(dense.predict_proba(X), sparse.predict_proba(scipy.sparse.csr_matrix(X)))


def test_single_precision_stays_single(blobs):
    X, y = blobs
    net = NetClassifier(random_state=0, max_iter=20).fit(X.astype(np.float32), y)
    assert net.predict_proba(X.astype(np.float32)).dtype == net.coefs_[0].dtype == np.float32
    assert NetClassifier(max_iter=2).fit(X, y).coefs_[0].dtype == np.float64


def test_partial_fit_is_fit_a_pass_at_a_time(blobs):
    X, y = blobs
    whole = NetClassifier(random_state=0, max_iter=5).fit(X, y)
    parts = NetClassifier(random_state=0)
    for _ in range(5):
        parts.partial_fit(X, y, classes=["ant", "bee", "cat"])
    np.testing.assert_array_equal(parts.predict_proba(X), whole.predict_proba(X))
    assert parts.n_iter_ == 5
    some = NetClassifier(random_state=0).partial_fit(X[y == "ant"], y[y == "ant"], classes=["ant", "bee"])
    assert some.predict_proba(X).shape == (300, 2)
    with pytest.raises(ValueError, match=r"new classes \['cat'\]"):
        some.partial_fit(X, y)


def test_warm_start_goes_on_and_fit_begins_anew(blobs):
    X, y = blobs
    warm = NetClassifier(random_state=0, max_iter=5, warm_start=True).fit(X, y)
    first = warm.loss_
    assert warm.fit(X, y).loss_ < first
    assert warm.n_iter_ == 10
    cold = NetClassifier(random_state=0, max_iter=5).fit(X, y)
    assert cold.fit(X, y).n_iter_ == 5


def test_early_stopping_keeps_the_best(blobs):
    X, y = blobs
    net = NetClassifier((50,), random_state=0, early_stopping=True, max_iter=500, learning_rate_init=0.01).fit(X, y)
    assert net.n_iter_ < 500
    assert net.best_validation_score_ == max(net.validation_scores_)
    assert net.best_loss_ is None
    assert len(net.validation_scores_) == net.n_iter_
    assert net.score(X, y) > 0.85


def test_weights_of_samples_and_classes():
    X, y = make_classification(400, 5, weights=[0.95], flip_y=0.1, class_sep=0.5, random_state=0)
    plain = NetClassifier(random_state=0, max_iter=60).fit(X, y)
    balanced = NetClassifier(random_state=0, max_iter=60, class_weight="balanced").fit(X, y)
    assert (balanced.predict(X) == 1).sum() > 3 * max(1, (plain.predict(X) == 1).sum())
    given = NetClassifier(random_state=0, max_iter=60, class_weight={0: 1, 1: 50}).fit(X, y)
    assert (given.predict(X) == 1).mean() > 0.5
    by_sample = NetClassifier(random_state=0, max_iter=60).fit(X, y, sample_weight=np.where(y == 1, 50.0, 1.0))
    np.testing.assert_allclose(by_sample.predict_proba(X), given.predict_proba(X), atol=1e-6)
    with pytest.raises(ValueError, match="not every weight may be zero"):
        plain.fit(X, y, sample_weight=np.zeros(400))
    with pytest.raises(ValueError, match=r"sample_weight has shape \(400, 1\): give one weight per sample, \(400,\)"):
        plain.fit(X, y, sample_weight=np.ones((400, 1)))
    twice = NetClassifier(random_state=0, max_iter=5).fit(X, y, sample_weight=2)
    assert twice.loss_ == pytest.approx(NetClassifier(random_state=0, max_iter=5).fit(X, y).loss_, rel=1e-3)


def test_several_labels_a_sample():
    X, y = make_multilabel_classification(300, 10, n_classes=4, random_state=0)
    net = NetClassifier((50,), random_state=0, max_iter=300).fit(X, y)
    peer = MLPClassifier((50,), random_state=0, max_iter=300).fit(X, y)
    assert net.predict(X).shape == y.shape
    assert net.score(X, y) > peer.score(X, y) - 0.1
    assert net.out_activation_ == "logistic"
    with pytest.raises(ValueError, match="class_weight needs one class per sample"):
        NetClassifier(class_weight="balanced").fit(X, y)


def test_regression_with_one_output_and_several():
    for targets in (1, 3):
        X, y = make_regression(300, 6, n_informative=4, n_targets=targets, noise=1, random_state=0)
        y = y / y.std()
        net = NetRegressor((50,), random_state=0, max_iter=300, learning_rate_init=0.01).fit(X, y)
        assert net.predict(X).shape == y.shape
        assert net.score(X, y) > 0.97


@pytest.mark.parametrize(
    "options", [{}, {"learning_rate": "invscaling"}, {"learning_rate": "adaptive"}, {"momentum": 0}]
)
def test_sgd_and_its_rates(blobs, options):
    X, y = blobs
    net = NetClassifier(solver="sgd", learning_rate_init=0.1, random_state=0, max_iter=300, **options).fit(X, y)
    peer = MLPClassifier(solver="sgd", learning_rate_init=0.1, random_state=0, max_iter=300, **options).fit(X, y)
    assert net.score(X, y) > peer.score(X, y) - 0.05


def test_the_adaptive_rate_falls_where_nothing_improves(blobs):
    options = {"solver": "sgd", "learning_rate_init": 0.1, "tol": 0.05, "random_state": 0, "max_iter": 1000}
    constant, adaptive = (NetClassifier(learning_rate=kind, **options).fit(*blobs) for kind in ("constant", "adaptive"))
    assert constant.n_iter_ < adaptive.n_iter_ < 1000  # it continues with a fifth of the rate, repeatedly, down to 1e-6


@pytest.mark.long
def test_any_bricks():
    X, y = load_digits(return_X_y=True)
    layers = [
        cr.Scale(1 / 16),
        cr.Reshape((1, 8, 8)),
        cr.Conv2D(8, 3),
        cr.BatchNorm(),
        cr.ReLU(),
        cr.Flatten(),
        cr.Dropout(0.2),
    ]
    net = NetClassifier(layers=layers, max_iter=40, learning_rate_init=0.003, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        assert cross_val_score(net, X, y, cv=3).mean() > 0.93
    net.fit(X, y)
    assert isinstance(net.network_.layers[2], cr.Conv2D)
    assert layers[2].output_shape is None  # the caller's layers stay unbuilt
    with pytest.raises(cr.errors.ShapeError, match="put Flatten"):
        NetClassifier(layers=[cr.Reshape((1, 8, 8)), cr.Conv2D(8, 3)]).fit(X, y)


def test_the_network_is_an_ordinary_one(fitted, blobs, tmp_path):
    cr.save(fitted.network_, tmp_path / "net.safetensors")
    loaded = cr.load(tmp_path / "net.safetensors")
    np.testing.assert_array_equal(loaded.predict_probabilities(blobs[0]), fitted.predict_proba(blobs[0]))
    assert loaded.labels == tuple(map(str, fitted.classes_))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"solver": "lbfgs"}, "solver must be one of adam, sgd, got 'lbfgs'"),
        ({"activation": "swish"}, "activation must be one of relu, tanh, logistic, identity, got 'swish'"),
        ({"learning_rate": "fast"}, "learning_rate must be one of constant, invscaling, adaptive"),
        ({"max_iter": 0}, "max_iter must be 1 or more, got 0"),
        ({"batch_size": 0}, "batch_size must be 'auto' or 1 or more, got 0"),
        ({"alpha": -1}, "alpha must be 0 or more, got -1"),
        ({"validation_fraction": 1.0}, "validation_fraction must be between 0 and 1"),
    ],
)
def test_wrong_parameters_are_told(blobs, options, told):
    with pytest.raises(OptionError, match=told):
        NetClassifier(**options).fit(*blobs)


def test_the_constructor_is_what_mlpclassifiers_is():
    own, peer = (inspect.signature(kind).parameters for kind in (NetClassifier, MLPClassifier))
    shared = [name for name in own if name in peer]
    assert {name: own[name].default for name in shared} == {name: peer[name].default for name in shared}
    assert set(own) - set(shared) <= {"layers", "preparation", "class_weight"}
    assert set(NetRegressor().get_params()) == set(own) - {"class_weight"}
    assert clone(NetClassifier(8, class_weight="balanced")).get_params()["class_weight"] == "balanced"


def test_divergence_is_told():
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match="scale X, or decrease learning_rate_init"):
        NetRegressor(solver="sgd", learning_rate_init=1e6).fit(1e6 * X, y)


@pytest.mark.parametrize(
    ("model", "scale"),
    [
        (NetClassifier(solver="sgd", learning_rate_init=30.0, max_iter=20, n_iter_no_change=30, random_state=0), 1),
        (NetRegressor(4, max_iter=20, n_iter_no_change=30, random_state=0), 1e4),
    ],
    ids=["classes", "numbers far from 0"],
)
def test_divergence_is_told_while_the_loss_is_finite(model, scale):
    X, y = load_iris(return_X_y=True)
    with pytest.warns(ConvergenceWarning, match="is far above the .* of a constant prediction: scale X"):
        model.fit(X, y if scale == 1 else scale * (y + 10))
    assert np.isfinite(model.loss_)


def test_no_divergence_is_told_of_a_fit(blobs):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        NetClassifier(random_state=0, max_iter=20, n_iter_no_change=30).fit(*blobs)
        several = np.stack([blobs[1] == "ant", blobs[1] != "cat"], axis=1).astype(int)
        NetClassifier(random_state=0, max_iter=20, n_iter_no_change=30).fit(blobs[0], several)


@pytest.mark.parametrize("several", [False, True], ids=["one-label", "several-labels"])
def test_probabilities_of_inputs_far_away_are_0_and_1_without_a_warning(several):
    X = np.linspace(-1, 1, 40, dtype=np.float32)[:, np.newaxis]
    y = np.hstack([X > 0, X < 0]).astype(int) if several else (X[:, 0] > 0).astype(int)
    model = NetClassifier(8, max_iter=20, n_iter_no_change=30, random_state=0).fit(X, y)
    far = np.array([[1e6], [-1e6]], np.float32)
    assert set(model.predict_proba(far).ravel()) == {0, 1}
    assert set(model.predict_log_proba(far).ravel()) == {-np.inf, 0}


def test_callbacks_of_scikit_learn(blobs):
    callback = pytest.importorskip("sklearn.callback", reason="scikit-learn before 1.9")
    X, y = blobs
    seen = []

    class Watch:
        """Ends the training after the fourth epoch."""

        requires_fit_info: tuple[str, ...] = ()

        def setup(self, estimator, context):
            seen.append("setup")

        def on_fit_task_begin(self, estimator, context):
            pass

        def on_fit_task_end(self, estimator, context):
            seen.append(context.task_name)
            return seen.count("epoch") == 4

        def teardown(self, estimator, context):
            seen.append("teardown")

    assert isinstance(Watch(), callback.FitCallback)
    net = NetClassifier(random_state=0, max_iter=50).set_callbacks(Watch()).fit(X, y)
    assert net.n_iter_ == 4
    assert seen == ["setup", *["epoch"] * 4, "fit", "teardown"]


def test_files_are_read_as_the_estimators_data_were(tmp_path):
    X, y = load_iris(return_X_y=True)
    kinds = np.array(["setosa", "versicolor", "virginica"])[y]
    columns = pandas.DataFrame(X, columns=["sepal length", "sepal width", "petal length", "petal width"])
    columns.assign(species=kinds).to_csv(tmp_path / "iris.csv", index=False)
    train, test = cr.data.load(tmp_path / "iris.csv", tell=lambda told: None)
    names = np.array(train.classes)
    clf = NetClassifier((20,), preparation=train.preparation, max_iter=60, learning_rate_init=0.02, random_state=0)
    clf = clone(clf).fit(train.x, names[train.y])
    assert clf.score(test.x, names[test.y]) > 0.9
    cr.save(clf.network_, tmp_path / "iris.safetensors")
    other = cr.load(tmp_path / "iris.safetensors")
    assert other.labels == tuple(names)
    columns[columns.columns[::-1]].to_csv(tmp_path / "new.csv", index=False)  # in another order
    new, _ = cr.data.load_new(tmp_path / "new.csv", other.preparation, other.input_shape)
    predicted = np.array(other.labels)[other.predict_probabilities(new.x.astype(other.dtype)).argmax(axis=1)]
    assert np.mean(predicted == kinds) > 0.9


def test_a_preparation_that_does_not_make_x_is_refused(blobs, tmp_path):
    train, _ = cr.data.load("mnist")
    with pytest.raises(OptionError, match=r"preparation yields \(N, 1, 28, 28\), X has \(N, 8\)"):
        NetClassifier(preparation=train.preparation).fit(*blobs)
    with pytest.raises(OptionError, match="preparation must be what chainrule.data.load gives"):
        NetClassifier(preparation=StandardScaler()).fit(*blobs)
