"""`dataset.sequence`: questions and answers as characters, `addition.txt` and `date.txt`.

The reader's file is read where there is one in a folder `dataset` at or above the script. Otherwise lines of the same
form are made, the same ones each time, which stderr says. A line is a question, `_`, and the answer, both padded with
spaces: `16+75  _91  `.
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
    """(x_train, t_train), (x_test, t_test): character indices, questions (N, T) and answers (N, S), a tenth for tests.

    Args:
        file_name: addition.txt, date.txt, or a file of the reader's of the same form.
        seed: NumPy's global generator is seeded with it before lines are shuffled; None: it is not.

    Raises:
        DataError: there is no such file and none can be made, or its lines are not of that form.
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
    """The characters of all that was loaded: to indices, and back."""
    return char_to_id, id_to_char


def _lines(name: str) -> list[str]:
    """Lines of one length, with `_` at one place."""
    path = found(name)
    if path is None:
        if name not in _MADE:
            folders = ", ".join(map(str, looked_in()))
            raise DataError(f"sequence.load_data: no {name} in {folders}: {' and '.join(_MADE)} can be made")
        print(f"dataset/{name} is not there: {_LINES} lines of its form are made", file=sys.stderr)
        return _made(name)
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {explain(error) if isinstance(error, OSError) else error}") from None
    if not lines:
        raise DataError(f"{path} is empty: a line is a question, _ and the answer")
    length, place = len(lines[0]), lines[0].find("_")
    for number, line in enumerate(lines, 1):
        if place < 1 or line.find("_") != place or len(line) != length:
            raise DataError(
                f"{path}, line {number}: a question, _ and the answer, padded with spaces to the lengths of the first"
                f" line, are expected, got {line[:60]!r}"
            )
    return lines


def _indices(texts: list[str]) -> Array:
    return np.array([[char_to_id[character] for character in text] for text in texts], dtype=int)


def _made(name: str) -> list[str]:
    rng = np.random.default_rng(_SEED)
    return _MADE[name](rng)


def _additions(rng: np.random.Generator) -> list[str]:
    """Sums of two numbers of one to three digits, no question twice, half of the digits' numbers being three."""
    made: dict[str, str] = {}
    while len(made) < _LINES:
        a, b = (int(rng.integers(10 ** int(digits))) for digits in rng.choice([1, 2, 3, 3], 2))
        made[f"{a}+{b}"] = f"_{a + b}"
    return [f"{question:<7}{answer:<5}" for question, answer in made.items()]


def _dates(rng: np.random.Generator) -> list[str]:
    """Days between 1970 and 2017 as people write them, and as ISO 8601 does."""
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
