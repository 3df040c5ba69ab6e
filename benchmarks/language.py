"""Check whether `char-gpt` learns a text as well as the same network in PyTorch.

The recipe is `char-gpt` on the bundled Shakespeare: 4 blocks, 4 heads, 128 features, context 64, batch 12, AdamW. Both
draw their weights from the same distributions, each with its own generator, and see the same windows in the same order
with the same learning rates; the loss is measured on the whole test part (the last tenth of the text). Prints a line
for each training run, then mean and standard error; a full run also writes benchmarks/results/language.json.

Usage: python benchmarks/language.py [STEPS [SEEDS]]      (2000 and 3; needs torch==2.13.0)
"""

import json
import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import torch
from torch import nn
from torch.nn import functional

import chainrule as cr
from chainrule.data import Text
from chainrule.models import char_gpt
from chainrule.recipes import read_recipe
from chainrule.recipes.choices import make_rate
from chainrule.schedules import Schedule

ROOT = Path(__file__).parents[1]
RECIPE = read_recipe("char-gpt")
STEPS, SEEDS = 2000, 3
SIZE, BLOCKS, HEADS = 128, 4, 4


class Block(nn.Module):
    """Attention, then two Linears, each with a preceding norm and a residual connection."""

    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(SIZE) for _ in range(2))
        self.mix, self.out = nn.Linear(SIZE, 3 * SIZE), nn.Linear(SIZE, SIZE)
        self.wide, self.narrow = nn.Linear(SIZE, 4 * SIZE), nn.Linear(4 * SIZE, SIZE)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, t, d = x.shape
        heads = (part.view(n, t, HEADS, d // HEADS).transpose(1, 2) for part in self.mix(self.norms[0](x)).split(d, 2))
        mixed = functional.scaled_dot_product_attention(*heads, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(n, t, d))
        return x + self.narrow(functional.gelu(self.wide(self.norms[1](x))))


class Gpt(nn.Module):
    """The network of `chainrule.models.char_gpt`, with weights from the same distributions."""

    def __init__(self, tokens: int, context: int) -> None:
        super().__init__()
        self.table, self.places = nn.Embedding(tokens, SIZE), nn.Embedding(context, SIZE)
        self.blocks = nn.Sequential(*(Block() for _ in range(BLOCKS)))
        self.norm = nn.LayerNorm(SIZE)
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, 0.0, 0.02)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.blocks(self.table(x) + self.places.weight[: x.shape[1]])
        return self.norm(hidden) @ self.table.weight.T


def main(steps: int, seeds: int) -> None:
    train, test = cr.data.load("shakespeare")
    assert isinstance(train, Text)
    assert isinstance(test, Text)
    rate = make_rate(RECIPE.schedule, RECIPE.rate, steps, min(RECIPE.warmup, steps // 2))
    losses: dict[str, list[float]] = {"chainrule": [], "pytorch": []}
    for seed in range(seeds):
        for name, learn in (("chainrule", ours), ("pytorch", theirs)):
            began = time.perf_counter()
            losses[name].append(learn(train, test, steps, seed, rate))
            seconds = time.perf_counter() - began
            print(f"{name:9} seed {seed}: {losses[name][-1]:.4f} after {steps:,} steps, {seconds:.0f} s", flush=True)
    for name, found in losses.items():
        print(f"{name:9} mean {mean(found):.4f}, standard error {_error(found):.4f} (n = {len(found)})")
    if (steps, seeds) == (STEPS, SEEDS):
        results = {"steps": steps, "validation_loss": losses, "torch": torch.__version__, "chainrule": cr.__version__}
        (ROOT / "benchmarks" / "results" / "language.json").write_text(json.dumps(results, indent=2) + "\n")


def ours(train: Text, test: Text, steps: int, seed: int, rate: Schedule) -> float:
    net = char_gpt(train.preparation.tokenizer.size, SIZE, BLOCKS, HEADS).build(train.sample_shape, seed=seed)
    loss, optimizer = cr.SequenceCrossEntropy(), cr.AdamW(rate, weight_decay=RECIPE.weight_decay or 0.0)
    for number, (x, labels) in enumerate(windows(train, steps, seed), 1):
        logits, cache = net.forward(x, train=True)
        value, dlogits = loss(logits, labels)
        net.backward(dlogits, cache, input_gradient=False)
        cr.clip_gradients(net, RECIPE.clip_norm)
        optimizer.step(net)
        _tell("chainrule", number, value)
    return cr.evaluate(net, test).loss


def theirs(train: Text, test: Text, steps: int, seed: int, rate: Schedule) -> float:
    torch.manual_seed(seed)
    net = Gpt(train.preparation.tokenizer.size, train.preparation.context)
    weights = [module.weight for module in net.modules() if isinstance(module, nn.Linear)]
    decaying = {id(weight) for weight in weights}
    rest = [parameter for parameter in net.parameters() if id(parameter) not in decaying]
    groups = [
        {"params": weights, "weight_decay": RECIPE.weight_decay},
        {"params": rest, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=RECIPE.rate)
    for number, (x, labels) in enumerate(windows(train, steps, seed), 1):
        for group in optimizer.param_groups:
            group["lr"] = rate(number - 1)
        value = _torch_loss(net, x, labels)
        optimizer.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(net.parameters(), RECIPE.clip_norm)
        optimizer.step()
        _tell("pytorch", number, value.item())
    with torch.no_grad():
        sums = [(_torch_loss(net, x, labels).item() * len(x), len(x)) for x, labels in test.batches(RECIPE.batch_size)]
    return sum(total for total, _ in sums) / sum(count for _, count in sums)


def windows(train: Text, steps: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(seed)
    for left in range(steps, 0, -RECIPE.steps(len(train)) // RECIPE.epochs):
        for number, batch in enumerate(train.batches(RECIPE.batch_size, rng)):
            if number == left:
                return
            yield batch


def _torch_loss(net: Gpt, x: np.ndarray, labels: np.ndarray) -> torch.Tensor:
    logits = net(torch.from_numpy(x))
    return functional.cross_entropy(logits.flatten(0, 1), torch.from_numpy(labels).flatten())


def _tell(name: str, number: int, loss: float) -> None:
    if number % 100 == 0:
        print(f"  {name} step {number:,}: {loss:.3f}", file=sys.stderr)


def _error(values: list[float]) -> float:
    return stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    main(*given, *(STEPS, SEEDS)[len(given) :])
