"""`make fuzz`: corrupted files for each reader, each read under limits of memory and time.

python -m fuzz [--only NAME] [--folder KEEP] [--seed N] NUMBER
"""

import argparse
import sys
from pathlib import Path

from fuzz.campaign import campaign
from fuzz.corpus import READERS


def main() -> int:
    parser = argparse.ArgumentParser(prog="fuzz")
    parser.add_argument("number", type=int, nargs="?", default=10_000)
    parser.add_argument("--only", choices=READERS, action="append")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path("build/fuzz"), help="keeps what was found")
    given = parser.parse_args()
    found = 0
    for name in given.only or READERS:
        result = campaign(name, given.number, given.seed, given.folder)
        print(f"{name}: seed {given.seed}, {result}", flush=True)
        found += result.faults
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
