"""Measure how many handwritten numbers on photographed pages are read exactly, at three difficulties, and how fast.

The pages come from tests/pages.py, composed of MNIST's test digits, which no network of the package was trained on.
Usage: python benchmarks/reading.py [PAGES]
"""

import json
import platform
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np

import chainrule as cr
from chainrule.vision import Comparison, compare, read_numbers

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from pages import LEVELS, make_page

RESULTS = Path(__file__).parent / "results" / "reading.json"
FIRST_SEED = 5000


@cache
def digits() -> cr.Dataset:
    return cr.data.mnist()[1]


def read_page(level: str, seed: int) -> tuple[Comparison, int, int, float]:
    """Return the counts, how many numbers were marked as sure, how many of those are wrong, and the seconds."""
    page = make_page(LEVELS[level], digits().x[:, 0], digits().y, np.random.default_rng(seed))
    started = time.perf_counter()
    numbers = read_numbers(page.picture)
    seconds = time.perf_counter() - started
    counts, pairs = compare(page.numbers, [number.text for number in numbers])
    there = (expected for expected, read in pairs if read)
    wrong = [number.text != expected for number, expected in zip(numbers, there, strict=True) if number.sure]
    return counts, len(wrong), sum(wrong), seconds


def main(pages: int) -> None:
    rows = {}
    with ProcessPoolExecutor(2) as pool:
        for level in LEVELS:
            results = list(pool.map(read_page, [level] * pages, range(FIRST_SEED, FIRST_SEED + pages)))
            total = sum((counts for counts, _, _, _ in results), Comparison())
            sure, wrong = (sum(result[place] for result in results) for place in (1, 2))
            seconds = [seconds for _, _, _, seconds in results]
            error = 100 * (total.accuracy * (1 - total.accuracy) / total.numbers) ** 0.5
            rows[level] = {
                "pages": pages,
                "numbers": total.numbers,
                "exact": total.accuracy,
                "digit error rate": total.digit_error_rate,
                "read where none is": total.extra,
                "said to be sure": sure,
                "sure and wrong": wrong,
                "seconds a page, median and longest": [float(np.median(seconds)), max(seconds)],
            }
            print(
                f"{level:8} {100 * total.accuracy:.2f} % of {total.numbers:,} exact (standard error {error:.2f}), "
                f"digit errors {total.digit_error_rate:.2%}, {total.extra} read where none is, "
                f"{sure:,} sure, {wrong} of them wrong, {np.median(seconds):.2f} s a page",
                flush=True,
            )
    about = {"chainrule": cr.__version__, "python": platform.python_version(), "numpy": np.__version__}
    RESULTS.write_text(json.dumps(about | {"levels": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
