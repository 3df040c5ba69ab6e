"""No function of the kernels may be shared by the instruction sets that they are compiled for.

    python tools/shared_code.py build

Each set's object file may define functions of its own namespace alone. One that all of them define (of the standard
library, say) is kept once by the linker, and it may be the one for a set that the processor lacks. Exit code 1 then.
"""

import re
import subprocess
import sys
from pathlib import Path


def shared(built: Path) -> str | None:
    """The functions that an object file would share with others, if any."""
    names = subprocess.run(["nm", "--demangle", "--defined-only", built], capture_output=True, text=True, check=True)
    found = [line for line in names.stdout.splitlines() if re.match(r"\w* [WuV] ", line)]
    own = re.compile(r"chainrule::(baseline|avx2|avx512)\b|DW\.ref\.")
    return "\n".join(line for line in found if not own.search(line)) or None


def main(folder: Path) -> int:
    """Look at every object file below; how many share a function."""
    files = sorted(folder.rglob("kernels_*.dir/**/*.o"))
    faults = 0
    for file in files:
        if told := shared(file):
            faults += 1
            print(f"{file} shares\n{told}")
    print(f"{len(files)} object files of kernels, {faults} with functions that others have too")
    return faults or not files


if __name__ == "__main__":
    sys.exit(bool(main(Path(sys.argv[1]))))
