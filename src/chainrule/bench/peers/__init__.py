"""The peers, one file each: the same network with the same weights, trained and run in the peer's own way."""

from collections.abc import Mapping
from importlib import import_module
from typing import Protocol, cast

from chainrule.arrays import Array
from chainrule.bench.rounds import Run
from chainrule.bench.work import Goal, Work
from chainrule.data import Dataset
from chainrule.layers import Sequential

__all__ = ["PEERS", "Peer", "load_peer", "load_peers"]

PEERS = {"PyTorch": "pytorch", "JAX": "jax", "scikit-learn": "sklearn", "ONNX Runtime": "onnx"}
"""Maps peer names to modules."""


class Peer(Protocol):
    """The functions of a peer's module; its mappings contain only the variants that it supports."""

    def version(self) -> str: ...
    def training(self, net: Sequential, work: Work, train: Dataset, *, compiled: bool = True) -> Mapping[str, Run]:
        """Return variants of `work.steps` training steps per round, by name; without `compiled`, only the plainest."""
        ...

    def inference(self, net: Sequential, x: Array, repeats: int) -> Mapping[str, Run]:
        """Return variants of computing the logits of a batch of pixels, by name."""
        ...

    def time_to(self, goal: Goal, net: Sequential, train: Dataset, test: Dataset, seed: int) -> float | None:
        """Return the seconds until the goal is reached, measured as for chainrule; None if not measured."""
        ...


def load_peer(name: str) -> Peer:
    """Return the module of a peer.

    Raises:
        ModuleNotFoundError: the peer is not installed.
    """
    return cast(Peer, import_module(f"chainrule.bench.peers.{PEERS[name]}"))


def load_peers() -> tuple[dict[str, Peer], list[str]]:
    """Return the installed peers, and the names of those that are not installed."""
    found, missing = {}, []
    for name in PEERS:
        try:
            found[name] = load_peer(name)
        except ModuleNotFoundError:
            missing.append(name)
    return found, missing
