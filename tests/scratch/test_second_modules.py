"""The second book's modules on their own: lists besides dicts, words, the learner's data, and rejected input."""

import sys

import numpy as np
import pytest

from chainrule.errors import DataError, OptionError, ShapeError
from chainrule.scratch import layers, optimizer, time_layers, trainer, util
from chainrule.scratch.dataset import ptb, sequence, spiral

RNG = np.random.default_rng(0)
KINDS = ["SGD", "Momentum", "Nesterov", "AdaGrad", "RMSprop", "Adam"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A learner's folder `dataset` beside the running script."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "dataset").mkdir()
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "script.py")])
    monkeypatch.setattr(sequence, "char_to_id", {})
    monkeypatch.setattr(sequence, "id_to_char", {})
    return tmp_path / "dataset"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_optimizers_do_the_same_to_lists_and_dicts(kind, dtype):
    arrays = [RNG.standard_normal(shape).astype(dtype) for shape in ((3, 4), (4,))]
    listed, named = [a.copy() for a in arrays], {key: a.copy() for key, a in zip("Wb", arrays, strict=True)}
    kept = listed[0]
    one, other = getattr(optimizer, kind)(lr=0.1), getattr(optimizer, kind)(lr=0.1)
    for _ in range(3):
        grads = [RNG.standard_normal(a.shape).astype(dtype) for a in arrays]
        one.update(listed, grads)
        other.update(named, dict(zip("Wb", grads, strict=True)))
    assert listed[0] is kept
    for a, b in zip(listed, named.values(), strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == dtype


def test_layers_have_the_gradients_of_both_books():
    affine = layers.Affine(RNG.standard_normal((3, 2)), np.zeros(2))
    late = layers.Affine(affine.W, affine.b)
    grads = affine.grads
    x, dout = RNG.standard_normal((4, 3)), RNG.standard_normal((4, 2))
    for layer in (affine, late):
        layer.forward(x)
        layer.backward(dout)
    assert affine.params[0] is affine.W
    assert affine.grads is grads
    for layer in (affine, late):
        np.testing.assert_allclose(layer.grads[0], x.T @ dout)
        np.testing.assert_array_equal(layer.grads[1], layer.db)
    first = affine.dW
    affine.backward(2 * dout)
    np.testing.assert_allclose(2 * first, affine.dW)  # the first book's gradients are new arrays each time
    assert layers.Relu().params == layers.SoftmaxWithLoss().grads == []


def test_shared_weights_get_the_sum_of_their_gradients():
    W, b = RNG.standard_normal((3, 2)), np.zeros(3)
    grads = [np.ones((3, 2)), np.full((3, 2), 2.0), np.full((2, 3), 4.0), np.ones(3)]
    params, summed = trainer.remove_duplicate([W, W, W.T, b], grads)
    assert [param is other for param, other in zip(params, (W, b), strict=True)] == [True, True]
    np.testing.assert_array_equal(summed[0], np.full((3, 2), 7.0))
    other = np.zeros((3, 3)), np.zeros((3, 3))
    assert len(trainer.remove_duplicate(other, other)[0]) == 2  # equal values are not the same weights


def test_gradients_are_clipped_together():
    grads = [np.array([3.0, 0.0]), np.array([[4.0]])]
    util.clip_grads(grads, 10)
    assert grads[0][0] == 3
    util.clip_grads(grads, 1)
    np.testing.assert_allclose([grads[0][0], grads[1][0, 0]], [0.6, 0.8], rtol=1e-6)


def test_a_trainer_is_the_second_books_where_it_is_called_that_way():
    second = trainer.Trainer(object(), optimizer.SGD())
    assert second.loss_list == []
    assert trainer.Trainer(model=object(), optimizer=optimizer.SGD()).current_epoch == 0
    first = trainer.Trainer(object(), *(np.zeros((5, 2)),) * 4, mini_batch_size=5, optimizer="adam")
    assert first.max_iter == 20
    with pytest.raises(OptionError, match="5 samples do not fill one batch of 32"):
        second.fit(np.zeros((5, 2)), np.zeros(5))
    with pytest.raises(OptionError, match="9 words do not fill one step of 20 x 35"):
        trainer.RnnlmTrainer(object(), optimizer.SGD()).fit(np.zeros(9), np.zeros(9))


def test_batches_of_a_text_go_on_side_by_side():
    loop = trainer.RnnlmTrainer(object(), optimizer.SGD())
    x = np.arange(10)
    np.testing.assert_array_equal(loop.get_batch(x, x + 1, 2, 3)[0], [[0, 1, 2], [5, 6, 7]])
    xs, ts = loop.get_batch(x, x + 1, 2, 3)
    np.testing.assert_array_equal(xs, [[3, 4, 5], [8, 9, 0]])
    np.testing.assert_array_equal(ts[1], [9, 10, 1])
    assert xs.dtype == np.int32


def test_words_are_counted_and_compared():
    corpus, word_to_id, id_to_word = util.preprocess("A rose is a rose.")
    np.testing.assert_array_equal(corpus, [0, 1, 2, 0, 1, 3])
    assert (id_to_word[3], word_to_id["rose"]) == (".", 1)
    C = util.create_co_matrix(corpus, 4)
    np.testing.assert_array_equal(C, [[0, 2, 1, 0], [2, 0, 1, 1], [1, 1, 0, 0], [0, 1, 0, 0]])
    W = util.ppmi(C)
    assert W[0, 1] == pytest.approx(np.log2(2 * 10 / (3 * 4)), rel=1e-6)
    assert W[0, 0] == 0
    contexts, target = util.create_contexts_target(corpus, 2)
    np.testing.assert_array_equal(contexts, [[0, 1, 0, 1], [1, 2, 1, 3]])
    np.testing.assert_array_equal(target, [2, 0])
    assert util.convert_one_hot(contexts, 4).shape == (2, 4, 4)
    assert util.convert_one_hot(target, 4).tolist() == [[0, 0, 1, 0], [1, 0, 0, 0]]
    np.testing.assert_allclose(np.linalg.norm(util.normalize(RNG.standard_normal((3, 5))), axis=1), 1)
    assert util.cos_similarity(np.zeros(3), np.ones(3)) == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: util.create_contexts_target(np.arange(4), 2), "4 words are too few for a window of 2"),
        (lambda: util.convert_one_hot(np.array([0, 7]), 7), "word indices must be from 0 to 6, got 7"),
        (lambda: util.eval_perplexity(object(), np.arange(100)), "100 words are fewer than the 351"),
        (lambda: ptb.load_data("training"), "there is no 'training': choose train, valid or test"),
    ],
)
def test_what_cannot_be_is_told(call, message):
    with pytest.raises(OptionError, match=message):
        call()


def test_a_state_of_another_batch_is_told():
    layer = time_layers.TimeLSTM(*(RNG.standard_normal(shape) for shape in ((3, 8), (2, 8), (8,))), stateful=True)
    layer.forward(np.zeros((4, 5, 3)))
    with pytest.raises(ShapeError, match=r"the state has shape \(4, 2\), but this batch needs \(1, 2\): call reset_st"):
        layer.forward(np.zeros((1, 5, 3)))
    layer.reset_state()
    layer.forward(np.zeros((1, 5, 3)))


def test_both_directions_meet():
    params = [RNG.standard_normal(shape) for shape in ((3, 8), (2, 8), (8,)) * 2]
    both, ahead, back = (
        time_layers.TimeBiLSTM(*params),
        time_layers.TimeLSTM(*params[:3]),
        time_layers.TimeLSTM(*params[3:]),
    )
    xs = RNG.standard_normal((4, 5, 3))
    expected = np.concatenate([ahead.forward(xs), back.forward(xs[:, ::-1])[:, ::-1]], axis=2)
    np.testing.assert_array_equal(both.forward(xs), expected)
    assert both.backward(np.ones_like(expected)).shape == xs.shape


def test_a_loss_for_each_step_is_the_loss_of_all():
    xs, ts = RNG.standard_normal((4, 3, 5)), RNG.integers(5, size=(4, 3))
    whole, plain = time_layers.TimeSoftmaxWithLoss(), time_layers.Simple_TimeSoftmaxWithLoss()
    assert whole.forward(xs, ts) == pytest.approx(plain.forward(xs, ts), abs=1e-6)
    np.testing.assert_allclose(whole.backward(), plain.backward(), atol=1e-12)
    assert whole.forward(xs, np.eye(5)[ts]) == whole.forward(xs, ts)
    assert whole.forward(xs, np.full((4, 3), -1)) == 0
    assert not whole.backward().any()


def test_the_spiral_is_the_same_each_time():
    x, t = spiral.load_data()
    assert (x.shape, t.shape, t.dtype) == ((300, 2), (300, 3), np.int32)
    np.testing.assert_array_equal(spiral.load_data()[0], x)
    np.testing.assert_array_equal(t.argmax(axis=1), np.repeat([0, 1, 2], 100))


def test_sequences_are_made_alike_and_right(folder, capsys):
    (x, t), (x_test, _) = sequence.load_data("date.txt")
    assert (x.shape, t.shape, x_test.shape) == ((45000, 29), (45000, 11), (5000, 29))
    again = sequence.load_data("date.txt")
    np.testing.assert_array_equal(again[0][0], x)
    _, id_to_char = sequence.get_vocab()
    answers = {"".join(id_to_char[i] for i in line) for line in t[:200]}
    assert all(answer[0] == "_" and "1970" <= answer[1:5] <= "2017" for answer in answers)
    assert capsys.readouterr().err.splitlines() == ["no dataset/date.txt: generating 50000 lines of its form"] * 2


def test_the_readers_sequences_are_read(folder, capsys):
    (folder / "small.txt").write_text("1+2_3 \n" * 9 + "9+8_17\n")
    (x, t), (x_test, t_test) = sequence.load_data("small.txt")
    assert (x.shape, t.shape, x_test.shape, t_test.shape) == ((9, 3), (9, 3), (1, 3), (1, 3))
    assert capsys.readouterr().err == ""
    for content, message in {
        "1+2_3\n1+2 3\n": "line 2: expected a question, _ and the answer",
        "12345\n": "line 1: expected a question, _ and the answer",
        "": "is empty",
        b"\xff\xfe_\xff": "cannot read",
    }.items():
        (folder / "small.txt").write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(DataError, match=message):
            sequence.load_data("small.txt")
    with pytest.raises(DataError, match=r"no other.txt in .*: only addition.txt and date.txt can be generated"):
        sequence.load_data("other.txt")


def test_the_readers_words_are_read(folder, capsys):
    (folder / "ptb.train.txt").write_text(" a rose is \n a <unk> \n")
    (folder / "ptb.valid.txt").write_text(" is a \n")
    corpus, word_to_id, id_to_word = ptb.load_data("train")
    assert [id_to_word[i] for i in corpus] == ["a", "rose", "is", "<eos>", "a", "<unk>", "<eos>"]
    assert ptb.load_data("val")[0].tolist() == [2, 0, 3]
    with pytest.raises(KeyError):
        word_to_id["lexus"]
    with pytest.raises(DataError, match=r"ptb\.test\.txt is missing: put it beside the other files"):
        ptb.load_data("test")
    (folder / "ptb.test.txt").write_text("a thorn\n")
    with pytest.raises(DataError, match=r"the word 'thorn' is not in ptb\.train\.txt"):
        ptb.load_data("test")
    (folder / "ptb.test.txt").write_bytes(b"\xff\xff")
    with pytest.raises(DataError, match="is not UTF-8 text"):
        ptb.load_data("test")
    assert capsys.readouterr().err == ""
