"""Read corrupted files in separate processes, and report those that crash, hang, or raise an unexpected error."""

import contextlib
import faulthandler
import multiprocessing
import os
import random
import resource
import signal
import tempfile
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chainrule.errors import ChainruleError
from fuzz.corpus import READERS
from fuzz.mutate import mutate

SECONDS = 5
"""CPU seconds; the wall-clock limit is WAITING times as long, because a busy machine may be late."""
WAITING = 6
GRACE = 10
"""Seconds more until a process that does not react to its alarm is killed."""
MEMORY = 2**30
"""Allowed on top of the memory that the process has at the start."""

BATCH = 500


@dataclass
class Result:
    """The number of files read, and the failures found."""

    files: int = 0
    read: int = 0
    crashes: int = 0
    foreign: int = 0
    hangs: int = 0
    memory: int = 0
    told: list[str] = field(default_factory=list)

    @property
    def faults(self) -> int:
        return self.crashes + self.foreign + self.hangs + self.memory

    def __str__(self) -> str:
        counts = (
            f"n = {self.files:,} ({self.read:,} read, the others refused): {self.crashes} crashes, "
            f"{self.foreign} foreign exceptions, {self.hangs} hangs over {SECONDS} s, {self.memory} over 1 GB"
        )
        return "\n  ".join([counts, *self.told[:20]])


class Hang(BaseException):
    """Derived from BaseException, so that no reader catches it."""


def campaign(name: str, number: int, seed: int, keep: Path | None = None) -> Result:
    """Read `number` corrupted files with the named reader; files that fail are kept in a folder."""
    result = Result()
    with tempfile.TemporaryDirectory() as folder:
        seeds = READERS[name].seeds(Path(folder))
        first = 0
        while first < number:
            first = _batch(name, seeds, range(first, min(first + BATCH, number)), seed, Path(folder), result, keep)
    return result


def changed(seeds: list[bytes], seed: int, index: int) -> bytes:
    """Return the file with this number."""
    rng = random.Random(f"{seed}/{index}")
    return mutate(rng.choice(seeds), rng)


def attempt(name: str, content: bytes, folder: Path) -> str:
    """Return "read", "refused", or what is wrong: "hang", "memory", or the exception."""
    path = folder / f"file.{READERS[name].ending}"
    path.write_bytes(content)
    _set_alarms(SECONDS)
    try:
        READERS[name].read(path)
        return "read"
    except ChainruleError as error:
        text = str(error)
        if "\n" in text:
            return f"more than one line: {text!r:.300}"
        return "memory" if isinstance(error.__cause__, MemoryError) else "refused"
    except Hang:
        return "hang"
    except MemoryError:
        return "memory"
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {error!s:.200} ({Path(where.filename).name}:{where.lineno})"
    finally:
        _set_alarms(0)


def _set_alarms(seconds: float) -> None:
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, WAITING * seconds)


def in_child(work: Callable[[], str]) -> str:
    """Return what `work` reports in a process with the campaign's limits; nothing if it crashes."""
    ours, theirs = multiprocessing.Pipe(duplex=False)

    def run() -> None:
        _limit()
        theirs.send(work())

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    theirs.close()
    try:
        return str(ours.recv())
    except EOFError:
        return ""
    finally:
        process.join()


def _limit() -> None:
    """Limit memory, set an alarm that raises Hang, and silence output."""
    faulthandler.disable()
    warnings.simplefilter("ignore")
    size = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, -1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    def stop(*_: Any) -> None:
        raise Hang

    signal.signal(signal.SIGALRM, stop)
    signal.signal(signal.SIGPROF, stop)
    with open(os.devnull, "w") as nothing:  # codecs in C print messages
        os.dup2(nothing.fileno(), 2)


def _work(pipe: Any, name: str, seeds: list[bytes], numbers: range, seed: int, folder: Path) -> None:
    _limit()
    for index in numbers:
        pipe.send((index, attempt(name, changed(seeds, seed, index), folder)))


def _batch(
    name: str, seeds: list[bytes], numbers: range, seed: int, folder: Path, result: Result, keep: Path | None
) -> int:
    """Return the number of the first file that was not read."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    context = multiprocessing.get_context("fork")
    process = context.Process(target=_work, args=(theirs, name, seeds, numbers, seed, folder))
    process.start()
    theirs.close()
    done = numbers.start
    with contextlib.suppress(EOFError):
        while done < numbers.stop:
            if not ours.poll(WAITING * SECONDS + GRACE):  # C code does not react to the alarm
                process.kill()
                _count(result, "hang", name, seeds, seed, done, keep)
                done += 1
                break
            index, outcome = ours.recv()
            _count(result, outcome, name, seeds, seed, index, keep)
            done = index + 1
    process.join()
    if process.exitcode and process.exitcode != -signal.SIGKILL:
        _count(result, f"crash {process.exitcode}", name, seeds, seed, done, keep)
        done += 1
    return done


def _count(
    result: Result, outcome: str, name: str, seeds: list[bytes], seed: int, index: int, keep: Path | None
) -> None:
    result.files += 1
    result.read += outcome == "read"
    if outcome in ("read", "refused"):
        return
    result.hangs += outcome == "hang"
    result.memory += outcome == "memory"
    result.crashes += outcome.startswith("crash")
    result.foreign += outcome not in ("hang", "memory") and not outcome.startswith("crash")
    result.told.append(f"file {index}: {outcome}")
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        (keep / f"{name}-{seed}-{index}.{READERS[name].ending}").write_bytes(changed(seeds, seed, index))
