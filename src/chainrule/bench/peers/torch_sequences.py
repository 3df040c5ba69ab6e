"""PyTorch: language models, trained eagerly and with torch.compile; token generation with a key-value cache."""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from chainrule.bench.peers.pytorch import stepping, tell_uncompiled
from chainrule.bench.rounds import Run
from chainrule.bench.sequences import CONTEXT, RATE, SequenceWork, sequence_data, sequence_network
from chainrule.errors import OptionError
from chainrule.layers import (
    GELU,
    LSTM,
    Attention,
    Embedding,
    Layer,
    LayerNorm,
    PointwiseAffine,
    Positions,
    Residual,
    Sequential,
    Unembedding,
)

__all__ = ["training", "writing"]


class _Sequence(nn.Module):
    """Modules in sequence; each takes x and its state, and returns both."""

    def __init__(self, *parts: nn.Module) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)

    def forward(self, x: Any, state: Any = None) -> Any:
        states = []
        for part, before in zip(self.parts, state or [None] * len(self.parts), strict=True):
            x, after = part(x, before)
            states.append(after)
        return x, states


class _Plain(nn.Module):
    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Any, state: Any) -> Any:
        return self.module(x), None


class _Residual(nn.Module):
    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Any, state: Any) -> Any:
        y, state = self.module(x, state)
        return x + y, state


class _Positions(nn.Module):
    def __init__(self, table: Any) -> None:
        super().__init__()
        self.table = nn.Parameter(table)

    def forward(self, x: Any, state: Any) -> Any:
        start = state or 0
        return x + self.table[start : start + x.shape[1]], start + x.shape[1]


class _Attention(nn.Module):
    def __init__(self, layer: Attention) -> None:
        super().__init__()
        self.heads = layer.heads
        self.read, self.out = (
            _linear(W.value, b.value) for W, b in ((layer.W_in, layer.b_in), (layer.W_out, layer.b_out))
        )

    def forward(self, x: Any, state: Any) -> Any:
        samples, steps, features = x.shape
        parts = self.read(x).split(features, 2)
        q, k, v = (part.view(samples, steps, self.heads, features // self.heads).transpose(1, 2) for part in parts)
        if state is not None:
            k, v = torch.cat((state[0], k), 2), torch.cat((state[1], v), 2)
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=state is None)
        return self.out(y.transpose(1, 2).reshape(samples, steps, features)), (k, v)


class _LSTM(nn.Module):
    def __init__(self, layer: LSTM) -> None:
        super().__init__()
        W, U, b = (getattr(layer, name).value for name in "WUb")
        self.lstm = nn.LSTM(len(W), len(U), batch_first=True)
        arrays = {"weight_ih_l0": W.T, "weight_hh_l0": U.T, "bias_ih_l0": b, "bias_hh_l0": np.zeros_like(b)}
        self.lstm.load_state_dict({name: torch.tensor(array) for name, array in arrays.items()})

    def forward(self, x: Any, state: Any) -> Any:
        return self.lstm(x, state)


class _Unembedding(nn.Module):
    def __init__(self, table: nn.Embedding) -> None:
        super().__init__()
        self.table = table

    def forward(self, x: Any, state: Any) -> Any:
        return functional.linear(x, self.table.weight), None


def _linear(W: Any, b: Any) -> nn.Linear:
    linear = nn.Linear(*W.shape)
    linear.load_state_dict({"weight": torch.tensor(W.T), "bias": torch.tensor(b)})
    return linear


def _converted(layer: Layer, made: dict[int, nn.Embedding]) -> nn.Module:
    """Convert a built layer of ours to a module with the same weights; `made` holds tables that later layers share."""
    match layer:
        case Residual():
            return _Residual(_Sequence(*(_converted(part, made) for part in layer.layers)))
        case Sequential():
            return _Sequence(*(_converted(part, made) for part in layer.layers))
        case Embedding():
            made[id(layer)] = nn.Embedding.from_pretrained(torch.tensor(layer.W.value), freeze=False)
            return _Plain(made[id(layer)])
        case Unembedding():
            return _Unembedding(made[id(layer.embedding)])
        case Positions():
            return _Positions(torch.tensor(layer.P.value))
        case PointwiseAffine():
            return _Plain(_linear(layer.W.value, layer.b.value))
        case LayerNorm():
            return _Plain(nn.LayerNorm(layer.gamma.shape, layer.epsilon))
        case GELU():
            return _Plain(nn.GELU())
        case Attention():
            return _Attention(layer)
        case LSTM():
            return _LSTM(layer)
    raise OptionError(f"{layer!r} has no counterpart in this benchmark")


def training(work: SequenceWork) -> Mapping[str, Run]:
    """Return training with Adam or AdamW, eager and compiled."""
    runs = {"PyTorch, eager": _training(_module(work), work)}
    try:
        run = _training(torch.compile(_module(work)), work)
        run()  # compiles now, or fails
        runs["PyTorch, compiled"] = run
    except Exception as error:  # as in pytorch.training
        tell_uncompiled(error)
    return runs


def _module(work: SequenceWork) -> Any:
    """Return the network of `work` as a module, after checking that its outputs match ours."""
    net = sequence_network(work)
    module, x = _converted(net, {}), sequence_data().x[:2]
    with torch.inference_mode():
        logits = module(torch.tensor(x))[0].numpy()
    if not np.allclose(logits, net(x), rtol=1e-3, atol=1e-4):
        raise OptionError("PyTorch's network gives different outputs: the comparison would be meaningless")
    return module


def _training(module: Any, work: SequenceWork) -> Run:
    data = sequence_data()
    tokens, labels = torch.tensor(data.x), torch.tensor(data.y)
    optimizer = (torch.optim.AdamW if work.decays else torch.optim.Adam)(module.parameters(), lr=RATE)

    def learn(chosen: Any) -> None:
        optimizer.zero_grad()
        logits = module(tokens[chosen])[0]
        functional.cross_entropy(logits.flatten(0, 1), labels[chosen].flatten()).backward()
        optimizer.step()

    return stepping(learn, len(tokens), work.batch, work.steps)


def writing(work: SequenceWork) -> Mapping[str, Run]:
    """Return token generation that, like chainrule's, computes each token from the state of the previous ones."""
    module = _module(work).eval()

    def run() -> float:
        token, state = torch.zeros((1, 1), dtype=torch.long), None
        started = time.perf_counter()
        with torch.inference_mode():
            for _ in range(CONTEXT):
                logits, state = module(token, state)
                token = logits.argmax(-1)
        return (time.perf_counter() - started) / CONTEXT

    return {"PyTorch, with a cache": run}
