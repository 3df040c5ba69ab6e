"""Texts: tokenizers that reproduce their input, windows, books, and files that are not text."""

import sys
from contextlib import nullcontext
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chainrule as cr
from chainrule.data import (
    BOOKS,
    BytePairs,
    Bytes,
    Characters,
    Reading,
    Text,
    TextPreparation,
    book,
    learn_byte_pairs,
    read_preparation,
    read_text,
    text_file,
)
from chainrule.data import books as books_file
from chainrule.errors import DataError, FileError, OptionError

PAIRS = learn_byte_pairs([book("shakespeare")[:50_000], book("hongloumeng")[:20_000]], 400)


def own(text: str) -> Characters:
    return Characters("".join(sorted(set(text))))


@given(st.text())
@settings(deadline=None)
def test_any_text_comes_back(text):
    for tokenizer in (Bytes(), PAIRS, learn_byte_pairs([text], 300), *([own(text)] if text else [])):
        tokens = tokenizer.encode(text)
        assert tokens.ndim == 1
        assert tokens.dtype.kind == "u"
        assert tokenizer.decode(tokens.tolist()) == text
        assert "".join(tokenizer.stream(tokens.tolist())) == text
        assert not tokens.size or tokens.max() < tokenizer.size == len(tokenizer.pieces)
        again = read_preparation(TextPreparation(tokenizer, 5).describe())
        assert again == TextPreparation(tokenizer, 5)


def test_byte_pairs_by_hand():
    # ab occurs four times; then "ab" "ab" as one word, twice each
    tokenizer = learn_byte_pairs(["abab abab"], 300)
    assert tokenizer.merges[:2] == ((97, 98), (256, 256))
    assert tokenizer.encode("ababab").tolist() == [257, 256]
    assert tokenizer.pieces[257] == b"abab"
    # equal tokens side by side are merged from the left, two at a time: aaaaa becomes aa aa a
    assert learn_byte_pairs(["aaaaa"], 257).encode("aaaaa").tolist() == [256, 256, 97]


def test_byte_pairs_are_shorter_and_the_same_every_time():
    text = book("shakespeare")[:100_000]
    first, second = (learn_byte_pairs([text], 400) for _ in range(2))
    assert first == second
    assert first.size == 400
    assert len(first.encode(text)) < 0.62 * len(text)
    # encoding merges like training: the most frequent pair of the rest no longer occurs
    assert learn_byte_pairs(["no pair is here twice"[:3]], 300).size == 256


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ({"tokens": "characters", "characters": ""}, "needs 1 character or more"),
        ({"tokens": "characters", "characters": "ba"}, "must be in order"),
        ({"tokens": "characters", "characters": "aa"}, "must be in order"),
        ({"tokens": "characters", "characters": 7}, "needs 1 character or more"),
        ({"tokens": "characters", "characters": "\ud800"}, "half a character"),
        ({"tokens": "words"}, "damaged"),
        ({"tokens": ["characters"]}, "damaged"),
        ({}, "damaged"),
        ({"tokens": "bytes", "more": 1}, "damaged"),
        ({"tokens": "bytes", "context": 0}, "a context cannot have 0 tokens"),
        ({"tokens": "bytes", "context": True}, "a context cannot have True tokens"),
        ({"tokens": "bytes", "context": 2**40}, "a context cannot have"),
        ({"tokens": "pairs", "merges": [[97, 256]]}, "is not a pair of earlier ones"),
        ({"tokens": "pairs", "merges": [[97, -1]]}, "is not a pair of earlier ones"),
        ({"tokens": "pairs", "merges": [[97, 98.0]]}, "is not a pair of earlier ones"),
        ({"tokens": "pairs", "merges": [[97]]}, "is not a pair of earlier ones"),
        ({"tokens": "pairs", "merges": [97]}, "damaged"),
        ({"tokens": "pairs", "merges": None}, "damaged"),
        ({"tokens": "pairs", "merges": [[97, 98], [97, 98]]}, "merges a pair twice"),
        # each token is twice as long as the one before: two to the power of forty bytes
        ({"tokens": "pairs", "merges": [[97, 97], *([i, i] for i in range(256, 295))]}, "more than 132 bytes"),
        ({"tokens": "pairs", "merges": [[a, b] for a in range(99) for b in range(99)]}, "at most 4,096 tokens"),
    ],
)
def test_descriptions_that_are_none(description, message):
    with pytest.raises(DataError, match=message):
        read_preparation({"kind": "text", "context": 8} | description)


def test_a_file_with_a_tokenizer_of_another_network_is_refused(tmp_path):
    net = cr.models.char_lstm(5).build((4,), seed=0)
    net.preparation = TextPreparation(Characters("abcde"), 4)
    cr.save(net, tmp_path / "a.safetensors")
    assert cr.load(tmp_path / "a.safetensors").preparation == net.preparation
    for wrong in (TextPreparation(Characters("abcd"), 4), TextPreparation(Bytes(), 4)):
        net.preparation = wrong
        cr.save(net, tmp_path / "b.safetensors")
        with pytest.raises(
            cr.errors.ModelFileError, match=r"its text needs \(4, \d+\) logits, but the network returns \(4, 5\)"
        ):
            cr.load(tmp_path / "b.safetensors")


def test_unknown_characters_are_named():
    with pytest.raises(DataError, match="the prompt has '€' at character 3, which is not one of the 2 characters"):
        Characters("ab").encode("ab€", "the prompt")
    for tokenizer in (Bytes(), PAIRS):
        with pytest.raises(DataError, match="half a character"):
            tokenizer.encode("a\ud800")


# ---- windows ----


def numbers(count: int, context: int, windows: int | None = None) -> Text:
    return Text(np.arange(count, dtype=np.uint16), TextPreparation(Bytes(), context), windows)


@given(st.integers(1, 9), st.integers(1, 60), st.integers(1, 7), st.integers(0, 3))
@settings(deadline=None)
def test_windows(context, more, batch_size, start):
    text = numbers(context + more, context)
    for rng in (None, np.random.default_rng(0)):
        batches = list(text.batches(batch_size, rng))
        assert sum(len(x) for x, _ in batches) == len(text) == max(1, (context + more - 1) // context)
        for x, labels in batches:
            np.testing.assert_array_equal(labels, x + 1)
            np.testing.assert_array_equal(x, x[:, :1] + np.arange(context))
            assert x.max() + 1 < context + more
    whole, rest = (list(text.batches(batch_size, np.random.default_rng(1), start=k)) for k in (0, start))
    np.testing.assert_equal(rest, whole[start:])


def test_windows_in_order_stand_side_by_side_and_more_or_fewer_are_spread_evenly():
    np.testing.assert_array_equal(next(numbers(13, 4).batches(10))[0][:, 0], [0, 4, 8])
    np.testing.assert_array_equal(next(numbers(101, 4, windows=3).batches(10))[0][:, 0], [0, 48, 96])
    np.testing.assert_array_equal(next(numbers(7, 4, windows=5).batches(10))[0][:, 0], [0, 0, 1, 1, 2])
    assert numbers(101, 4, windows=3).head(2)[0].shape == (2, 4)


def test_the_end_of_a_text_is_kept_for_testing():
    train, test = cr.data.load("shakespeare")
    whole = book("shakespeare")
    tokenizer = train.preparation.tokenizer
    assert tokenizer.decode(train.tokens.tolist()) == whole[:1_003_854]
    assert tokenizer.decode(test.tokens.tolist()) == whole[1_003_854:]
    assert (len(train), len(test)) == (6000, 1742)
    assert repr(test) == "Text(111,540 characters in windows of 64)"
    learned, watched = train.divided(0.5)
    assert len(learned.tokens) == len(watched.tokens) == 501_927
    assert len(watched) == 2000


def test_a_text_that_is_too_short():
    with pytest.raises(DataError, match="the text has 4 bytes, and needs 5 or more"):
        numbers(4, 4)
    assert len(numbers(5, 4)) == 1
    with pytest.raises(OptionError, match="batch_size must be 1 or more"):
        next(numbers(9, 4).batches(0))


def test_measuring_needs_no_more_memory_than_a_few_windows():
    assert numbers(99, 64).largest_batch == 128
    assert numbers(70_000, 2**16).largest_batch == 1
    text = Text(np.arange(20_000) % 256, TextPreparation(Bytes(), 64))
    net = cr.models.char_lstm(256).build((64,), seed=0)
    sizes = []

    class Watched:
        def __call__(self, x):
            sizes.append(len(x))
            return net(x)

    report = cr.evaluate(Watched(), text)
    assert max(sizes) == 128
    assert (report.n, report.accuracy, report.r_squared) == (312, None, None)
    assert report.loss == pytest.approx(np.log(256), rel=0.1)


def test_characters_of_a_token():
    text = book("hongloumeng")[:3000]
    assert Text(Bytes().encode(text), TextPreparation(Bytes(), 8)).characters_of_a_token == pytest.approx(
        3000 / len(text.encode())
    )
    assert Text(own(text).encode(text), TextPreparation(own(text), 8)).characters_of_a_token == 1


# ---- files ----


def written(tmp_path, content: bytes | str):
    path = tmp_path / "book.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("tokens", ["characters", "bytes", "pairs"])
@pytest.mark.parametrize("large", [False, True])
def test_files_in_memory_or_mapped(tmp_path, monkeypatch, tokens, large):
    monkeypatch.setattr(text_file, "_PIECE", 7)  # cuts through characters and newlines
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path / "cache"))
    if large:
        monkeypatch.setattr(text_file, "_IN_MEMORY", 10)
    text = "从前，有一座山。\nOnce there was a hill.\n\n" * 40
    path = written(tmp_path, "\ufeff" + text.replace("\n", "\r\n"))
    train, test = read_text(path, Reading(tokens=tokens, context=8))
    assert isinstance(train.tokens, np.memmap) == large
    read = [*train.tokens.tolist(), *test.tokens.tolist()]
    assert train.preparation.tokenizer.decode(read) == text
    assert [*(tmp_path / "cache").glob("*")] == []  # the tokens' file has no name
    again, _ = read_text(path, Reading(), train.preparation)
    np.testing.assert_array_equal(again.tokens, train.tokens)
    unknown = pytest.raises(DataError, match="characters that the network learned")
    with unknown if tokens == "characters" else nullcontext():
        read_text(written(tmp_path, "€" * 99), Reading(), train.preparation)


def test_a_batch_of_a_long_text_reads_only_its_windows(tmp_path):
    long = np.memmap(tmp_path / "tokens", np.uint8, "w+", shape=(2**31,))  # 2 GiB of zeros: a sparse file
    text = Text(long, TextPreparation(Bytes(), 64), 6000)
    seen = [x for x, _ in islice(text.batches(12, np.random.default_rng(0)), 20)]
    assert len(seen) == 20
    in_order = [x for x, _ in islice(text.batches(12), 20)]
    assert len(in_order) == 20


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is of Linux")
def test_no_room_for_the_tokens(tmp_path, monkeypatch):
    monkeypatch.setattr(text_file, "_IN_MEMORY", 10)
    monkeypatch.setattr(text_file.tempfile, "TemporaryFile", lambda dir: open("/dev/full", "wb"))  # noqa: SIM115
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path))
    with pytest.raises(FileError, match="cannot keep the tokens of .*set CHAINRULE_CACHE to another folder"):
        read_text(written(tmp_path, "a hill\n" * 99), Reading(context=8))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"book.txt is empty: there is nothing to learn from it"),
        (b"\xef\xbb\xbf", r"book.txt is empty: there is nothing to learn from it"),
        (b"caf\xe9 au lait" * 99, r"book.txt is not UTF-8: byte 4 is 0xe9; save the text"),
        ("从前".encode() * 99 + b"\xe5\xb1", r"book.txt is not UTF-8: byte 595 is 0xe5; save the text"),
        ("a hill".encode("utf-16"), r"book.txt is not UTF-8 \(it looks like UTF-16\): byte 1 is 0xff"),
        (b"short", r"book.txt has 5 characters, and needs 65 or more, the context of 64 and one more"),
        (b"a hundred " * 10, r"the end of .*book.txt, to measure on \(10%\) has 10 characters, and needs 65 or more"),
    ],
)
@pytest.mark.parametrize("piece", [3, 2**20])
def test_files_that_are_no_texts(tmp_path, monkeypatch, content, message, piece):
    monkeypatch.setattr(text_file, "_PIECE", piece)
    with pytest.raises(DataError, match=message):
        read_text(written(tmp_path, content), Reading(tokens="characters"))


def test_paths_that_are_no_files(tmp_path):
    with pytest.raises(DataError, match="cannot read .*none.txt"):
        read_text(tmp_path / "none.txt", Reading(tokens="characters"))
    with pytest.raises(DataError, match="cannot read"):
        read_text(tmp_path, Reading(tokens="characters"))


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"tokens": "words"}, "--tokens must be characters or bytes or pairs, got 'words'"),
        ({"context": 0}, "--context must be from 1 to 65,536 tokens, got 0"),
        ({"vocabulary": 255}, "--vocabulary must be from 256"),
        ({"vocabulary": 10**9}, "--vocabulary must be from 256"),
    ],
)
def test_choices_that_there_are_not(choices, message):
    with pytest.raises(OptionError, match=message):
        Reading(**choices)
    with pytest.raises(DataError, match="--vocabulary must be from 256"):
        learn_byte_pairs(["a"], 10**9)


def test_prose_that_is_read_as_a_table_says_how_to_read_it(tmp_path):
    with pytest.raises(DataError, match=r"\(to train a language model on a text, use --model char-gpt\)"):
        cr.data.load(written(tmp_path, book("shakespeare")[:5000]))


# ---- the bundled books ----


def test_books():
    assert set(BOOKS) == {"shakespeare", "hongloumeng"}
    assert book("shakespeare").startswith("First Citizen:\nBefore we proceed any further, hear me speak.\n")
    assert book("hongloumeng").startswith("《红楼梦》\n曹雪芹　高鄂　著\n第一回　甄士隐梦幻识通灵　贾雨村风尘怀闺秀\n")
    assert book("hongloumeng").count("\n第") >= 120
    assert (len(set(book("shakespeare"))), len(set(book("hongloumeng")))) == (65, 4415)
    packed = sum((books_file._FOLDER / f"{name}.txt.bz2").stat().st_size for name in BOOKS)
    assert packed < 1_500_000


def test_a_book_that_is_damaged(tmp_path, monkeypatch):
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path / "cache"))
    with pytest.raises(DataError, match="no book 'bible': use one of shakespeare, hongloumeng"):
        book("bible")
    whole = (books_file._FOLDER / "shakespeare.txt.bz2").read_bytes()
    monkeypatch.setattr(books_file, "_FOLDER", tmp_path)
    for content in (None, whole[:1000], b"no bz2", books_file._bz2.compress(b"another text")):
        if content is not None:
            (tmp_path / "shakespeare.txt.bz2").write_bytes(content)
        with pytest.raises(DataError, match="bundled text shakespeare.txt.bz2 .*: install chainrule again"):
            book("shakespeare")
    monkeypatch.setattr(books_file, "_bz2", None)
    with pytest.raises(DataError, match="this Python cannot read bz2: use a text file of your own"):
        book("shakespeare")


def test_a_byte_pair_tokenizer_is_compared_by_its_merges():
    assert BytePairs(((97, 98),)) == BytePairs(((97, 98),)) != BytePairs(((98, 97),))
