"""Measure where the time of a training step goes.

All arithmetic of layers, losses and optimizers is called as `kernels.NAME(...)`, so these calls can be timed one by
one; the rest of a step is Python, and the timing itself (about a quarter of a microsecond per call). Steps of plain
SGD, batch 100, float32, from uint8 images. Each number is the median over the rounds. Writes
benchmarks/results/steps.json and docs/pictures/step.png. Usage: python benchmarks/steps.py [ROUNDS]
"""

import json
import sys
import time
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from chainrule import kernels
from chainrule.bench.work import Work, training
from chainrule.data import Dataset, mnist

ROOT = Path(__file__).parents[1]
REST = "Python and the rest"
COLOURS = {"forward": "#56b4e9", "loss": "#e69f00", "backward": "#0072b2", "update": "#009e73", "data": "#cc79a7"}


def main(rounds: int) -> None:
    digits, _ = mnist()
    noise = np.random.default_rng(0).integers(0, 256, digits.x.shape, dtype=np.uint8)
    works = {
        "784-50-10 on MNIST": (Work("two-layer", 1000), digits),
        "784-512-10 on dense numbers (noise)": (
            Work("two-layer", 300, hidden=512),
            Dataset(noise, digits.y, digits.classes),
        ),
        "lenet on MNIST": (Work("lenet", 20), digits),
    }
    measured = {title: shares(work, data, rounds) for title, (work, data) in works.items()}
    results = {"implementation": kernels.IMPLEMENTATION, "rounds": rounds, "microseconds": measured}
    (ROOT / "benchmarks" / "results" / "steps.json").write_text(json.dumps(results, indent=2) + "\n")
    draw(measured, ROOT / "docs" / "pictures" / "step.png")
    for title, parts in measured.items():
        print(f"{title}: {sum(parts.values()):,.0f} us")
        for name, microseconds in parts.items():
            print(f"  {name:32} {microseconds:9,.1f}")


def shares(work: Work, data: Dataset, rounds: int) -> dict[str, float]:
    """Return the microseconds per step of each kernel, in the order in which a step calls them, and of the rest."""
    run = training(work, data)
    run()  # the first steps wake threads and fill memory
    of_rounds: dict[str, list[float]] = defaultdict(list)
    for _ in range(rounds):
        with clocked() as seconds:
            whole = run()
        for name, total in seconds.items():
            of_rounds[name].append(total / work.steps)
        of_rounds[REST].append(whole - sum(seconds.values()) / work.steps)
    of_rounds[REST] = of_rounds.pop(REST)  # last
    return {name: 1e6 * median(values) for name, values in of_rounds.items()}


@contextmanager
def clocked():
    """Within the block, time every kernel call; yield the seconds spent in each kernel so far."""
    seconds: dict[str, float] = {}

    def with_clock(name, kernel):
        def call(*arguments, **options):
            start = time.perf_counter()
            try:
                return kernel(*arguments, **options)
            finally:
                seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - start

        return call

    originals = {name: getattr(kernels, name) for name in kernels.REFERENCES}
    for name, kernel in originals.items():
        setattr(kernels, name, with_clock(name, kernel))
    try:
        yield seconds
    finally:
        for name, kernel in originals.items():
            setattr(kernels, name, kernel)


def draw(measured: dict[str, dict[str, float]], path: Path) -> None:
    """Draw one panel per network and one bar per kernel."""
    counts = [len(parts) for parts in measured.values()]
    figure = Figure(figsize=(9, 1.3 + 0.3 * sum(counts)), dpi=130, layout="constrained")
    panels = figure.subplots(len(measured), 1, height_ratios=[count + 1 for count in counts])
    for panel, (title, parts) in zip(panels, measured.items(), strict=True):
        whole = sum(parts.values())
        panel.barh(list(parts), list(parts.values()), color=[COLOURS.get(kind(name), "#999999") for name in parts])
        for place, microseconds in enumerate(parts.values()):
            share = "below 1%" if microseconds < 0.005 * whole else f"{microseconds / whole:.0%}"
            panel.text(microseconds, place, f" {microseconds:,.0f} us, {share}", va="center", fontsize=8)
        panel.set_title(f"{title}: {whole:,.0f} us a step", fontsize=10, loc="left")
        panel.set_xlim(0, 1.2 * max(parts.values()))
        panel.invert_yaxis()
        panel.set_xticks([])
        panel.tick_params(axis="y", length=0, labelsize=8)
        panel.spines[["top", "right", "bottom"]].set_visible(False)
    keys = [Patch(color=colour, label=name) for name, colour in COLOURS.items()]
    figure.legend(handles=keys, loc="outside lower center", ncols=len(COLOURS), frameon=False, fontsize=8)
    figure.savefig(path, metadata={"Software": None})


def kind(name: str) -> str:
    """Return the part of a step that a kernel belongs to, by its name."""
    if name in (REST, "take_rows", "distort_images"):
        return "" if name == REST else "data"
    if name.endswith("_update"):
        return "update"
    if name.endswith("_entropy") or name == "count_right":
        return "loss"
    return "backward" if name.endswith(("_gradient", "_gradients", "_backward")) else "forward"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 9)
