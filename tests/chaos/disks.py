"""Train onto a full or read-only disk: one error line, no partial files, and the same model once there is more room.

Each trial mounts its own file system in a private namespace.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import chainrule as cr
from chaos.kills import Uninterrupted, small_data, train

__all__ = ["in_own_namespace"]

_OPTIONS: list[object] = ["--epochs", 4, "--optimizer", "adam"]
_SMALLEST, _LARGEST = 8, 1600
"""Sizes in KiB: from nothing fits to everything but the last files fits."""


def in_own_namespace(folder: Path, trials: int) -> dict[str, object] | None:
    """Return the outcome of `trials` disks of growing size and a read-only one; None without support for namespaces."""
    start = ["unshare", "--map-root-user", "--mount"]
    if subprocess.run([*start, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False).returncode:
        return None
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)}
    command = [*start, sys.executable, "-m", "chaos.disks", str(folder), str(trials)]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    told: dict[str, object] = json.loads(result.stdout)
    return told


def _run(folder: Path, trials: int) -> dict[str, object]:
    data = small_data(folder / "data")
    whole = Uninterrupted.of([*_OPTIONS, "--data", data], folder / "whole")
    disk = folder / "disk"
    disk.mkdir()
    wrong: list[str] = []
    full = 0
    for number in range(trials):
        kibibytes = _SMALLEST + (_LARGEST - _SMALLEST) * number // max(trials - 1, 1)
        _mount(disk, f"size={kibibytes}k")
        run = disk / "run"
        code, told = _trained(run, whole.options)
        full += code == 2
        lines = [line for line in told.splitlines() if line.startswith("error:")]
        if code not in (0, 2) or (code == 2 and (len(lines) != 1 or "disk is full" not in told)):
            wrong.append(f"{kibibytes} KiB: exit code {code}: {told}")
        wrong += [f"{kibibytes} KiB: {line}" for line in _halves(run)]
        _mount(disk, "remount,size=64m")
        if code:
            begun = (run / "checkpoint.safetensors").exists()
            code, told = _trained(run, ["--resume"] if begun else whole.options)
        if code or (run / "model.safetensors").read_bytes() != whole.model:
            wrong.append(f"{kibibytes} KiB: another model, or none, with more room: {told}")
        subprocess.run(["umount", disk], check=True)
    _mount(disk, "size=64m")
    _trained(disk / "run", whole.options)
    _mount(disk, "remount,ro")
    before = {path.name: path.read_bytes() for path in (disk / "run").iterdir()}
    for options in (whole.options, ["--resume"]):
        code, told = _trained(disk / "run", options)
        if code != 2 or "the disk is read-only: choose another folder" not in told:
            wrong.append(f"read-only: exit code {code}: {told}")
    if before != {path.name: path.read_bytes() for path in (disk / "run").iterdir()}:
        wrong.append("read-only: changed")
    subprocess.run(["umount", disk], check=True)
    return {"disks": trials, "of them full": full, "wrong": wrong}


def _mount(disk: Path, options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", disk], check=True)


def _trained(folder: Path, options: list[object]) -> tuple[int, str]:
    process = train(folder, *options)
    _, told = process.communicate(timeout=300)
    return process.returncode, told


def _halves(folder: Path) -> list[str]:
    """Return damaged files and leftover part files."""
    wrong = []
    for path in folder.iterdir() if folder.exists() else ():
        try:
            if path.name.startswith("."):
                wrong.append(f"left {path.name}")
            elif path.name == "model.safetensors":
                cr.load(path)
            elif path.name == "checkpoint.safetensors":
                cr.io.load_checkpoint(path)
            elif path.suffix == ".json":
                json.loads(path.read_text())
            elif path.suffix == ".png" and not path.read_bytes().endswith(b"IEND\xaeB`\x82"):
                wrong.append(f"half of {path.name}")
        except (ValueError, cr.errors.ChainruleError) as error:
            wrong.append(f"half of {path.name}: {error}")
    return wrong


if __name__ == "__main__":
    print(json.dumps(_run(Path(sys.argv[1]), int(sys.argv[2]))))
