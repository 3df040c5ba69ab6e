"""Collect range-test curves and the results of training at various rates, to choose a rule for the learning rate.

For every named network, `python benchmarks/learning_rates.py FILE.json` writes the curves of the range tests and the
test accuracies over a grid of rates after a short training run. About 15 minutes on two cores.
"""

import json
import sys
from pathlib import Path

import chainrule as cr
from chainrule.models import NETWORKS
from chainrule.recipes import Recipe
from chainrule.training import find_learning_rate

GRID = {"sgd": (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0), "adam": (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)}
DENSE = ("two-layer", "mlp")


def measure(path: Path) -> None:
    train, test = cr.data.mnist()
    train, test = cr.Dataset(train.x[:20_000], train.y[:20_000]), cr.Dataset(test.x[:2000], test.y[:2000])
    found: dict[str, dict] = {}
    for model in NETWORKS:
        seeds, steps = ((0, 1, 2), 400) if model in DENSE else ((0,), 100)
        entry = found[model] = {
            "optimizer": Recipe(model=model).optimizer_name,
            "steps": steps,
            "tests": [],
            "grid": [],
        }
        for seed in seeds if model in DENSE else (0, 1):
            recipe = Recipe(model=model, seed=seed)
            curve = find_learning_rate(
                recipe.network(train),
                train,
                loss=cr.SoftmaxCrossEntropy(),
                optimizer=recipe.make_optimizer,
                seed=seed,
            )
            entry["tests"].append({"seed": seed, "rates": curve.rates, "losses": curve.losses, "was": curve.proposal})
        for rate in GRID[entry["optimizer"]]:
            accuracies = [
                accuracy_after(Recipe(model=model, seed=seed, learning_rate=rate), steps, train, test) for seed in seeds
            ]
            entry["grid"].append({"rate": rate, "accuracies": accuracies})
            print(model, rate, accuracies, flush=True)
        path.write_text(json.dumps(found))


def accuracy_after(recipe: Recipe, steps: int, train: cr.Dataset, test: cr.Dataset) -> float:
    """Return the test accuracy after `steps` steps, or that of guessing if training diverges."""
    network = recipe.network(train)
    trainer = recipe.trainer(network, len(train))
    try:
        while True:
            for step in trainer.steps(train, batch_size=recipe.batch_size):
                if step.number == steps:
                    return cr.evaluate(network, test).accuracy or 0.0
            trainer.end_epoch()
    except cr.DivergenceError:
        return 1 / 10


if __name__ == "__main__":
    measure(Path(sys.argv[1]))
