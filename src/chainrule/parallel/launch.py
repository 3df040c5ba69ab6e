"""Starts the workers of a training, shows the output of the first, and restarts all when one is lost.

Launcher and workers communicate through files in a folder of their own, so that workers continue if the launcher is
killed. Each worker writes its output to files (`0.out`, `0.err`) and at the end its exit code (`0.code`), which is
missing if it was killed; the first one writes `saved` after each checkpoint.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO

from chainrule.errors import MissingExtraError, OptionError, WorkerLostError
from chainrule.files import replacing

__all__ = ["LOST", "Tail", "launch", "report", "take_place", "tell_saved"]

_ERRORS = ("error:", "错误：")
"""How a line with an error begins, in either language."""
LOST = 75
"""Exit code of a worker that lost another one: a retry may help (EX_TEMPFAIL in sysexits.h)."""

_FOLDER = "CHAINRULE_LAUNCH"
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
_TRIES = 5
"""A training is given up after this many starts in a row without a new checkpoint."""
_LOOK = 0.02
_GRACE = 5.0
"""Seconds that workers have to end when one has failed, and mpiexec when all have ended."""
_PROCESSES = Path("/proc")
_OPEN_MPI = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",  # as in containers
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",  # more workers than cores are allowed
    "PRTE_MCA_hwloc_default_binding_policy": "none",  # a worker may have several threads
}


def launch(words: Sequence[str], workers: int, note: Callable[[str], None]) -> int:
    """Run `chainrule WORDS` as several workers, again from the last checkpoint if one is lost; return the exit code.

    Ctrl-C, SIGTERM and SIGHUP ask the workers to save and end; a second signal ends them at once.

    Args:
        words: the arguments of the command line.
        workers: 1 or more.
        note: called with a sentence for each event.

    Raises:
        MissingExtraError: mpi4py is not installed.
        OptionError: there is no mpiexec, or it starts nothing.
        WorkerLostError: workers were lost repeatedly without a new checkpoint.
    """
    if workers < 1:
        raise OptionError(f"--workers must be 1 or more, got {workers}")
    if find_spec("mpi4py") is None:
        raise MissingExtraError("mpi4py", "training by several workers", "mpi")
    places = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    mpiexec = shutil.which("mpiexec", path=places)
    if mpiexec is None:
        raise OptionError('training by several workers needs mpiexec: pip install "chainrule[mpi]", or install MPI')
    command = [mpiexec, "-n", str(workers), sys.executable, "-m", "chainrule", *words]
    tries, saved = 0, ""
    with tempfile.TemporaryDirectory(prefix="chainrule-") as top, _Signals() as signals:
        while True:
            folder = Path(tempfile.mkdtemp(dir=top))
            code = _Run(command, folder, _environment(folder, workers), signals.received).code()
            if code is not None:
                return code
            if tries and not list(folder.glob("*.pid")):  # once: it may have been killed that early
                raise OptionError(f"mpiexec starts no worker: {_last(folder)}")
            now = _read(folder / "saved")
            tries = 0 if now and now != saved else tries + 1
            saved = now or saved
            if tries == _TRIES:
                raise WorkerLostError(f"workers were lost {_TRIES} times before a new checkpoint: {_last(folder)}")
            if saved:
                step, output = saved.split(" ", maxsplit=1)
                note(f"a worker was lost: going on from the checkpoint after step {int(step):,}")
                command = [*command[:6], *words, "--resume", "--output", output]
            else:
                note("a worker was lost before there was a checkpoint: starting anew")


def take_place() -> None:
    """In a launched worker: write all output to its files from now on."""
    if (folder := os.environ.get(_FOLDER)) is None:
        return
    for handle, ending in ((1, "out"), (2, "err")):
        file = os.open(Path(folder) / f"{_rank()}.{ending}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(file, handle)
        os.close(file)
    _tell(f"{_rank()}.pid", str(os.getpid()))


def report(code: int) -> None:
    """In a launched worker: report that it has ended by itself, with this exit code."""
    _tell(f"{_rank()}.code", str(code))


def tell_saved(step: int, folder: str | os.PathLike[str]) -> None:
    """In a launched worker: report a checkpoint in a folder, after this many steps."""
    _tell("saved", f"{step} {Path(folder).absolute()}")


class _Signals:
    """The signals received within the block, except ignored ones."""

    def __init__(self) -> None:
        self.received: list[int] = []

    def __enter__(self) -> "_Signals":
        handlers = {number: signal.getsignal(number) for number in _SIGNALS}
        self._before = {number: handler for number, handler in handlers.items() if handler != signal.SIG_IGN}
        for number in self._before:
            signal.signal(number, lambda number, frame: self.received.append(number))
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


class _Run:
    """One start of the workers."""

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str], received: list[int]) -> None:
        self.command, self.folder, self.environment, self.received = command, folder, environment, received

    def code(self) -> int | None:
        """Start them and wait; return the exit code of the training, or None if a worker was lost."""
        errors = self.folder / "mpiexec"
        with errors.open("wb") as file:
            process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env=self.environment,
                start_new_session=True,  # Ctrl-C is ours to pass on
            )
        try:
            self._follow(process)
        finally:
            for pid in self._alive().values():
                os.kill(pid, signal.SIGKILL)
            try:
                process.wait(_GRACE)  # it cleans up
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        return self._outcome()

    def _follow(self, process: "subprocess.Popen[bytes]") -> None:
        tails = [Tail(self.folder / "0.out", sys.stdout.buffer), Tail(self.folder / "0.err", sys.stderr.buffer)]
        told, ending = 0, 0.0
        while process.poll() is None and len(self.received) < 2:
            for tail in tails:
                tail.show()
            if len(self.received) > told:
                told = len(self.received)
                for pid in self._alive().values():
                    os.kill(pid, signal.SIGUSR1)
            if self._is_lost():
                break
            if not ending and any(code != 0 for code in self._codes().values()):
                ending = time.monotonic() + _GRACE
            if ending and time.monotonic() > ending:
                break
            time.sleep(_LOOK)
        for tail in tails:
            tail.show()

    def _outcome(self) -> int | None:
        codes = self._codes()
        bad = {rank: code for rank, code in codes.items() if code not in (0, LOST)}
        if self.received:
            return 128 + self.received[0] if codes.get(0) != 0 else 0
        if bad:
            rank = min(bad)
            if rank and not any(word in _read(self.folder / "0.err") for word in _ERRORS):
                sys.stderr.write(_read(self.folder / f"{rank}.err"))
            return bad[rank]
        if codes.get(0) == 0:
            return 0
        return None

    def _codes(self) -> dict[int, int]:
        return {int(path.stem): int(_read(path)) for path in self.folder.glob("*.code")}

    def _is_lost(self) -> bool:
        """Whether a worker on this machine has ended without an exit code: the others would wait for it."""
        if not _PROCESSES.exists():
            return False
        begun = {int(path.stem) for path in self.folder.glob("*.pid")}
        alive = self._alive()
        return bool(begun - set(alive) - set(self._codes()))  # a worker writes its code before it ends

    def _alive(self) -> dict[int, int]:
        """Live workers on this machine -> their process IDs, checked to be still theirs."""
        mark = f"{_FOLDER}={self.folder}".encode()
        alive = {}
        for path in self.folder.glob("*.pid"):
            try:
                environment = (_PROCESSES / _read(path) / "environ").read_bytes()
            except OSError:
                continue
            if mark in environment.split(b"\0"):
                alive[int(path.stem)] = int(_read(path))
        return alive


class Tail:
    """Shows what is appended to a file."""

    def __init__(self, path: Path, out: BinaryIO, shown: int = 0) -> None:
        self.path, self.out, self.shown = path, out, shown

    def show(self) -> None:
        """What is new."""
        if self.path.exists() and self.path.stat().st_size > self.shown:
            with self.path.open("rb") as file:
                file.seek(self.shown)
                content = file.read()
            self.shown += len(content)
            self.out.write(content)
            self.out.flush()


def _environment(folder: Path, workers: int) -> dict[str, str]:
    """The workers' environment: they share the cores unless the number of threads is set."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = str(max(1, cores // workers))
    return {
        **dict.fromkeys(("CHAINRULE_NUM_THREADS", "OPENBLAS_NUM_THREADS"), threads),
        **_OPEN_MPI,
        **os.environ,
        _FOLDER: str(folder),
    }


def _rank() -> int:
    return int(os.environ.get("OMPI_COMM_WORLD_RANK") or os.environ.get("PMI_RANK") or 0)


def _tell(name: str, text: str) -> None:
    if (folder := os.environ.get(_FOLDER)) is not None and Path(folder).is_dir():  # else the launcher is gone
        with replacing(Path(folder) / name) as file:
            file.write(text.encode())


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def _last(folder: Path) -> str:
    """The last line that any worker has written."""
    lines = [line for name in ("0.err", "mpiexec") for line in _read(folder / name).splitlines() if line.strip("- ")]
    return lines[-1] if lines else "nothing was told"
