"""Shared fixtures: a small data set on disk, and the command line as a user starts it."""

import os
import signal
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

import chainrule as cr
from chainrule.data.idx import STEMS
from commands import Commands

# The same examples in every run, however slow the machine, so that a failure is due to the code, not to chance.
settings.register_profile("seeded", derandomize=True, deadline=None)
settings.load_profile("seeded")

# A shell that starts the tests in the background, or nohup, makes them ignore signals that some of them send.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def idx_bytes(array: np.ndarray) -> bytes:
    """Write a uint8 array in the IDX format."""
    header = bytes([0, 0, 8, array.ndim]) + b"".join(length.to_bytes(4, "big") for length in array.shape)
    return header + array.astype(np.uint8).tobytes()


def write_idx(folder: Path, train: cr.Dataset, test: cr.Dataset) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for part, data in (("train", train), ("test", test)):
        images, labels = STEMS[part]
        (folder / images).write_bytes(idx_bytes(data.x[:, 0]))
        (folder / labels).write_bytes(idx_bytes(data.y))
    return folder


@pytest.fixture(autouse=True)
def _own_random_numbers(request):
    """Seed NumPy's generator and the module's RNG for each test, so that its numbers do not depend on earlier tests."""
    seed = zlib.crc32(request.node.nodeid.encode())
    np.random.seed(seed)
    generator = getattr(request.module, "RNG", None)
    if isinstance(generator, np.random.Generator):
        generator.bit_generator.state = np.random.default_rng(seed).bit_generator.state


@pytest.fixture(scope="session")
def mnist() -> tuple[cr.Dataset, cr.Dataset]:
    return cr.data.mnist()


@pytest.fixture(scope="session")
def small(mnist) -> tuple[cr.Dataset, cr.Dataset]:
    """The first 600 training and 200 test images."""
    train, test = mnist
    return cr.Dataset(train.x[:600], train.y[:600]), cr.Dataset(test.x[:200], test.y[:200])


@pytest.fixture(scope="session")
def small_folder(small, tmp_path_factory) -> Path:
    """The same images as a folder of IDX files."""
    return write_idx(tmp_path_factory.mktemp("data") / "small", *small)


@pytest.fixture(scope="session")
def chainrule() -> Iterator[Commands]:
    """Run the command line in a separate process; return exit code, stdout and stderr."""
    commands = Commands()
    yield commands
    commands.close()


@pytest.fixture(scope="session")
def in_terminal() -> Callable[..., tuple[int, str]]:
    """Run the command line in a pseudo-terminal; return the exit code and everything it displayed."""
    import pty

    def run(*arguments: object, typed: bytes = b"", **options) -> tuple[int, str]:
        primary, secondary = pty.openpty()
        with subprocess.Popen(
            [sys.executable, "-m", "chainrule", *map(str, arguments)],
            stdin=secondary,
            stdout=secondary,
            stderr=secondary,
            env=os.environ | {"TERM": "xterm", "COLUMNS": "120"},
            **options,
        ) as process:
            os.close(secondary)
            os.write(primary, typed)
            shown = bytearray()
            try:
                while piece := os.read(primary, 65536):
                    shown += piece
            except OSError:  # the other end was closed
                pass
        os.close(primary)
        return process.returncode, shown.decode(errors="replace")

    return run


@pytest.fixture(scope="session")
def model(small_folder, chainrule, tmp_path_factory) -> Path:
    """A model file, trained for two epochs on the small data from the command line."""
    folder = tmp_path_factory.mktemp("trained")
    result = chainrule("train", "--data", small_folder, "--epochs", 2, "--output", folder)
    assert result.returncode == 0, result.stderr
    return folder / "model.safetensors"


@pytest.fixture
def rejects(chainrule):
    """Run a command that must fail with one line on stderr and exit code 2; return the line."""

    def run(*arguments: object, **options) -> str:
        result = chainrule(*arguments, **options)
        lines = [line for line in result.stderr.splitlines() if line.startswith("error:")]
        assert result.returncode == 2, (result.returncode, result.stdout, result.stderr)
        assert len(lines) == 1, result.stderr
        assert "Traceback" not in result.stderr
        assert result.stderr.splitlines()[-1] == lines[0]
        return lines[0]

    return run
