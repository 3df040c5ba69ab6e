"""Run tests with the kernels of every instruction set and of NumPy, with 1 and 2 threads, and with two BLAS settings.

    python tools/test_everywhere.py tests/kernels tests/layers

OPENBLAS_CORETYPE is first left as the environment has it, then removed (or, if it is not set, set to the oldest core).
Finally prints one line per combination; exit code 1 if any failed.
"""

import itertools
import os
import subprocess
import sys
import time

KERNELS = {
    "SSE2": {"CHAINRULE_INSTRUCTIONS": "sse2"},
    "AVX2": {"CHAINRULE_INSTRUCTIONS": "avx2"},
    "AVX-512": {"CHAINRULE_INSTRUCTIONS": "avx512"},
    "NEON": {},
    "NumPy": {"CHAINRULE_KERNELS": "reference"},
}
"""Maps the names that `chainrule info` prints to the variables that force each."""

CORES = (os.environ.get("OPENBLAS_CORETYPE"), "Prescott" if "OPENBLAS_CORETYPE" not in os.environ else None)


def environment(forced: dict[str, str], threads: int, core: str | None) -> dict[str, str]:
    """Return the environment of one combination, without the caller's own choices."""
    choices = ("CHAINRULE_KERNELS", "CHAINRULE_INSTRUCTIONS", "OPENBLAS_CORETYPE")
    kept = {name: value for name, value in os.environ.items() if name not in choices}
    number = {"CHAINRULE_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
    return kept | forced | number | ({} if core is None else {"OPENBLAS_CORETYPE": core})


def has(name: str, forced: dict[str, str]) -> bool:
    """Check whether this processor can run the forced kernels."""
    code = "from chainrule import kernels; print(kernels.IMPLEMENTATION)"
    told = subprocess.run(
        [sys.executable, "-c", code], env=environment(forced, 1, None), capture_output=True, text=True, check=True
    )
    return name in told.stdout.replace("(", " ").replace(")", " ").replace(",", " ").split()


def main(tests: list[str]) -> int:
    """Run all combinations and return the number of failures."""
    lines, failed = [], 0
    for (name, forced), threads, core in itertools.product(KERNELS.items(), (1, 2), CORES):
        what = f"{name:8} {threads} thread{'s' if threads > 1 else ' '}  OPENBLAS_CORETYPE {core or 'not set':10}"
        if not has(name, forced):
            lines.append(f"{what}  not run: not supported by this processor or installation")
            continue
        print(what, flush=True)
        began = time.perf_counter()
        ran = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "--numprocesses", "auto", *tests],
            env=environment(forced, threads, core),
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        failed += ran.returncode != 0
        if ran.returncode:
            print(ran.stdout, flush=True)
        told = (ran.stdout.strip().splitlines() or ["no answer"])[-1].strip("= ")
        lines.append(f"{what}  {'FAILED' if ran.returncode else 'passed'}  {told}")
        print(f"  {told}, {time.perf_counter() - began:.0f} s", flush=True)
    print(*lines, sep="\n")
    return failed


if __name__ == "__main__":
    sys.exit(bool(main(sys.argv[1:])))
