"""Report results, one line each with the ratio first, and the versions and the machine they were measured with."""

import os
import platform
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from chainrule.bench.peers import Peer
from chainrule.bench.rounds import OURS, Result
from chainrule.kernels import IMPLEMENTATION
from chainrule.text import table
from chainrule.version import __version__

__all__ = ["as_json", "lines", "rows", "versions"]

_HEADERS = ("ratio", "from ... to", "median")


def lines(title: str, results: Mapping[str, Result]) -> str:
    """Return a table for one benchmark: how long each variant takes relative to chainrule, and in absolute time."""
    return table((title, *_HEADERS), rows(title, results))


def rows(title: str, results: Mapping[str, Result]) -> list[tuple[str, ...]]:
    """Return a row for each variant: its name, how long it takes relative to chainrule, the range, and its median."""
    found: list[tuple[str, ...]] = []
    for name, result in results.items():
        spread = f"{min(result.ratios):.2f} to {max(result.ratios):.2f}" if len(result.ratios) > 1 else ""
        found.append((name, f"{result.ratio:.2f}", spread, _amount(title, result.median)))
    return found


def _amount(title: str, number: float) -> str:
    if title.startswith(("installed", "memory")):
        return f"{number / 1e6:,.1f} MB"
    if number >= 1:
        return f"{number:.2f} s"
    return f"{1e3 * number:.2f} ms" if number >= 1e-2 else f"{1e6 * number:,.1f} us"


def as_json(results: Mapping[str, Result]) -> dict[str, Any]:
    """Return all rounds, their median and the median ratio."""
    return {
        name: {
            "median": float(f"{result.median:.6g}"),
            "ratio": round(result.ratio, 3),
            "ratios": [round(ratio, 3) for ratio in (min(result.ratios), max(result.ratios))],
            "rounds": [float(f"{number:.4g}") for number in result.seconds],
        }
        for name, result in results.items()
    }


def versions(peers: Mapping[str, Peer]) -> dict[str, str]:
    """Return the versions of chainrule, Python, NumPy and the peers, and a description of the machine."""
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {_processor()}"
    own = {OURS: __version__, "kernels": IMPLEMENTATION, "Python": platform.python_version(), "NumPy": np.__version__}
    own |= {name: peer.version() for name, peer in peers.items()}
    return own | {"libraries of products": _products()} | {"machine": machine}


def _products() -> str:
    """Describe which kernels the loaded BLAS libraries use, and on how many threads."""
    if find_spec("threadpoolctl") is None:
        return "unknown: pip install threadpoolctl"
    pools = import_module("threadpoolctl").threadpool_info()
    told = (
        f"{pool['internal_api']} {pool['version'] or ''} {pool.get('architecture', '')} ({pool['num_threads']} threads)"
        for pool in pools
    )
    return "; ".join(" ".join(text.split()) for text in told)


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown processor"
