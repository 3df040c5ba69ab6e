"""The check before training rejects no correct network, and finds the mistakes in wrong ones on the same hard data."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import DataError
from chainrule.training import prove
from starts import DATA, starts


def test_no_right_start_is_refused():
    """A fixed sample; `make false-alarms` runs a thousand."""
    for what, report in starts(16, seed=17):
        assert report.ok, f"{what}\n{report}"
        assert report.compared > 10, what


class Faulty:
    """A layer with a correct backward, except for `fault`, applied to its own part of the gradients."""

    fault = ""

    def backward(self, dy, cache, *, input_gradient=True):
        before = [parameter.grad.copy() for parameter in self.parameters.values()]
        if self.fault == "upstream of ones":
            dy = np.ones_like(dy)
        dx = super().backward(dy, cache, input_gradient=True)
        for (name, parameter), kept in zip(self.parameters.items(), before, strict=True):
            own = parameter.grad - kept
            match self.fault, name.split(".")[-1]:
                case "sign of dW", "W":
                    own = -own
                case "dW times 1.01", "W":
                    own = 1.01 * own
                case "db missing", "b":
                    own = 0 * own
                case "db is a mean", "b":
                    own = own / len(dy)
                case "dW transposed", "W":
                    own = own.reshape(own.shape[::-1]).T if own.ndim == 2 else own.swapaxes(2, 3)
            parameter.grad[...] = kept + own
        match self.fault:
            case "dx times 1.01":
                return 1.01 * dx
            case "sign of dx":
                return -dx
            case "dx of the last sample":
                return np.broadcast_to(dx[-1:], dx.shape)
            case "mask inverted":
                return dy - dx
        return dx


class FaultyAffine(Faulty, cr.Affine):
    pass


class FaultyConv2D(Faulty, cr.Conv2D):
    pass


class FaultyReLU(Faulty, cr.ReLU):
    pass


class FaultyMaxPool2D(Faulty, cr.MaxPool2D):
    pass


OF_PARAMETERS = ["sign of dW", "dW times 1.01", "db missing", "db is a mean", "dW transposed"]
OF_INPUTS = ["upstream of ones", "dx times 1.01", "sign of dx", "dx of the last sample"]
FAULTS = [
    *(("affine", fault) for fault in OF_PARAMETERS + OF_INPUTS),
    *(("conv", fault) for fault in OF_PARAMETERS + OF_INPUTS),
    *(("relu", fault) for fault in ["mask inverted", *OF_INPUTS]),
    *(("pool", fault) for fault in OF_INPUTS),
]
HARD = ["as it is", "one class", "black", "floats -1000..1000"]


def network_with(part: str, fault: str, shape: tuple[int, ...]) -> cr.Sequential:
    layers = {"conv": FaultyConv2D(6, 3), "relu": FaultyReLU(), "pool": FaultyMaxPool2D(2), "affine": FaultyAffine(12)}
    if fault:
        layers[part].fault = fault
    middle = [layers[name] for name in ("conv", "relu", "pool")]
    return cr.Sequential(
        cr.Scale(1 / 255), *middle, cr.Flatten(), layers["affine"], cr.LeakyReLU(), cr.Affine(10)
    ).build(shape, seed=3)


def hard_data(kind: str) -> cr.Dataset:
    rng = np.random.default_rng(5)
    train, _ = cr.data.mnist()
    return DATA[kind](np.ascontiguousarray(train.x[:200, :, 6:22, 6:22]), train.y[:200], rng)


@pytest.mark.parametrize("size", [1, 30], ids=["new", "saturated"])
@pytest.mark.parametrize("kind", HARD)
def test_planted_faults_are_found_on_the_same_data(kind, size):
    """Each fault once on new and once on saturated weights; the kinds of data are assigned in turn."""
    data = hard_data(kind)
    sound = network_with("", "", data.sample_shape)
    sound.values[...] *= size
    report = prove(sound, data, cr.SoftmaxCrossEntropy())
    assert report.ok, report
    for part, fault in FAULTS[HARD.index(kind) :: len(HARD)]:
        network = network_with(part, fault, data.sample_shape)
        network.values[...] *= size
        assert not prove(network, data, cr.SoftmaxCrossEntropy()).ok, f"{fault} in {part}"


class FaultyLoss(cr.SoftmaxCrossEntropy):
    """Forgets the 1 / N."""

    def __call__(self, outputs, targets, weights=None):
        value, gradient = super().__call__(outputs, targets, weights)
        return value, gradient * len(outputs)


def test_the_loss_is_checked_too_where_the_network_is_sure_of_itself():
    data = hard_data("one class")
    network = network_with("", "", data.sample_shape)
    network.values[...] *= 30
    rows = {row.name: row.ok for row in prove(network, data, FaultyLoss()).rows}
    assert [name for name, ok in rows.items() if not ok] == ["loss"]


def test_samples_are_of_several_classes_also_where_the_file_is_in_their_order():
    seen = []

    class Watch(cr.Layer):
        def forward(self, x, *, train=False, rng=None):
            seen.append(len(np.unique(np.round(x[:, 0]))))
            return x, None

        def backward(self, dy, cache, *, input_gradient=True):
            return dy

    y = np.repeat(np.arange(4), 500)
    network = cr.Sequential(Watch(), cr.Affine(4)).build((3,), seed=0)
    prove(network, cr.Dataset(np.repeat(100.0 * y[:, None], 3, axis=1), y), cr.SoftmaxCrossEntropy())
    assert set(seen) == {4}


def test_nothing_is_changed():
    data = hard_data("as it is")
    network = cr.models.resnet_mini().build(data.sample_shape, seed=0)
    before = {name: array.copy() for name, array in network.arrays.items()}
    prove(network, data, cr.SoftmaxCrossEntropy())
    for name, array in network.arrays.items():
        np.testing.assert_array_equal(array, before[name])
    assert not network.gradients.any()


def test_where_the_outputs_are_not_finite_nothing_is_compared():
    network = cr.Sequential(cr.Affine(3)).build((2,), seed=0)
    network.values[...] = np.inf
    with np.errstate(invalid="ignore"):
        report = prove(network, cr.Dataset(np.ones((5, 2)), np.zeros(5, int)), cr.SoftmaxCrossEntropy())
    assert report.ok
    assert report.compared == 0


def test_data_without_labels():
    network = cr.Sequential(cr.Affine(3)).build((2,), seed=0)
    with pytest.raises(DataError, match="no labels"):
        prove(network, cr.Dataset(np.ones((5, 2))), cr.SoftmaxCrossEntropy())
