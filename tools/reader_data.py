"""Create the training data of the network `reader`: digits cut from photographed pages, and the scraps of wrong cuts.

Pages are composed of MNIST's training digits (tests/pages.py) and go through the steps of `chainrule read`. Where a
number is known, a search like the reader's, restricted to the number's digits, finds the run of ink for each digit;
everything else that could be mistaken for a digit becomes an example of the class "none".

MODEL reads the runs during this search: `freehand` at first, then the `reader` trained on the result.

Usage: python tools/reader_data.py PAGES OUTPUT.npz MODEL
"""

import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import numpy as np

import chainrule as cr
from chainrule.vision import compare
from chainrule.vision.pieces import Piece, surround
from chainrule.vision.read import lay_out
from chainrule.vision.reading import NOTHING, Lattice, make_lattices, read_lattice, run_cost

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from pages import LEVELS, make_page

HELD_OUT = 0.05
"""Share of the training digits that appear on no page, reserved for choosing settings."""

PAGES = (*LEVELS.values(), replace(LEVELS["hard"], touching=0.6))

NONE_A_PAGE = 90
ALIKE, INSIDE = 0.7, 0.35
"""Overlap with a digit's box above which a run counts neither as the digit nor as "none"; and the smaller overlap above
which that also holds for a part of the digit that looks like the digit."""


@cache
def digits() -> cr.Dataset:
    return cr.data.mnist()[0].split(1 - HELD_OUT, 0)[0]


@cache
def network(model: str) -> cr.Sequential:
    return cr.load(model) if Path(model).is_file() else cr.pretrained(model)


def examples(model: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the pictures (N, 28, 28) uint8 and labels (N,) of one page; label 10 is "none"."""
    rng = np.random.default_rng([7, seed])
    page = make_page(PAGES[seed % len(PAGES)], digits().x[:, 0], digits().y, rng)
    lattices = make_lattices(lay_out(page.picture).groups, network(model))
    texts = [
        "".join(str(c.label) for c in read_lattice(lattice) if c.pixels is not None) or "0" for lattice in lattices
    ]
    _, pairs = compare(page.numbers, texts)
    left = iter(lattices)
    x: list[np.ndarray] = []
    y: list[int] = []
    others: list[np.ndarray] = []
    for number, read in pairs:
        if not read:
            continue
        lattice = next(left)
        chosen = aligned(lattice, [int(digit) for digit in number]) if number else []
        if number and chosen is None:
            continue  # the pieces were joined wrongly, so the labels are unknown
        own = [lattice.runs[place] for place in chosen or []]
        x += [lattice.pixels[place] for place in chosen or []]
        y += [int(digit) for digit in number]
        known = list(zip(own, number, strict=True))
        others += [lattice.pixels[place] for place in lattice.runs if is_none(lattice, place, known)]
    picked = rng.permutation(len(others))[:NONE_A_PAGE]
    x += [others[index] for index in picked]
    y += [10] * len(picked)
    return np.array(x, np.uint8).reshape(-1, 28, 28), np.array(y, np.uint8)


def is_none(lattice: Lattice, place: tuple[int, int], known: list[tuple[Piece, str]]) -> bool:
    """Check whether a run is certainly not one of the number's digits."""
    run, label = lattice.runs[place], str(lattice.probabilities[place].argmax())
    for piece, digit in known:
        share = overlap(run, piece)
        wider = surround([run.box, piece.box]) != piece.box
        if share >= ALIKE and not (wider and run.width > 1.25 * piece.width):
            return False
        if share > INSIDE and digit == label and not wider:
            return False
    return True


def aligned(lattice: Lattice, number: list[int]) -> list[tuple[int, int]] | None:
    """Return the runs that form the number's digits, in order, or None if the match is implausible."""
    count = len(lattice.parts)
    best = np.full((len(number) + 1, count + 1), -np.inf)
    best[0, 0] = 0
    last: dict[tuple[int, int], tuple[int, int]] = {}
    for stop in range(1, count + 1):
        for done in range(len(number) + 1):
            small = lattice.parts[stop - 1].piece.area < 0.02 * lattice.height**2
            best[done, stop] = best[done, stop - 1] - (1 if small else 6)
            last[done, stop] = (done, stop - 1)
            if not done:
                continue
            for (start, end), probabilities in lattice.probabilities.items():
                if end != stop:
                    continue
                score = float(np.log(probabilities[number[done - 1]] + 1e-3)) - run_cost(lattice, start, stop)
                if best[done - 1, start] + score > best[done, stop]:
                    best[done, stop] = best[done - 1, start] + score
                    last[done, stop] = (done - 1, start)
    if best[-1, -1] < -2.5 * len(number) - 1:
        return None
    chosen = []
    done, stop = len(number), count
    while stop:
        before = last[done, stop]
        if before[0] < done:
            chosen.append((before[1], stop))
        done, stop = before
    return chosen[::-1]


def overlap(one: Piece, two: Piece) -> float:
    """Return the intersection of two boxes divided by their union."""
    width = min(one.box[2], two.box[2]) - max(one.box[0], two.box[0])
    height = min(one.box[3], two.box[3]) - max(one.box[1], two.box[1])
    both = max(0, width) * max(0, height)
    return both / (one.width * one.height + two.width * two.height - both)


def main(pages: int, output: Path, model: str) -> None:
    with ProcessPoolExecutor() as pool:
        made = list(pool.map(partial(examples, model), range(pages), chunksize=4))
    x, y = (np.concatenate(arrays) for arrays in zip(*made, strict=True))
    train = digits()
    x, y = np.concatenate([x, train.x[:, 0]]), np.concatenate([y, train.y])
    test = cr.data.mnist()[1]
    order = np.random.default_rng(0).permutation(len(x))
    classes = np.array([*"0123456789", NOTHING])
    arrays = {"x_train": x[order][:, None], "y_train": y[order], "x_test": test.x, "y_test": test.y}
    np.savez_compressed(output, **arrays, classes=classes)
    print(f"{output}: {np.bincount(y).tolist()}")


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
