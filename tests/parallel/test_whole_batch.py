"""BatchNorm over the whole batch: the gradients of one undivided batch, the same bytes from any number of workers."""

import threading

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import DivergenceError, ModelFileError, OptionError, ShapeError
from parallel.test_parts import InThreads, state


def network() -> cr.Sequential:
    """A BatchNorm by itself, one fused with its ReLU, and one within a branch."""
    return cr.Sequential(
        cr.Scale(1 / 255),
        cr.BatchNorm(),
        cr.Conv2D(3, 3),
        cr.BatchNorm(),
        cr.ReLU(),
        cr.Residual(cr.Sequential(cr.Conv2D(3, 3, padding=1), cr.BatchNorm())),
        cr.Flatten(),
        cr.Affine(6),
        cr.BatchNorm(),
        cr.ReLU(),
        cr.Affine(10),
    )


def data(samples: int = 47) -> cr.Dataset:
    rng = np.random.default_rng(0)
    return cr.Dataset(rng.integers(0, 255, (samples, 1, 8, 8), np.uint8), np.arange(samples) % 10)


def trained(parts: int, worker=None, dtype: str = "float32", epochs: int = 2) -> cr.Trainer:
    net = network().build((1, 8, 8), seed=0).astype(dtype)
    trainer = cr.Trainer(
        net,
        loss=cr.SoftmaxCrossEntropy(),
        optimizer=cr.SGD(0.1),
        accumulate=parts,
        batch_norm="batch",
        workers=worker,
    )
    list(trainer.fit(data(), epochs=epochs, batch_size=20))
    return trainer


@pytest.mark.parametrize("parts", [2, 5, 8, 20])
def test_parts_come_to_the_gradients_of_the_undivided_batch(parts):
    """To the digits of float64; 20 parts have one sample each."""
    whole, divided = trained(1, dtype="float64"), trained(parts, dtype="float64")
    for one, many in zip(whole.network.arrays.values(), divided.network.arrays.values(), strict=True):
        np.testing.assert_allclose(many, one, rtol=1e-8, atol=1e-11)
    own = cr.Trainer(
        network().build((1, 8, 8), seed=0).astype("float64"),
        loss=cr.SoftmaxCrossEntropy(),
        optimizer=cr.SGD(0.1),
        accumulate=2,
    )
    list(own.fit(data(), epochs=2, batch_size=20))
    assert np.abs(own.network.values - whole.network.values).max() > 1e-3  # parts by themselves are another thing


def test_its_backward_pass_agrees_with_numerical_derivatives():
    """Of the loss of a batch in three parts, with respect to every parameter of a small network."""
    net = cr.Sequential(cr.Affine(3), cr.BatchNorm(), cr.ReLU(), cr.Affine(2)).build((4,), seed=0).astype("float64")
    rng = np.random.default_rng(1)
    net.values[...] += rng.normal(0, 0.3, net.values.shape)
    x, labels = rng.normal(size=(9, 4)), np.arange(9) % 2
    loss = cr.SoftmaxCrossEntropy()
    before = net.values.copy()
    trainer = cr.Trainer(net, loss=loss, optimizer=cr.SGD(1.0), accumulate=3, batch_norm="batch")

    class InOrder(cr.Dataset):
        def batches(self, batch_size, rng=None, *, start=0):
            yield x, labels

    list(trainer.steps(InOrder(x, labels), batch_size=9))
    gradient = before - net.values  # a step at rate 1
    net.values[...] = before

    def value(moved: np.ndarray) -> float:
        net.values[...] = moved
        return loss(net.forward(x, train=True)[0], labels)[0]

    for index in range(len(before)):
        step = np.zeros_like(before)
        step[index] = 1e-6
        numerical = (value(before + step) - value(before - step)) / 2e-6
        assert abs(numerical - gradient[index]) < 1e-7


def test_any_number_of_workers_comes_to_the_same_bytes():
    """The last batch has 7 samples, of which some of the workers have none."""
    alone = state(trained(8))
    for size in (2, 3, 4, 8):
        workers, states = InThreads(size), {}

        def train(rank: int, workers: InThreads = workers, states: dict = states) -> None:
            states[rank] = state(trained(8, workers.worker(rank)))

        threads = [threading.Thread(target=train, args=(rank,)) for rank in range(size)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [states[rank] == alone for rank in range(size)] == [True] * size


def test_a_part_that_fails_ends_them_all():
    net = cr.Sequential(cr.BatchNorm(), cr.Affine(2)).build((3,), seed=0)
    trainer = cr.Trainer(net, loss=cr.MeanSquaredError(), optimizer=cr.SGD(0.1), accumulate=4, batch_norm="batch")
    before = threading.active_count()
    x = np.ones((8, 3), np.float32)
    x[5] = 1e30
    with pytest.raises(DivergenceError, match="the loss became"):
        list(trainer.steps(cr.Dataset(x, np.full((8, 2), 1e30, np.float32)), batch_size=8))
    with pytest.raises(ShapeError, match="cannot train on a batch of one"):
        list(trainer.steps(cr.Dataset(x[:1], np.zeros((1, 2), np.float32)), batch_size=1))
    assert threading.active_count() == before


def test_it_is_an_option_that_a_checkpoint_remembers(tmp_path):
    with pytest.raises(OptionError, match="batch_norm must be part or batch, got 'all'"):
        cr.Trainer(network(), loss=cr.SoftmaxCrossEntropy(), optimizer=cr.SGD(0.1), batch_norm="all")
    trainer = trained(4)
    trainer.save(tmp_path / "c.safetensors")
    other = cr.Trainer(trainer.network, loss=cr.SoftmaxCrossEntropy(), optimizer=cr.SGD(0.1), accumulate=4)
    with pytest.raises(ModelFileError, match="saved with a different batch_norm"):
        other.resume(tmp_path / "c.safetensors")
