"""`dataset.ptb`: a text as word indices.

The text of the Penn Treebank may not be bundled with a package. The learner's files `ptb.train.txt`, `ptb.valid.txt`
and `ptb.test.txt` are used if a folder `dataset` at or above the script has them. Otherwise a bundled text is converted
to the same form, with a message on stderr: lower case without punctuation, numbers as N, each line a sentence that ends
with <eos>, and all but the most frequent words as <unk>.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.arrays import Array
from chainrule.data import cache_folder
from chainrule.data.books import BOOKS, book
from chainrule.errors import DataError, OptionError
from chainrule.files import explain
from chainrule.scratch.dataset.files import found

url_base = "https://raw.githubusercontent.com/tomsercu/lstm/master/data/"  # the book downloads from it; not used here
key_file = {"train": "ptb.train.txt", "test": "ptb.test.txt", "valid": "ptb.valid.txt"}
save_file = {"train": "ptb.train.npy", "test": "ptb.test.npy", "valid": "ptb.valid.npy"}
vocab_file = "ptb.vocab.pkl"
dataset_dir = str(cache_folder() / "course")

_BOOK = "shakespeare"
_WORDS = 10_000
"""The size of the Penn Treebank's vocabulary, which the book's models have by default."""
_SPECIAL = ["<unk>", "N", "$", "<eos>"]
_SHARES = {"train": (0.0, 0.86), "valid": (0.86, 0.93), "test": (0.93, 1.0)}


class Vocabulary(dict[str, int]):
    """Maps words to indices; a word missing from chainrule's text gets the index of <unk>."""

    def __missing__(self, word: str) -> int:
        return self["<unk>"]

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


def load_vocab() -> tuple[dict[str, int], dict[int, str]]:
    """Return the map from words to indices, in order of first appearance in the training text, and its inverse."""
    word_to_id = Vocabulary() if _is_ours() else {}
    for word in _words("train"):
        word_to_id.setdefault(word, len(word_to_id))
    if isinstance(word_to_id, Vocabulary):
        for word in [*_SPECIAL, *(f"<{place}>" for place in range(_WORDS))]:  # pad with made-up words up to the size
            if len(word_to_id) < _WORDS or word in _SPECIAL:
                word_to_id.setdefault(word, len(word_to_id))
    return word_to_id, {index: word for word, index in word_to_id.items()}


def load_data(data_type: str = "train") -> tuple[Array, dict[str, int], dict[int, str]]:
    """Return the word indices (n,), the map from words to indices and the map from indices to words.

    Args:
        data_type: train, valid (or val) or test.

    Raises:
        OptionError: data_type is something else.
        DataError: the learner has other files but not this one, or it has words that the training file lacks.
    """
    data_type = "valid" if data_type == "val" else data_type
    if data_type not in key_file:
        raise OptionError(f"ptb.load_data: there is no {data_type!r}: choose train, valid or test")
    word_to_id, id_to_word = load_vocab()
    try:
        corpus = np.array([word_to_id[word] for word in _words(data_type)])
    except KeyError as error:
        raise DataError(f"{found(key_file[data_type])}: the word {error} is not in {key_file['train']}") from None
    return corpus, word_to_id, id_to_word


def _is_ours() -> bool:
    """Return whether chainrule's text is used: the learner has none of the files."""
    return all(found(name) is None for name in key_file.values())


def _words(data_type: str) -> Iterable[str]:
    if _is_ours():
        words = _ours()
        begin, end = (int(share * len(words)) for share in _SHARES[data_type])
        return words[begin:end]
    path = found(key_file[data_type])
    if path is None:
        raise DataError(f"ptb.load_data: {key_file[data_type]} is missing: put it beside the other files")
    return _read(path).replace("\n", " <eos> ").split()


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise DataError(f"cannot read {path}: {explain(error)}") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text: {error}") from None


@cache
def _ours() -> list[str]:
    """Return chainrule's text in the form of the Penn Treebank."""
    print(
        f"no dataset/{key_file['train']}: using the text bundled with chainrule ({BOOKS[_BOOK].title}), converted to"
        " the same form; words that it lacks become <unk>",
        file=sys.stderr,
    )
    lines = [re.findall(r"\d+|[^\W\d_]+(?:['’][^\W\d_]+)?", line.lower()) for line in book(_BOOK).splitlines()]
    words = ["N" if word[0].isdigit() else word for line in lines if line for word in [*line, "<eos>"]]
    kept = {word for word, _ in Counter(words).most_common(_WORDS - len(_SPECIAL))}
    return [word if word in kept else "<unk>" for word in words]
