"""The same bytes however many workers share a batch: tried with threads, which need no MPI."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chainrule as cr
from chainrule.errors import DivergenceError, OptionError
from chainrule.summation import PairwiseSum
from chainrule.training.parts import share_of


@given(parts=st.integers(1, 20), size=st.integers(1, 9), seed=st.integers(0, 99))
def test_a_sum_does_not_depend_on_who_adds_what(parts, size, seed):
    arrays = np.random.default_rng(seed).standard_normal((parts, 3)).astype(np.float32) ** 5
    whole = PairwiseSum(3)
    for number, array in enumerate(arrays):
        whole.add(number, 1, array.copy())
    together = PairwiseSum(3)
    covered = []
    for rank in range(size):
        own = PairwiseSum(3)
        for number in share_of(parts, rank, size):
            covered.append(number)
            own.add(number, 1, arrays[number].copy())
        for block in own.blocks:
            together.add(*block)
    assert covered == list(range(parts))
    assert together.result().tobytes() == whole.result().tobytes()
    np.testing.assert_allclose(whole.result(), arrays.sum(axis=0, dtype=np.float64), rtol=1e-4, atol=1e-3)


def test_a_sum_in_pairs_by_hand():
    """1 is lost beside 2^24 in float32: (1 + 1) + 2^24 keeps both, 1 + (1 + 2^24) neither."""
    numbers = [np.array([x], np.float32) for x in (1, 1, 2**24, 0)]
    total = PairwiseSum(1)
    for place, number in enumerate(numbers):
        total.add(place, 1, number.copy())
    assert total.result() == 2**24 + 2
    assert numbers[2] + numbers[1] + numbers[0] == 2**24


class InThreads:
    """Workers that are threads of this process."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.barrier = threading.Barrier(size, timeout=60)
        self.shared: list[PairwiseSum] = [PairwiseSum(0)] * size

    def worker(self, rank: int):
        everybody = self

        class Worker:
            stopping = False

            def rank_and_size(self):
                return rank, everybody.size

            def all_reduce(self, own, parts):
                everybody.shared[rank] = own
                everybody.barrier.wait()
                total = PairwiseSum(own.length, own.dtype)
                for other in everybody.shared:
                    for first, count, array in other.blocks:
                        total.add(first, count, array.copy())
                everybody.barrier.wait()
                return total.result()

        return Worker()


def batch_normed() -> cr.Sequential:
    return cr.Sequential(cr.Scale(1 / 255), cr.Conv2D(3, 3), cr.BatchNorm(), cr.ReLU(), cr.Flatten(), cr.Affine(10))


NETWORKS = {"two-layer": cr.models.two_layer, "cnn": cr.models.cnn, "batch norm": batch_normed}


def trained(make, data, worker=None, parts: int = 8, validation=None) -> cr.Trainer:
    net = make().build((1, 28, 28), seed=0)
    trainer = cr.Trainer(
        net,
        loss=cr.SoftmaxCrossEntropy(),
        optimizer=cr.Adam(0.01),
        seed=0,
        clip_norm=5.0,
        accumulate=parts,
        workers=worker,
    )
    list(trainer.fit(data, validation=validation, epochs=2, batch_size=20))
    return trainer


def state(trainer: cr.Trainer) -> list[bytes]:
    return [array.tobytes() for array in trainer.network.arrays.values()]


@pytest.mark.parametrize("name", NETWORKS)
def test_any_number_of_workers_comes_to_the_same_bytes(name, small):
    """The last batch has 7 samples, of which some of the workers have none."""
    data, test = cr.Dataset(small[0].x[:47], small[0].y[:47]), cr.Dataset(small[1].x[:20], small[1].y[:20])
    if name == "batch norm":  # which refuses parts of one sample of one number, not of one picture
        assert "running_mean" in "".join(batch_normed().build((1, 28, 28), seed=0).arrays)
    alone = trained(NETWORKS[name], data, validation=test)
    for size in (2, 3, 4, 8):
        workers, trainers = InThreads(size), {}

        def train(rank: int, workers: InThreads = workers, trainers: dict = trainers) -> None:
            trainers[rank] = trained(NETWORKS[name], data, workers.worker(rank), validation=test)

        threads = [threading.Thread(target=train, args=(rank,)) for rank in range(size)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for trainer in trainers.values():
            assert state(trainer) == state(alone)
            assert [(e.train_loss, e.validation_loss) for e in trainer.history] == [
                (e.train_loss, e.validation_loss) for e in alone.history
            ]
        assert len(trainers) == size


def test_running_statistics_are_the_mean_of_the_parts():
    """By hand: two parts of two samples, momentum 0.5, from mean 0 and variance 1."""
    x = np.array([[1.0], [3.0], [5.0], [11.0]], np.float32)
    net = cr.Sequential(cr.BatchNorm(momentum=0.5), cr.Affine(1)).build((1,), seed=0)
    trainer = cr.Trainer(net, loss=cr.MeanSquaredError(), optimizer=cr.SGD(0.1), accumulate=2)

    class InOrder(cr.Dataset):
        def batches(self, batch_size, rng=None, *, start=0):
            yield x, x

    list(trainer.steps(InOrder(x, x), batch_size=4))
    norm = net.layers[0]
    # means 2 and 8; variances, divided by one less than the count, 2 and 18
    assert norm.running_mean.value == 0.5 * 0 + 0.5 * (2 + 8) / 2
    assert norm.running_variance.value == 0.5 * 1 + 0.5 * (2 + 18) / 2


def test_too_many_workers_are_refused():
    net = cr.Sequential(cr.Affine(2)).build((3,), seed=0)
    with pytest.raises(OptionError, match=r"2 workers need a batch in 2 parts or more, got accumulate=1"):
        cr.Trainer(net, loss=cr.MeanSquaredError(), optimizer=cr.SGD(0.1), workers=InThreads(2).worker(0))


def test_a_part_that_diverges_is_told_by_the_whole():
    x = np.full((8, 3), 1e30, np.float32)
    net = cr.Sequential(cr.Affine(2)).build((3,), seed=0)
    trainer = cr.Trainer(net, loss=cr.MeanSquaredError(), optimizer=cr.SGD(0.1), accumulate=4)
    with pytest.raises(DivergenceError, match="the loss became"):
        list(trainer.steps(cr.Dataset(x, np.zeros((8, 2), np.float32)), batch_size=8))


def test_all_end_after_the_same_step_when_one_is_asked_to(small):
    workers = InThreads(1).worker(0)
    net = cr.models.two_layer().build((1, 28, 28), seed=0)
    trainer = cr.Trainer(net, loss=cr.SoftmaxCrossEntropy(), optimizer=cr.SGD(0.1), accumulate=2, workers=workers)
    with pytest.raises(KeyboardInterrupt):
        for step in trainer.steps(small[0]):
            assert step.number < 3
            workers.stopping = step.number == 2
    assert trainer.step == 3
