"""Measure the accuracy of each recipe on MNIST's test digits, over several seeds, and the training time.

Each run is `chainrule train --recipe NAME --seed N` in a separate process; finished runs are not repeated. No choice
depends on the test digits. Usage: python benchmarks/accuracy.py [RECIPE[:SEEDS] ...]
"""

import json
import subprocess
import sys
import time
from itertools import combinations
from pathlib import Path

import numpy as np

import chainrule as cr
from chainrule.plots import plot_misread
from chainrule.training import Ensemble

RUNS = Path("runs/accuracy")
RESULTS = Path(__file__).parent / "results"
SEEDS = {"lesson": 5, "mlp-elastic": 5, "cnn": 5, "cnn-fast": 10, "freehand": 1}
VOTERS = 3


def main(arguments: list[str]) -> None:
    asked = dict(argument.partition(":")[::2] for argument in arguments) or dict.fromkeys(SEEDS, "")
    for recipe, count in asked.items():
        for seed in range(int(count or SEEDS[recipe])):
            train(recipe, seed)
    summary = {recipe: summarize(recipe) for recipe in SEEDS if runs(recipe)}
    if len(runs("cnn")) >= VOTERS:
        summary[f"{VOTERS} x cnn"] = vote()
    (RESULTS / "accuracy.json").write_text(json.dumps(summary, indent=2) + "\n")
    for name, row in summary.items():
        print(f"{name:12} mean {row['mean']:.4%}  sd {row['sd']:.4%}  n {row['n']}  {row.get('wall_seconds', '')}")


def train(recipe: str, seed: int) -> None:
    folder = RUNS / f"{recipe}-{seed}"
    if (folder / "wall.json").exists():
        return
    command = ["train", "--recipe", recipe, "--seed", str(seed), "--output", str(folder)]
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "chainrule", *command], check=True)
    (folder / "wall.json").write_text(json.dumps(round(time.perf_counter() - started, 2)))


def runs(recipe: str) -> list[Path]:
    return sorted(path.parent for path in RUNS.glob(f"{recipe}-[0-9]*/wall.json"))


def summarize(recipe: str) -> dict[str, object]:
    reports = [json.loads((folder / "report.json").read_text()) for folder in runs(recipe)]
    walls = [json.loads((folder / "wall.json").read_text()) for folder in runs(recipe)]
    row = statistics([report["test_accuracy"] for report in reports])
    return row | {
        "training_seconds": round(float(np.median([report["seconds"] for report in reports])), 1),
        "wall_seconds": round(float(np.median(walls)), 1),
        "recipe": reports[0]["recipe"],
        "versions": reports[0]["versions"],
    }


def vote() -> dict[str, object]:
    """Let every combination of three networks vote; draw the digits that the first three misread."""
    _, test = cr.data.mnist()
    networks = [cr.load(folder / "model.safetensors") for folder in runs("cnn")]
    probabilities = [network.predict_probabilities(test.x) for network in networks]
    accuracies = [
        float((sum(chosen).argmax(axis=1) == test.y).mean()) for chosen in combinations(probabilities, VOTERS)
    ]
    read = Ensemble(networks[:VOTERS]).predict(test.x)
    wrong = np.flatnonzero(read != test.y)
    captions = [f"{test.y[index]} read as {read[index]}" for index in wrong]
    title = f"The {len(wrong)} of 10,000 test digits that three voting cnn (seeds 0, 1, 2) misread"
    plot_misread(test.x[wrong, 0], captions, RESULTS / "misread.png", title)
    return statistics(accuracies) | {"first_three": accuracies[0]}


def statistics(accuracies: list[float]) -> dict[str, object]:
    return {
        "n": len(accuracies),
        "mean": float(np.mean(accuracies)),
        "sd": float(np.std(accuracies, ddof=1)) if len(accuracies) > 1 else 0.0,
        "accuracies": accuracies,
    }


if __name__ == "__main__":
    main(sys.argv[1:])
