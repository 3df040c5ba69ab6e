"""A language model generates the same text with and without its cache, at constant cost per token; bad input."""

from itertools import islice

import numpy as np
import pytest

import chainrule as cr
from chainrule.data import Bytes, Characters, Text, TextPreparation, learn_byte_pairs
from chainrule.errors import DataError, DivergenceError, ModelFileError, OptionError
from chainrule.metrics import bits_of_a_character
from chainrule.models import LANGUAGE_MODELS, char_gpt, char_lstm

LETTERS = Characters("\nabcdefg")
CONTEXT = 8


def network(name: str = "char-gpt", tokenizer=LETTERS, spread: float = 8.0) -> cr.Sequential:
    """An untrained but decisive network: its weights are larger than initial ones."""
    net = LANGUAGE_MODELS[name](tokenizer.size).build((CONTEXT,), seed=1)
    net.values[:] *= spread
    net.preparation = TextPreparation(tokenizer, CONTEXT)
    return net


def anew(net: cr.Sequential, tokens: list[int]) -> int:
    """The most probable next token after some tokens, all of them read from the beginning."""
    return int(net.run(np.array([tokens]))[0][0, -1].argmax())


def test_sizes_of_the_named_networks():
    # 12 D^2 of each block and its biases and norms; table, places, the last norm
    D, V, T = 128, 65, 64
    block = 12 * D * D + (3 + 1 + 4 + 1) * D + 4 * D
    assert char_gpt(V).build((T,)).values.size == 4 * block + V * D + T * D + 2 * D == 809_856
    E, H = 64, 128
    assert char_lstm(V).build((T,)).values.size == V * E + 4 * H * (E + H + 1) + (H + 1) * V
    assert set(LANGUAGE_MODELS) == {"char-gpt", "char-lstm"}


def test_within_the_context_memory_changes_nothing():
    for name in LANGUAGE_MODELS:
        net, tokens = network(name), [3]
        text = "".join(cr.write_text(net, "c", length=CONTEXT - 1, temperature=0))
        for _ in range(CONTEXT - 1):
            tokens.append(anew(net, tokens))
        assert text == LETTERS.decode(tokens[1:])
        assert len(set(text)) > 2 or name == "char-lstm"


def test_beyond_the_context_attention_goes_on_from_the_latter_half_of_it():
    net = network()
    text = "".join(cr.write_text(net, "abc", length=40, temperature=0))
    seen, tokens = [1, 2, 3], [1, 2, 3]
    for _ in range(40):
        token = anew(net, seen)
        tokens.append(token)
        seen = tokens[-CONTEXT // 2 :] if len(seen) == CONTEXT else [*seen, token]
    assert text == LETTERS.decode(tokens[3:])
    # of a long prompt, the end is read
    long = "abcdefg" * 9
    assert [*cr.write_text(net, long, length=9)] == [*cr.write_text(net, long[-CONTEXT:], length=9)]


def test_beyond_the_context_a_recurrent_network_goes_on_without_an_end():
    net = network("char-lstm")
    prompt = "abcdefg" * 3
    tokens = LETTERS.encode(prompt).tolist()
    text = "".join(cr.write_text(net, prompt, length=40, temperature=0))
    for _ in range(40):
        tokens.append(anew(net, tokens))
    assert text == LETTERS.decode(tokens[len(prompt) :])


@pytest.mark.parametrize("name", LANGUAGE_MODELS)
def test_a_token_costs_the_same_whatever_stands_before_it(name, monkeypatch):
    net, read = network(name), []
    run = cr.Sequential.run
    top = net

    def counted(self, x, *arguments, **options):
        if self is top:
            read.append(x.shape[1])
        return run(self, x, *arguments, **options)

    monkeypatch.setattr(cr.Sequential, "run", counted)
    pieces = list(cr.write_text(net, "a", length=400))
    assert len(pieces) == 400
    assert sum(read) <= 400 * (1 if name == "char-lstm" else 2) + 1
    assert max(read) <= max(1, CONTEXT // 2)


def test_without_a_prompt():
    net = network()
    assert [*cr.write_text(net, length=9)] == [*cr.write_text(net, "\n", length=9)]
    net = network(tokenizer=Characters("abcdefgh"))  # this tokenizer has no newline
    assert [*cr.write_text(net, length=9)] == [*cr.write_text(net, "a", length=9)]


def test_a_context_of_one():
    net = char_gpt(LETTERS.size).build((1,), seed=0)
    net.preparation = TextPreparation(LETTERS, 1)
    assert len("".join(cr.write_text(net, "abc", length=30))) == 30


def test_seeds_temperatures_and_the_most_probable():
    net = network(spread=3.0)

    def text(**options) -> str:
        return "".join(cr.write_text(net, "a", length=60, **options))

    assert text(seed=1) == text(seed=1) != text(seed=2)
    assert text(temperature=0) == text(top_k=1) == text(temperature=1e-300) == text(temperature=0, seed=5)
    assert text(top_k=LETTERS.size) == text(top_k=10**9) == text()
    assert len(set(text(temperature=1e300))) == LETTERS.size
    # only the two most probable tokens at each step
    drawn = [next(cr.write_text(net, "a", length=1, temperature=50, top_k=2, seed=seed)) for seed in range(60)]
    logits = net.run(np.array([[1]]))[0][0, -1]
    assert {int(LETTERS.encode(piece)[0]) for piece in drawn} == set(np.argsort(-logits)[:2].tolist())


def test_shares_are_those_of_the_network():
    net = network(spread=3.0)
    logits = net.run(np.array([[1]]))[0][0, -1].astype(np.float64) / 0.7
    expected = np.exp(logits - logits.max())
    expected /= expected.sum()
    n = 1000
    drawn = [next(cr.write_text(net, "a", length=1, temperature=0.7, seed=seed)) for seed in range(n)]
    counts = np.bincount([int(LETTERS.encode(piece)[0]) for piece in drawn], minlength=LETTERS.size)
    assert (np.abs(counts - n * expected) < 5 * np.sqrt(n * expected * (1 - expected)) + 1e-9).all()


@pytest.mark.parametrize("tokenizer", [Bytes(), learn_byte_pairs(["从前有座山，山上有座庙。" * 9], 280)])
def test_characters_of_several_tokens_come_whole(tokenizer):
    net = network(tokenizer=tokenizer)
    tokens = tokenizer.encode("从前有座山").tolist()
    assert list(tokenizer.stream(iter(tokens[:-1])))[-1:] != ["�"]
    assert "".join(tokenizer.stream(iter(tokens))) == "从前有座山"
    pieces = list(cr.write_text(net, "山", length=50))
    assert all(pieces)


def test_it_is_written_as_it_is_drawn():
    pieces = cr.write_text(network(), "a", length=10**9)
    assert len("".join(islice(pieces, 20))) == 20


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"prompt": ""}, OptionError, "the prompt is empty"),
        ({"prompt": "abz"}, DataError, "the prompt has 'z' at character 3, which is not one of the 8 characters"),
        ({"length": 0}, OptionError, "--length must be 1 or more, got 0"),
        ({"temperature": -1}, OptionError, "--temperature must be 0 or more, got -1"),
        ({"temperature": float("nan")}, OptionError, "--temperature must be 0 or more, got nan"),
        ({"temperature": float("inf")}, OptionError, "--temperature must be 0 or more, got inf"),
        ({"top_k": 0}, OptionError, "--top-k must be 1 token or more, got 0"),
        ({"seed": -1}, OptionError, "--seed must be 0 or more, got -1"),
    ],
)
def test_what_cannot_be_written(options, error, message):
    with pytest.raises(error, match=message):
        cr.write_text(network(), **({"prompt": "a"} | options))  # immediately, not when the first piece is requested


def test_networks_that_cannot_write():
    with pytest.raises(ModelFileError, match="the network was not trained on a text"):
        cr.write_text(cr.models.two_layer().build((1, 28, 28)))
    net = network()
    net.values[:] = np.nan
    with pytest.raises(DivergenceError, match="logits that are not finite"):
        next(cr.write_text(net, "a"))


@pytest.mark.parametrize(
    ("name", "prompt", "book", "most"),
    [("char-gpt", "ROMEO:", "shakespeare", 2.7), ("char-gpt-zh", "宝玉", "hongloumeng", 6.8)],
)
def test_the_package_has_networks_that_write(name, prompt, book, most):
    net = cr.pretrained(name)
    written = "".join(cr.write_text(net, prompt, length=80))
    assert written == "".join(cr.write_text(net, prompt, length=80))
    tokenizer = net.preparation.tokenizer
    tokens = tokenizer.encode(cr.data.book(book)[-6_000:], "the end")
    test = Text(tokens, net.preparation)
    assert bits_of_a_character(cr.evaluate(net, test).loss, test.characters_of_a_token) < most
