"""Word indices, co-occurrence counts and word similarity: the second book's text helpers in `common.util`."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.arrays import Array
from chainrule.errors import OptionError

__all__ = [
    "analogy",
    "convert_one_hot",
    "cos_similarity",
    "create_co_matrix",
    "create_contexts_target",
    "most_similar",
    "normalize",
    "ppmi",
    "preprocess",
]


def preprocess(text: str) -> tuple[Array, dict[str, int], dict[int, str]]:
    """Return a lower-case text as word indices, with the maps to and from words; a full stop counts as a word."""
    words = text.lower().replace(".", " .").split(" ")
    word_to_id = {word: index for index, word in enumerate(dict.fromkeys(words))}
    id_to_word = {index: word for word, index in word_to_id.items()}
    return np.array([word_to_id[word] for word in words]), word_to_id, id_to_word


def create_co_matrix(corpus: Array, vocab_size: int, window_size: int = 1) -> Array:
    """Count how often each pair of words occurs within `window_size` words of each other: (V, V) int32."""
    corpus = np.asarray(corpus)
    counts = np.zeros((vocab_size, vocab_size), np.int32)
    for distance in range(1, window_size + 1):
        left, right = corpus[:-distance], corpus[distance:]
        np.add.at(counts, (left, right), 1)
        np.add.at(counts, (right, left), 1)
    return counts


def ppmi(C: Array, verbose: bool = False, eps: float = 1e-8) -> Array:
    """Return the positive pointwise mutual information of counts C (V, V): max(0, log2(C N / (S_i S_j))), float32.

    S holds the column sums and N is the total; `eps` is added to the quotient.
    """
    result = np.zeros(C.shape, np.float32)
    total, sums = float(C.sum()), C.sum(axis=0).astype(float)
    said = 0
    for i, counts in enumerate(C):  # row by row, because a large vocabulary would need gigabytes at once
        seen = np.flatnonzero(counts)
        result[i, seen] = np.maximum(0, np.log2(counts[seen] * total / (sums[i] * sums[seen]) + eps))
        if verbose and (i + 1) * 100 // len(C) > said:
            said = (i + 1) * 100 // len(C)
            print(f"{said:.1f}% done")
    return result


def cos_similarity(x: Array, y: Array, eps: float = 1e-8) -> float:
    """Return the cosine of the angle between two vectors; `eps` is added to their lengths, so that zeros give 0."""
    similarity: float = np.dot(x / (_length(x) + eps), y / (_length(y) + eps))
    return similarity


def _length(x: Array) -> Any:
    return np.sqrt(np.sum(np.square(x), axis=-1))


def most_similar(
    query: str, word_to_id: Mapping[str, int], id_to_word: Mapping[int, str], word_matrix: Array, top: int = 5
) -> None:
    """Print the words whose rows in `word_matrix` have the largest cosine similarity to the query's."""
    if query not in word_to_id:
        print(f"{query} is not found")
        return
    print(f"\n[query] {query}")
    word_matrix = np.asarray(word_matrix)
    rows = word_matrix / (_length(word_matrix)[:, None] + 1e-8)
    _print_nearest(rows @ rows[word_to_id[query]], id_to_word, {query}, top)


def analogy(
    a: str,
    b: str,
    c: str,
    word_to_id: Mapping[str, int],
    id_to_word: Mapping[int, str],
    word_matrix: Array,
    top: int = 5,
    answer: str | None = None,
) -> None:
    """Print the words nearest to b - a + c (a is to b as c is to what?), and the score of `answer` if given."""
    for word in (a, b, c):
        if word not in word_to_id:
            print(f"{word} is not found")
            return
    print(f"\n[analogy] {a}:{b} = {c}:?")
    word_matrix = np.asarray(word_matrix)
    vec_a, vec_b, vec_c = (word_matrix[word_to_id[word]] for word in (a, b, c))
    query = normalize(np.array(vec_b - vec_a + vec_c))
    if answer is not None:
        print(f"==>{answer}:{np.dot(word_matrix[word_to_id[answer]], query)}")
    _print_nearest(word_matrix @ query, id_to_word, {a, b, c}, top)


def _print_nearest(similarity: Array, id_to_word: Mapping[int, str], without: set[str], top: int) -> None:
    nearest = [i for i in np.argsort(-similarity) if not np.isnan(similarity[i]) and id_to_word[int(i)] not in without]
    for i in nearest[:top]:
        print(f" {id_to_word[int(i)]}: {similarity[i]}")


def normalize(x: Array) -> Array:
    """Scale a vector, or each row of a matrix, to length 1 in place, and return it."""
    x /= _length(x)[..., None] if x.ndim == 2 else _length(x)
    return x


def convert_one_hot(corpus: Array, vocab_size: int) -> Array:
    """Convert word indices (N,) or (N, C) to one-hot (N, V) or (N, C, V), int32."""
    corpus = np.asarray(corpus)
    if corpus.size and not 0 <= corpus.min() <= corpus.max() < vocab_size:
        raise OptionError(f"convert_one_hot: word indices must be from 0 to {vocab_size - 1}, got {corpus.max()}")
    one_hot = np.zeros((*corpus.shape, vocab_size), np.int32)
    np.put_along_axis(one_hot, corpus[..., None], 1, axis=-1)
    return one_hot


def create_contexts_target(corpus: Array, window_size: int = 1) -> tuple[Array, Array]:
    """Return the contexts (N, 2 window_size) and the words (N,) that have `window_size` neighbours on both sides."""
    corpus = np.asarray(corpus)
    if len(corpus) <= 2 * window_size:
        raise OptionError(f"create_contexts_target: {len(corpus)} words are too few for a window of {window_size}")
    windows = np.lib.stride_tricks.sliding_window_view(corpus, 2 * window_size + 1)
    return np.delete(windows, window_size, axis=1), corpus[window_size:-window_size].copy()
