"""Training: reproducible, resumable bit for bit at any step, and clear errors when it diverges."""

import csv
import math
import os
import signal
import time
from copy import deepcopy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chainrule as cr
from chainrule.errors import DataError, DivergenceError, ModelFileError, OptionError
from chainrule.io import load_checkpoint, save_checkpoint
from chainrule.parameters import flat_buffers, held
from chainrule.training import find_learning_rate, write_history


class Noise(cr.Layer):
    """Uses random numbers in training, like dropout, and keeps a running mean, like batch norm."""

    def build(self, shape, rng):
        self.mean = cr.Buffer(np.zeros(shape, np.float32))
        return shape

    def forward(self, x, *, train=False, rng=None):
        if not train:
            return x, None
        self.mean.value += 0.1 * (x.mean(axis=0) - self.mean.value)
        return x + 0.1 * rng.standard_normal(x.shape).astype(x.dtype), None

    def backward(self, dy, cache, *, input_gradient=True):
        return dy


def data(samples: int = 23) -> cr.Dataset:
    rng = np.random.default_rng(1)
    y = rng.integers(0, 3, samples)
    return cr.Dataset((rng.standard_normal((samples, 5)) + 2 * np.eye(3, 5)[y]).astype(np.float32), y)


def trainer(momentum: float = 0.9, seed: int = 0, rate: float = 0.05, accumulate: int = 1) -> cr.Trainer:
    net = cr.Sequential(cr.Affine(6), Noise(), cr.Tanh(), cr.Affine(3)).build((5,), seed=seed)
    optimizer = cr.SGD(rate, momentum=momentum)
    return cr.Trainer(net, loss=cr.SoftmaxCrossEntropy(), optimizer=optimizer, seed=seed, accumulate=accumulate)


class Tells(cr.SGD):
    """SGD that records which gradients still had a product pending."""

    def apply(self, values, gradients, parameters, rate):
        self.waited = [parameter.waits for parameter in parameters]
        super().apply(values, gradients, parameters, rate)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_large_weights_need_no_gradient_in_memory(momentum, monkeypatch):
    """The bytes equal those of a gradient that is written out and an update that reads it."""
    rng = np.random.default_rng(0)
    some = cr.Dataset(rng.standard_normal((90, 600)).astype(np.float32), rng.integers(0, 10, 90))

    def trained(large: int, **options) -> tuple[list[bool], list[bytes]]:
        monkeypatch.setattr("chainrule.training.trainer._LARGE", large)
        net = cr.Sequential(cr.Affine(500), cr.ReLU(), cr.Affine(20), cr.ReLU(), cr.Affine(10)).build((600,), seed=0)
        optimizer = Tells(0.05, momentum=momentum)
        t = cr.Trainer(net, loss=cr.SoftmaxCrossEntropy(), optimizer=optimizer, **options)
        list(t.fit(some, epochs=2, batch_size=40))
        assert not net.gradients.any()
        return optimizer.waited, state(t)

    waited, arrays = trained(1 << 18)
    assert waited == [cr.kernels.NATIVE] + [False] * 5
    assert trained(1 << 30) == ([False] * 6, arrays)
    assert trained(1 << 18, clip_norm=1e9) == ([False] * 6, arrays)
    assert trained(1 << 18, accumulate=2)[0] == [False] * 6


def test_whoever_reads_a_gradient_finds_what_waits():
    x, dy = np.ones((3, 2), np.float32), np.full((3, 4), 2, np.float32)
    for look in (lambda p: p.grad, lambda p: flat_buffers([p])[1].reshape(2, 4), lambda p: deepcopy(p).grad):
        parameter = cr.Parameter(np.zeros((2, 4), np.float32))
        with held([parameter]):
            parameter.add_product(x, dy)
            assert parameter.waits
            assert look(parameter).tolist() == [[6] * 4] * 2
            parameter.add_product(x, dy)
            parameter.add_product(x, dy)
        assert not parameter.waits
        assert parameter.grad.tolist() == [[18] * 4] * 2


def full_trainer() -> cr.Trainer:
    """Everything that has state: dropout, batch norm, Adam on a schedule, clipping, averaged weights."""
    net = cr.Sequential(cr.Affine(6), cr.BatchNorm(), cr.ReLU(), cr.Dropout(0.2), cr.Affine(3)).build((5,), seed=0)
    optimizer = cr.AdamW(cr.Warmup(cr.Cosine(0.05, steps=12), 5))
    return cr.Trainer(
        net,
        loss=cr.SoftmaxCrossEntropy(label_smoothing=0.1),
        optimizer=optimizer,
        clip_norm=0.5,
        average=cr.WeightAverage(0.9),
    )


def state(t: cr.Trainer) -> list[bytes]:
    return [array.tobytes() for array in t.network.arrays.values()]


def numbers(t: cr.Trainer) -> list[tuple]:
    """The history without its times."""
    return [
        (e.number, e.step, e.train_loss, e.train_accuracy, e.validation_loss, e.validation_accuracy) for e in t.history
    ]


def test_learns_and_records():
    t = trainer()
    epochs = list(t.fit(data(), validation=data(10), epochs=30, batch_size=4))
    assert [e.number for e in epochs] == list(range(1, 31))
    assert epochs[-1].step == t.step == 30 * 6
    assert epochs[-1].train_loss < epochs[0].train_loss / 2
    assert epochs[-1].train_accuracy > 0.8
    assert epochs[-1].validation_loss == pytest.approx(cr.evaluate(t.network, data(10)).loss)
    assert t.history == epochs
    assert "validation loss" in str(epochs[0])


def test_stopping_early_is_break():
    t = trainer()
    for epoch in t.fit(data(), epochs=10, batch_size=5):
        if epoch.number == 3:
            break
    assert t.epoch == 3
    assert [e.number for e in t.fit(data(), epochs=5, batch_size=5)] == [4, 5]


def test_same_seed_same_bytes_other_seed_others():
    def run(seed: int) -> list[bytes]:
        t = trainer(seed=seed)
        list(t.fit(data(), epochs=2, batch_size=4))
        return state(t)

    assert run(3) == run(3) != run(4)


def test_steps_tell_where_they_are():
    t = trainer()
    steps = list(t.steps(data(), batch_size=10))
    assert [(s.number, s.epoch, s.position, s.steps_in_epoch, s.images) for s in steps] == [
        (1, 1, 1, 3, 10),
        (2, 1, 2, 3, 10),
        (3, 1, 3, 3, 3),
    ]
    assert all(s.loss > 0 and 0 <= s.accuracy <= 1 and s.images_per_second > 0 for s in steps)
    assert list(t.steps(data(), batch_size=10)) == []  # the epoch is finished and waits to be closed
    record = t.end_epoch()
    assert record.train_loss == pytest.approx(sum(s.loss * s.images for s in steps) / 23)
    assert record.train_accuracy == pytest.approx(sum(s.accuracy * s.images for s in steps) / 23)
    assert record.validation_loss is None
    steps = list(t.steps(data(), batch_size=10))  # nothing of the first epoch carries over into the second
    record = t.end_epoch()
    assert record.train_loss == pytest.approx(sum(s.loss * s.images for s in steps) / 23)
    assert record.train_accuracy == pytest.approx(sum(s.accuracy * s.images for s in steps) / 23)


@settings(max_examples=15, deadline=None)
@given(stop=st.integers(0, 18), make=st.sampled_from([trainer, lambda: trainer(0, accumulate=2), full_trainer]))
def test_resumed_training_equals_uninterrupted_training_bit_for_bit(tmp_path_factory, stop, make):
    path = tmp_path_factory.mktemp("run") / "checkpoint"
    whole = make()
    list(whole.fit(data(), validation=data(10), epochs=3, batch_size=4))

    first = make()
    while first.step < stop:  # stop after any step, in the middle of an epoch or at its end
        for _ in first.steps(data(), batch_size=4):
            if first.step == stop:
                break
        else:
            first.end_epoch(data(10))
    first.save(path, {"any": "thing"})
    second = make()
    second.network.values[...] = 7  # whatever it held before
    assert second.resume(path) == {"any": "thing"}
    assert second.step == stop
    list(second.fit(data(), validation=data(10), epochs=3, batch_size=4))
    assert state(second) == state(whole)
    assert numbers(second) == numbers(whole)
    if whole.average is not None:
        for name, array in whole.average.state.items():
            assert array.tobytes() == second.average.state[name].tobytes()
    assert second.optimizer.steps == whole.optimizer.steps == 18
    assert second.best.number == whole.best.number
    for t in (second, whole):
        t.use_best()
    assert state(second) == state(whole)


def test_the_rate_of_each_step_and_epoch_is_told():
    t = full_trainer()
    rates = [step.learning_rate for step in t.steps(data(), batch_size=4)]
    expected = [t.optimizer.learning_rate(step) for step in range(6)]
    assert rates == expected
    assert t.end_epoch().learning_rate == expected[-1]


def test_validation_measures_the_averaged_weights():
    t = full_trainer()
    (epoch,) = t.fit(data(), validation=data(10), epochs=1, batch_size=4)
    own = cr.evaluate(t.network, data(10), t.loss).loss
    with t.average.applied(t.network):
        assert epoch.validation_loss == cr.evaluate(t.network, data(10), t.loss).loss != own


def test_parts_of_a_batch_add_up_to_its_gradient():
    def train(accumulate: int, batch_size: int) -> cr.Trainer:
        net = cr.Sequential(cr.Affine(6), cr.Tanh(), cr.Affine(3)).build((5,), seed=0)
        t = cr.Trainer(net, loss=cr.SoftmaxCrossEntropy(), optimizer=cr.SGD(0.1), seed=0, accumulate=accumulate)
        list(t.fit(data(), epochs=2, batch_size=batch_size))
        return t

    for batch_size in (10, 23):
        whole = train(1, batch_size)
        for parts in (2, 3, 7, 100):  # asking for more parts than samples gives as many parts as samples
            divided = train(parts, batch_size)
            np.testing.assert_allclose(divided.network.values, whole.network.values, rtol=0, atol=1e-6)
            for a, b in zip(divided.history, whole.history, strict=True):
                assert (a.train_loss, a.train_accuracy) == pytest.approx((b.train_loss, b.train_accuracy))
    with pytest.raises(OptionError, match="accumulate must be 1 part or more, got 0"):
        train(0, 10)


@pytest.mark.parametrize(
    ("samples", "accumulate", "parts"), [(10, 2, [5, 5]), (10, 3, [3, 4, 3]), (3, 7, [1, 1, 1]), (1, 2, [1])]
)
def test_a_batch_is_divided_into_as_many_parts_as_asked_for(samples, accumulate, parts):
    seen = []

    class Spy(cr.Layer):
        def forward(self, x, *, train=False, rng=None):
            seen.append(len(x))
            return x, None

        def backward(self, dy, cache, *, input_gradient=True):
            return dy

    net = cr.Sequential(Spy(), cr.Affine(3)).build((5,), seed=0)
    t = cr.Trainer(net, loss=cr.SoftmaxCrossEntropy(), optimizer=cr.SGD(0.1), accumulate=accumulate)
    next(t.steps(data(samples), batch_size=samples))
    assert seen == parts


@pytest.mark.parametrize("make", [trainer, full_trainer])
def test_the_best_weights_are_kept_when_training_goes_on_and_gets_worse(make):
    t = make()
    with pytest.raises(OptionError, match="no epoch was evaluated"):
        t.use_best()
    for epoch in t.fit(data(), validation=data(200), epochs=40, batch_size=4):
        if epoch.number == 8:
            t.optimizer.learning_rate = 3.0  # from here on it destroys what it has learned
        if epoch.number - t.best.number >= 3:
            break
    assert t.epoch == t.best.number + 3 < 40
    order = [(e.validation_accuracy, -e.validation_loss) for e in t.history]
    assert order.index(max(order)) == t.best.number - 1
    assert t.use_best() is t.best
    assert cr.evaluate(t.network, data(200), t.loss).loss == t.best.validation_loss


def test_epochs_without_validation_are_never_the_best():
    t = trainer()
    list(t.fit(data(), epochs=2))
    assert t.best is None
    list(t.fit(data(), validation=data(10), epochs=3))
    assert t.best.number == 3


def test_the_average_is_taken_for_good():
    t = full_trainer()
    list(t.fit(data(), epochs=2, batch_size=4))
    t.use_average()
    np.testing.assert_array_equal(t.network.values, t.average.state["values"])
    plain = trainer()
    before = plain.network.values.copy()
    plain.use_average()  # there is none
    np.testing.assert_array_equal(plain.network.values, before)


def test_clipping_bounds_what_one_step_can_do():
    net = cr.Sequential(cr.Affine(3)).build((5,), seed=0)
    before = net.values.copy()
    t = cr.Trainer(net, loss=cr.SoftmaxCrossEntropy(), optimizer=cr.SGD(1.0), clip_norm=0.01)
    next(t.steps(data(), batch_size=23))
    assert np.linalg.norm(net.values - before) == pytest.approx(0.01, rel=1e-3)


def test_range_test_proposes_a_rate_that_trains_and_leaves_the_network_alone():
    net = cr.Sequential(cr.Affine(16), cr.ReLU(), cr.Affine(3)).build((5,), seed=0)
    before = net.values.copy()
    seen = []
    found = find_learning_rate(
        net,
        data(200),
        loss=cr.SoftmaxCrossEntropy(),
        optimizer=cr.SGD,
        batch_size=10,
        last=1e4,
        steps=120,
        follow=seen.append,
    )
    np.testing.assert_array_equal(net.values, before)
    assert not net.gradients.any()
    assert len(found.rates) == len(found.losses) == len(found.smoothed) == len(seen) < 120  # the end was not reached
    assert found.rates[0] == pytest.approx(1e-6)
    np.testing.assert_allclose(np.diff(np.log(found.rates)), np.log(1e10) / 119, rtol=1e-9)
    assert 1e-3 < found.proposal < 1
    means = [np.mean(found.losses[max(i - 6, 0) : i + 7]) for i in range(len(seen))]  # a twentieth of 120 each
    np.testing.assert_allclose(found.smoothed, means)
    assert found.proposal == pytest.approx(found.rates[np.argmin(means)] / 3, rel=0.05)
    assert str(found) == (
        f"learning rate {found.proposal:.2g} (of {len(seen)} tried from 1e-06 to {found.rates[-1]:.2g})"
    )
    with pytest.raises(AttributeError):
        found.proposal = 1.0  # a measurement is not changed afterwards
    t = cr.Trainer(net, loss=cr.SoftmaxCrossEntropy(), optimizer=cr.SGD(found.proposal))
    *_, last = t.fit(data(200), epochs=20, batch_size=10)
    assert last.train_accuracy > 0.85


def test_range_test_that_cannot_be():
    net, loss = cr.Sequential(cr.Affine(3)).build((5,), seed=0), cr.SoftmaxCrossEntropy()
    with pytest.raises(OptionError, match="needs 0 < first < last and 10 steps or more"):
        find_learning_rate(net, data(), loss=loss, optimizer=cr.SGD, first=1, last=0.1)
    with pytest.raises(OptionError, match="needs 0 < first < last and 10 steps or more"):
        find_learning_rate(net, data(), loss=loss, optimizer=cr.SGD, steps=5)
    net = cr.Sequential(cr.Affine(6), cr.ReLU(), cr.Affine(3)).build((5,), seed=0)
    with pytest.raises(DivergenceError):
        find_learning_rate(net, data(), loss=loss, optimizer=cr.SGD, first=1e30, last=1e31)


def test_ctrl_c_stops_between_steps_saves_and_says_how_to_go_on(tmp_path):
    path = tmp_path / "checkpoint"

    class Interrupting(cr.Layer):
        """Sends a real SIGINT to this process in the middle of a step."""

        calls = 0

        def forward(self, x, *, train=False, rng=None):
            if train:
                Interrupting.calls += 1
                if Interrupting.calls == 8:
                    os.kill(os.getpid(), signal.SIGINT)
            return x, None

        def backward(self, dy, cache, *, input_gradient=True):
            return dy

    def make() -> cr.Trainer:
        net = cr.Sequential(cr.Affine(3), Interrupting()).build((5,), seed=0)
        return cr.Trainer(net, loss=cr.SoftmaxCrossEntropy(), optimizer=cr.SGD(0.1), seed=0)

    first = make()
    with pytest.raises(KeyboardInterrupt) as caught:
        list(first.fit(data(), epochs=3, batch_size=4, checkpoint=path))
    assert first.step == 8  # the current step was finished
    assert f"saved after step 8: continue with trainer.resume({str(path)!r})" in caught.value.__notes__
    second, whole = make(), make()
    second.resume(path)
    assert second.step == 8
    list(second.fit(data(), epochs=3, batch_size=4))
    list(whole.fit(data(), epochs=3, batch_size=4))
    assert state(second) == state(whole)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("rate", [1e38, 3e38])
def test_divergence_is_told_and_the_last_good_checkpoint_stays(tmp_path, rate):
    path = tmp_path / "checkpoint"
    t = trainer(momentum=0)
    list(t.fit(data(), epochs=1, batch_size=4, checkpoint=path))
    good = path.read_bytes()
    t.optimizer.learning_rate = rate
    with pytest.raises(
        DivergenceError, match=r"at step \d+ \(epoch \d\) with learning rate .*: try a smaller one, such"
    ) as told:
        list(t.fit(data(), epochs=5, batch_size=4, checkpoint=path))
    assert f"such as {rate / 10:g}, and" in str(told.value)
    assert path.read_bytes() == good
    with pytest.raises(DivergenceError, match="the parameters became NaN or infinite"):
        t.network.values[0] = np.nan
        t.save(path)
    assert path.read_bytes() == good


def test_checkpoints_of_something_else_are_refused(tmp_path):
    path = tmp_path / "checkpoint"
    t = trainer()
    list(t.fit(data(), epochs=1, batch_size=4, checkpoint=path))
    other = cr.Sequential(cr.Affine(3)).build((5,), seed=0)
    loss, sgd = cr.SoftmaxCrossEntropy(), cr.SGD(0.05, momentum=0.9)
    with pytest.raises(ModelFileError, match="was saved with a different network"):
        cr.Trainer(other, loss=loss, optimizer=sgd).resume(path)
    with pytest.raises(ModelFileError, match="was saved with a different optimizer"):
        trainer(momentum=0.5).resume(path)
    with pytest.raises(ModelFileError, match="was saved with a different clip_norm"):
        cr.Trainer(t.network, loss=loss, optimizer=sgd, clip_norm=1.0).resume(path)
    with pytest.raises(ModelFileError, match="was saved with a different average"):
        cr.Trainer(t.network, loss=loss, optimizer=sgd, average=cr.WeightAverage()).resume(path)
    with pytest.raises(ModelFileError, match="was saved with a different accumulate"):
        cr.Trainer(t.network, loss=loss, optimizer=sgd, accumulate=2).resume(path)
    with pytest.raises(ModelFileError, match="was saved with a different loss"):
        cr.Trainer(t.network, loss=cr.MeanSquaredError(), optimizer=sgd).resume(path)
    cr.save(other, path)
    with pytest.raises(ModelFileError, match="is not a checkpoint"):
        trainer().resume(path)
    before = state(t)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ModelFileError, match="cut off"):
        t.resume(path)
    assert state(t) == before


def test_a_checkpoint_of_before_there_were_parts_and_a_best_epoch_goes_on(tmp_path):
    t = trainer()
    list(t.fit(data(), epochs=1, batch_size=4, checkpoint=tmp_path / "now"))
    progress = load_checkpoint(tmp_path / "now").progress
    old = {name: value for name, value in progress.items() if name not in ("accumulate", "best")}
    save_checkpoint(tmp_path / "then", t.network, t.optimizer, old)
    again = trainer(seed=1)
    again.resume(tmp_path / "then")
    assert (again.best, again.step) == (None, t.step)
    for one in (t, again):
        list(one.fit(data(), epochs=2, batch_size=4))
    assert state(again) == state(t)


def test_going_on_with_another_batch_size_in_the_middle_of_an_epoch():
    t = trainer()
    next(t.steps(data(), batch_size=4))
    with pytest.raises(OptionError, match="the current epoch was started with"):
        next(t.steps(data(), batch_size=5))


def test_a_batch_of_one_trains_and_one_of_none_is_refused():
    t = trainer()
    assert [step.images for step in t.steps(data(3), batch_size=1)] == [1, 1, 1]
    t.end_epoch()
    with pytest.raises(OptionError, match="batch_size must be 1 or more, got 0"):
        next(t.steps(data(3), batch_size=0))


def test_targets_that_are_no_classes():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40, 3)).astype(np.float32)
    regression = cr.Dataset(x, x @ np.array([[1.0], [2], [3]], np.float32))
    net = cr.Sequential(cr.Affine(1)).build((3,), seed=0)
    t = cr.Trainer(net, loss=cr.MeanSquaredError(), optimizer=cr.SGD(0.1), seed=0)
    epochs = list(t.fit(regression, validation=regression, epochs=60, batch_size=10))
    assert epochs[-1].validation_loss < 1e-4
    assert epochs[-1].train_accuracy is epochs[-1].validation_accuracy is None
    np.testing.assert_allclose(net.arrays["0.Affine.W"][:, 0], [1, 2, 3], atol=0.02)
    assert cr.evaluate(net, regression, cr.MeanSquaredError()).confusion is None


def test_data_without_labels():
    unlabelled = cr.Dataset(np.zeros((4, 5), np.float32))
    with pytest.raises(DataError, match="no labels to learn from"):
        list(trainer().fit(unlabelled, epochs=1))
    with pytest.raises(DataError, match="no labels to compare with"):
        cr.evaluate(trainer().network, unlabelled)


def test_evaluation_does_not_depend_on_the_batch_size():
    net = trainer().network
    one, many = cr.evaluate(net, data(), batch_size=1), cr.evaluate(net, data(), batch_size=1000)
    assert one.loss == pytest.approx(many.loss)
    assert one.accuracy == many.accuracy
    np.testing.assert_array_equal(one.confusion, many.confusion)
    assert one.confusion.sum() == one.n == 23
    assert "on 23 samples" in str(one)
    with pytest.raises(AttributeError):
        one.loss = 0.0  # a measurement is not changed afterwards


def test_evaluation_by_hand():
    net = cr.Sequential(cr.Scale(1.0)).build((2,))
    x = np.log(np.array([[3.0, 1], [1, 1], [1, 3], [3, 1], [3, 1]]))  # softmax: 3/4, 1/2, 1/4, 3/4, 3/4 for class 0
    for batch_size in (2, 1000):
        report = cr.evaluate(net, cr.Dataset(x, np.array([0, 0, 1, 1, 0])), batch_size=batch_size)
        assert report.loss == pytest.approx((3 * math.log(4 / 3) + math.log(2) + math.log(4)) / 5)
        assert report.accuracy == 0.8
        assert report.confusion.tolist() == [[3, 0], [1, 1]]
        # confidences of 3/4 are right three times in four, the one of 1/2 is right: a gap of 1/2 over a fifth
        assert report.calibration_error == pytest.approx(0.5 / 5)
        assert str(report) == f"accuracy 80.00%, loss {report.loss:.4f} on 5 samples"


def test_history_as_csv(tmp_path):
    t = trainer()
    list(t.fit(data(), epochs=2, batch_size=4))
    write_history(t.history, tmp_path / "history.csv")
    rows = list(csv.DictReader((tmp_path / "history.csv").read_text().splitlines()))
    assert [float(row["train_loss"]) for row in rows] == [e.train_loss for e in t.history]
    assert rows[0]["validation_accuracy"] == ""


def test_what_the_caller_does_between_steps_is_not_training():
    t = trainer()
    for _ in t.steps(data(), batch_size=8):  # 3 steps, each a millisecond or less
        time.sleep(0.4)
    epoch = t.end_epoch()
    assert epoch.seconds < 0.4  # including a pause it would be more


@pytest.mark.parametrize(
    ("confusion", "loss", "told"),
    [
        ([[5, 0], [0, 5]], 0.1, None),
        ([[5, 0], [0, 5]], 1.38, None),  # twice ln 2 is 1.386
        ([[5, 0], [0, 5]], 1.39, "the loss of 1.39 is far above the 0.693 of a constant prediction"),
        ([[5, 0], [0, 5]], 3e29, "the loss of 3e+29 is far above the 0.693 of a constant prediction"),
        ([[9, 0], [1, 0]], 0.5, "an accuracy of 90.00% is no better than always answering the most frequent class"),
        ([[9, 0], [0, 1]], 0.5, None),
        ([[10, 0], [0, 0]], 0.0, None),  # there is only one class, and it is right
    ],
)
def test_a_network_worse_than_a_constant_answer_is_told(confusion, loss, told):
    confusion = np.array(confusion)
    report = cr.training.Evaluation(loss, float(np.trace(confusion) / 10), confusion, 0.0, 10)
    assert report.trouble == told
    assert (told or "samples") in str(report)
