"""The others, each in one file: the same network with the same weights, trained and asked in the peer's own way."""

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
"""Names and modules."""


class Peer(Protocol):
    """What the file of a peer offers; ways that it does not have are left out of what it returns."""

    def version(self) -> str: ...
    def training(self, net: Sequential, work: Work, train: Dataset, *, compiled: bool = True) -> Mapping[str, Run]:
        """Ways to do `work.steps` training steps a round, by name; without `compiled`, the plainest alone."""
        ...

    def inference(self, net: Sequential, x: Array, repeats: int) -> Mapping[str, Run]:
        """Ways to the logits of a batch of pixels."""
        ...

    def time_to(self, goal: Goal, net: Sequential, train: Dataset, test: Dataset, seed: int) -> float | None:
        """Seconds until the goal is reached, as chainrule's are counted; None where it cannot be asked."""
        ...


def load_peer(name: str) -> Peer:
    """The module of a peer.

    Raises:
        ModuleNotFoundError: it is not installed.
    """
    return cast(Peer, import_module(f"chainrule.bench.peers.{PEERS[name]}"))


def load_peers() -> tuple[dict[str, Peer], list[str]]:
    """Those that are installed, and the names of those that are not."""
    found, missing = {}, []
    for name in PEERS:
        try:
            found[name] = load_peer(name)
        except ModuleNotFoundError:
            missing.append(name)
    return found, missing
