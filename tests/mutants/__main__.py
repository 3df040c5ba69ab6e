"""Try every mutant of every subject: `make mutants`. Exits with 1 if one survives or is equivalent without a reason."""

import multiprocessing
import os
import random
import resource
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

from chainrule import kernels
from chainrule.kernels.reference import conv
from chainrule.text import table
from mutants.bricks import catalogue_functions, losses
from mutants.courses import exercises, scratch_layers
from mutants.equivalents import reason, unused
from mutants.trial import Subject, Trial, try_mutant

FAMILIES = {
    "lessons": exercises,
    "scratch": scratch_layers,
    "catalogue": lambda: chain(catalogue_functions(), losses()),
}
_CHUNK = 20
_MEMORY = 4 * 2**30
_COLUMNS = ("subject", "mutants", "told", "by error", "the same", "of forward", "unexplained", "survive")
_subjects: list[Subject] = []


def prepare(families: Sequence[str]) -> list[Subject]:
    """Return the subjects of these families.

    Raises:
        SystemExit: the native kernels are in use; the mutations change the reference's backward passes.
    """
    if kernels.NATIVE:
        raise SystemExit("mutants are made of the reference kernels: set CHAINRULE_KERNELS=reference")
    conv._COLUMN_BYTES = 4000  # so that a batch of 4 takes several blocks, as large batches do
    return list(chain.from_iterable(FAMILIES[family]() for family in families))


def run(subjects: list[Subject], sample: int | None, processes: int) -> list[Trial]:
    """Return the trials of all mutants, or of a seeded sample spread evenly over the subjects."""
    jobs = [(index, number) for index, subject in enumerate(subjects) for number in range(len(subject.mutants))]
    if sample is not None:
        jobs = _spread(jobs, sample)
    _subjects[:] = subjects
    with multiprocessing.get_context("fork").Pool(processes, _bound_memory) as pool:
        trials = pool.imap(_try, [jobs[start : start + _CHUNK] for start in range(0, len(jobs), _CHUNK)])
        return [_explained(trial) for trial in chain.from_iterable(trials)]


def _bound_memory() -> None:
    """Give a process 4 GB, so that a mutant that asks for more raises MemoryError instead of being killed."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))


def _spread(jobs: list[tuple[int, int]], sample: int) -> list[tuple[int, int]]:
    """Return about `sample` jobs, the same each time, evenly spread over the subjects."""
    generator = random.Random(1)
    by_subject: dict[int, list[tuple[int, int]]] = {}
    for job in jobs:
        by_subject.setdefault(job[0], []).append(job)
    each = -(-sample // len(by_subject))
    return sorted(chain.from_iterable(generator.sample(own, min(each, len(own))) for own in by_subject.values()))


def _try(jobs: list[tuple[int, int]]) -> list[Trial]:
    return [try_mutant(_subjects[index], _subjects[index].mutants[number]) for index, number in jobs]


def _explained(trial: Trial) -> Trial:
    if trial.outcome != "same":
        return trial
    found = reason(trial.subject, trial.mutant)
    return replace(trial, where=found) if found else replace(trial, outcome="unexplained")


def report(trials: list[Trial]) -> str:
    """Print one row per subject, and each mutant that survives."""
    counts: dict[str, Counter[str]] = {}
    for trial in trials:
        counts.setdefault(trial.subject, Counter())[trial.outcome] += 1
    counts["all"] = Counter(trial.outcome for trial in trials)
    outcomes = ("told", "raises", "same", "forward", "unexplained", "survives")
    rows = [(name, f"{count.total():,}", *(f"{count[o]:,}" for o in outcomes)) for name, count in counts.items()]
    left = [trial for trial in trials if trial.outcome in ("unexplained", "survives")]
    lines = [f"{trial.outcome}: {trial.subject} ({trial.where}), {trial.mutant}" for trial in left]
    return "\n".join([table(_COLUMNS, rows), *lines])


def main(arguments: Sequence[str]) -> int:
    options = dict(argument.removeprefix("--").split("=") for argument in arguments)
    families = options.get("families", ",".join(FAMILIES)).split(",")
    sample = int(options["sample"]) if "sample" in options else None
    trials = run(prepare(families), sample, len(os.sched_getaffinity(0)))
    print(report(trials))
    stale = unused(trials) if sample is None and len(families) == len(FAMILIES) else []
    for line in stale:
        print(f"no mutant needs this reason any more: {line}")
    return int(bool(stale) or any(trial.outcome in ("unexplained", "survives") for trial in trials))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
