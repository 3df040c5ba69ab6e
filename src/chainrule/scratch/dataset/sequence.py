"""`dataset.sequence`: questions and answers as characters, `addition.txt` and `date.txt`.

The learner's file is used if a folder `dataset` at or above the script has it. Otherwise lines of the same form are
generated, the same ones each time, with a message on stderr. A line is a question, `_`, and the answer, both padded
with spaces: `16+75  _91  `.
"""

import sys
from collections.abc import Callable
from datetime import date, timedelta

import numpy as np

from chainrule.arrays import Array
from chainrule.errors import DataError
from chainrule.files import explain
from chainrule.scratch.dataset.files import found, looked_in

_LINES, _SEED = 50_000, 20_180_721
_FIRST, _LAST = date(1970, 1, 1), date(2017, 12, 31)
_MONTHS = ["January", "February", "March", "April", "May", "June"]
_MONTHS += ["July", "August", "September", "October", "November", "December"]
_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]

char_to_id: dict[str, int] = {}
id_to_char: dict[int, str] = {}


def load_data(
    file_name: str = "addition.txt", seed: int | None = 1984
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Return (x_train, t_train), (x_test, t_test): character indices of questions (N, T) and answers (N, S).

    A tenth of the lines is test data.

    Args:
        file_name: addition.txt, date.txt, or a file of the learner's in the same form.
        seed: seeds NumPy's global generator before the lines are shuffled; None leaves it alone.

    Raises:
        DataError: the file does not exist and cannot be generated, or its lines do not have this form.
    """
    lines = _lines(file_name)
    questions, answers = [line.partition("_")[0] for line in lines], [line[line.find("_") :] for line in lines]
    for character in dict.fromkeys("".join(lines)):
        id_to_char[char_to_id.setdefault(character, len(char_to_id))] = character
    x, t = _indices(questions), _indices(answers)
    if seed is not None:
        np.random.seed(seed)
    order = np.arange(len(x))
    np.random.shuffle(order)
    split = len(x) - len(x) // 10
    train, test = order[:split], order[split:]
    return (x[train], t[train]), (x[test], t[test])


def get_vocab() -> tuple[dict[str, int], dict[int, str]]:
    """Return the map from all loaded characters to indices, and its inverse."""
    return char_to_id, id_to_char


def _lines(name: str) -> list[str]:
    """Return lines of equal length with `_` in the same position."""
    path = found(name)
    if path is None:
        if name not in _MADE:
            folders = ", ".join(map(str, looked_in()))
            raise DataError(f"sequence.load_data: no {name} in {folders}: only {' and '.join(_MADE)} can be generated")
        print(f"no dataset/{name}: generating {_LINES} lines of its form", file=sys.stderr)
        return _made(name)
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {explain(error) if isinstance(error, OSError) else error}") from None
    if not lines:
        raise DataError(f"{path} is empty: each line must be a question, _ and the answer")
    length, place = len(lines[0]), lines[0].find("_")
    for number, line in enumerate(lines, 1):
        if place < 1 or line.find("_") != place or len(line) != length:
            raise DataError(
                f"{path}, line {number}: expected a question, _ and the answer, padded with spaces to the lengths of"
                f" the first line, got {line[:60]!r}"
            )
    return lines


def _indices(texts: list[str]) -> Array:
    return np.array([[char_to_id[character] for character in text] for text in texts], dtype=int)


def _made(name: str) -> list[str]:
    rng = np.random.default_rng(_SEED)
    return _MADE[name](rng)


def _additions(rng: np.random.Generator) -> list[str]:
    """Generate sums of two numbers below 10, 100 or (half of them) 1000, without repeating a question."""
    made: dict[str, str] = {}
    while len(made) < _LINES:
        a, b = (int(rng.integers(10 ** int(digits))) for digits in rng.choice([1, 2, 3, 3], 2))
        made[f"{a}+{b}"] = f"_{a + b}"
    return [f"{question:<7}{answer:<5}" for question, answer in made.items()]


def _dates(rng: np.random.Generator) -> list[str]:
    """Generate days between 1970 and 2017 as people write them, each with its ISO 8601 form."""
    days = rng.integers((_LAST - _FIRST).days + 1, size=_LINES)
    return [f"{_written(_FIRST + timedelta(int(day)), rng):<29}_{_FIRST + timedelta(int(day))}" for day in days]


def _written(day: date, rng: np.random.Generator) -> str:
    form, case = rng.integers(4), rng.integers(4)
    if form == 0:
        return f"{day.month}/{day.day}/{day.year % 100:02d}"
    month = _MONTHS[day.month - 1]
    text = f"{month[:3] if form == 1 else month} {day.day}, {day.year}"
    text = f"{_DAYS[day.weekday()]}, {text}" if form == 3 else text
    return (text.lower(), text.upper(), text, text)[case]


_MADE: dict[str, Callable[[np.random.Generator], list[str]]] = {"addition.txt": _additions, "date.txt": _dates}
