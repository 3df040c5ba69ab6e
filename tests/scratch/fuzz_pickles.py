"""Pickles corrupted at random and read by the restricted reader: `python -m scratch.fuzz_pickles [TRIALS] [SEED]`.

Each must end in a pickle error or a printable object, within 5 seconds and bounded memory.
"""

import pickle
import pickletools
import resource
import sys
import time
import warnings
from collections import Counter
from collections.abc import Sequence

import numpy as np

from chainrule.errors import DataError
from chainrule.scratch.pickles import reading_arrays_only

__all__ = ["fuzz"]

_OPCODES = [opcode.code.encode("latin1") for opcode in pickletools.opcodes]


def fuzz(contents: Sequence[bytes], trials: int, seed: int) -> tuple[Counter[str], list[bytes]]:
    """Return the outcomes of so many trials, and the pickles that went wrong."""
    rng = np.random.default_rng(seed)
    counts: Counter[str] = Counter()
    wrong = []
    with reading_arrays_only():
        for _ in range(trials):
            changed = _changed(contents, rng)
            started = time.monotonic()
            try:
                repr(pickle.loads(changed))
                counts["read"] += 1
            except (DataError, EOFError, pickle.UnpicklingError) as error:
                counts[type(error).__name__] += 1
            except Exception as error:
                counts[f"foreign: {type(error).__name__}"] += 1
                wrong.append(changed)
            if time.monotonic() - started > 5:
                counts["slow"] += 1
                wrong.append(changed)
    return counts, wrong


def _changed(contents: Sequence[bytes], rng: np.random.Generator) -> bytes:
    """Replace one to four bytes, insert opcodes, drop bytes, or insert pieces of another pickle."""
    content = bytearray(contents[rng.integers(len(contents))])
    for _ in range(rng.integers(1, 5)):
        place, kind = int(rng.integers(len(content) + 1)), rng.integers(4)
        if kind == 0:
            content[place : place + 1] = bytes([rng.integers(256)])
        elif kind == 1:
            content[place:place] = _OPCODES[rng.integers(len(_OPCODES))]
        elif kind == 2:
            del content[place : place + int(rng.integers(1, 9))]
        else:
            other = contents[rng.integers(len(contents))]
            first = int(rng.integers(len(other)))
            content[place:place] = other[first : first + int(rng.integers(1, 40))]
    return bytes(content)


def main(trials: int = 100_000, seed: int = 0) -> int:
    from scratch.test_pickles import SAMPLES  # the tests run a sample of this

    resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
    warnings.simplefilter("ignore")
    counts, wrong = fuzz(SAMPLES, trials, seed)
    print(f"{trials} trials, seed {seed}:", dict(counts), *wrong, sep="\n")
    print(f"largest memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MB")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
