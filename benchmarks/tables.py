"""Compare `chainrule train` with scikit-learn's MLP (on standardized columns) on five tables that scikit-learn ships.

python benchmarks/tables.py [SPLITS]

Each table is written as CSV and divided into training and test rows SPLITS times; both learn from the same rows. Prints
the mean test accuracy or R² of both over the splits, and the difference with its standard error.
"""

import csv
import sys
import tempfile
from pathlib import Path

import numpy as np
from sklearn import datasets
from sklearn.compose import TransformedTargetRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import chainrule as cr
from chainrule.recipes import read_recipe
from chainrule.training import Units

TABLES = ("iris", "wine", "breast_cancer", "digits", "diabetes")


def write(name: str, folder: Path) -> Path:
    """Write the table as a CSV file with the label in the last column, classes by name; return its path."""
    bunch = getattr(datasets, f"load_{name}")()
    names = [str(bunch.target_names[label]) for label in bunch.target] if name != "diabetes" else bunch.target.tolist()
    path = folder / f"{name}.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*(f"column {i}" for i in range(bunch.data.shape[1])), "target"])
        writer.writerows([*row, label] for row, label in zip(bunch.data.tolist(), names, strict=True))
    return path


def ours(train: cr.Dataset, test: cr.Dataset, seed: int) -> float:
    recipe = read_recipe("table" if train.x.ndim == 2 else "lesson").changed(seed=seed)
    units = None if train.classes else Units.of(train)
    learned = train if units is None else units.standardized(train)
    network = recipe.network(learned)
    trainer = recipe.trainer(network, len(learned))
    for _ in trainer.fit(learned, epochs=recipe.epochs, batch_size=recipe.batch_size):
        pass
    result = cr.evaluate(network if units is None else units.restored(network), test)
    figure = result.accuracy if units is None else result.r_squared
    assert figure is not None
    return figure


def theirs(train: cr.Dataset, test: cr.Dataset, seed: int) -> float:
    if train.classes:
        model = make_pipeline(StandardScaler(), MLPClassifier(max_iter=1000, random_state=seed))
    else:
        mlp = make_pipeline(StandardScaler(), MLPRegressor(max_iter=1000, random_state=seed))
        model = TransformedTargetRegressor(mlp, transformer=StandardScaler())
    x, unseen = (part.x.reshape(len(part), -1) for part in (train, test))
    model.fit(x, train.y.ravel())
    return float(model.score(unseen, test.y.ravel()))


def main() -> None:
    splits = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    print("table           chainrule  scikit-learn  difference  standard error")
    with tempfile.TemporaryDirectory() as folder:
        for name in TABLES:
            path = write(name, Path(folder))
            pairs = []
            for seed in range(splits):
                parts = cr.data.load(path, seed=seed, tell=lambda note: None)
                pairs.append([ours(*parts, seed), theirs(*parts, seed)])
            mine, other = np.array(pairs).T
            gap = mine - other
            error = gap.std(ddof=1) / np.sqrt(splits)
            print(
                f"{name:14}  {mine.mean():9.4f}  {other.mean():12.4f}  {gap.mean():+10.4f}  {error:14.4f}", flush=True
            )


if __name__ == "__main__":
    main()
