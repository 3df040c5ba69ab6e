"""Check that the kernels' object files for different instruction sets share no function.

    python tools/shared_code.py build

Each object file may define only functions in its own namespace. If several define the same function (say, from the
standard library), the linker keeps one copy, possibly one compiled for an instruction set that the processor lacks.
Exit code 1 if any is shared.
"""

import re
import subprocess
import sys
from pathlib import Path


def shared(built: Path) -> str | None:
    """Return the functions that an object file would share with others, or None."""
    names = subprocess.run(["nm", "--demangle", "--defined-only", built], capture_output=True, text=True, check=True)
    found = [line for line in names.stdout.splitlines() if re.match(r"\w* [WuV] ", line)]
    own = re.compile(r"chainrule::(baseline|avx2|avx512)\b|DW\.ref\.")
    return "\n".join(line for line in found if not own.search(line)) or None


def main(folder: Path) -> int:
    """Check every object file below a folder; return how many share a function, or 1 if there are no files."""
    files = sorted(folder.rglob("kernels_*.dir/**/*.o"))
    faults = 0
    for file in files:
        if told := shared(file):
            faults += 1
            print(f"{file} shares\n{told}")
    print(f"{len(files)} object files of kernels, {faults} with shared functions")
    return faults or not files


if __name__ == "__main__":
    sys.exit(bool(main(Path(sys.argv[1]))))
