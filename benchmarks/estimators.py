"""Compare NetClassifier with MLPClassifier in accuracy and speed: five data sets, several seeds each, taking turns.

Both get the same float32 data, split and options. Usage: python benchmarks/estimators.py [ROUNDS]
"""

import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import sklearn
from sklearn.datasets import load_breast_cancer, load_digits, load_wine, make_classification, make_moons
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

import chainrule as cr
from chainrule.bench.fair import begin_fairly
from chainrule.estimators import NetClassifier

RESULTS = Path(__file__).parent / "results" / "estimators.json"
OPTIONS = {"hidden_layer_sizes": (100,), "max_iter": 100}


def data() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    return {
        "digits": load_digits(return_X_y=True),
        "breast cancer": load_breast_cancer(return_X_y=True),
        "wine": load_wine(return_X_y=True),
        "moons (2,000)": make_moons(2000, noise=0.25, random_state=0),
        "made (10,000 x 40)": make_classification(10_000, 40, n_informative=20, n_classes=4, random_state=0),
    }


def main(rounds: int) -> None:
    warnings.simplefilter("ignore", ConvergenceWarning)
    rows = {}
    for name, (X, y) in data().items():
        times: dict[str, list[float]] = {"chainrule": [], "scikit-learn": []}
        scores: dict[str, list[float]] = {"chainrule": [], "scikit-learn": []}
        for seed in range(rounds):
            parts = train_test_split(X, y, test_size=0.3, stratify=y, random_state=seed)
            scaler = StandardScaler().fit(parts[0])
            learn, check = (scaler.transform(part).astype(np.float32) for part in parts[:2])
            ways = {"chainrule": NetClassifier, "scikit-learn": MLPClassifier}
            for way in list(ways) if seed % 2 else list(ways)[::-1]:
                started = time.perf_counter()
                fitted = ways[way](random_state=seed, **OPTIONS).fit(learn, parts[2])
                times[way].append((time.perf_counter() - started) / fitted.n_iter_)
                scores[way].append(fitted.score(check, parts[3]))
        ratios = np.array(times["scikit-learn"]) / times["chainrule"]
        rows[name] = {
            "accuracy": {way: [float(np.mean(s)), float(np.std(s, ddof=1))] for way, s in scores.items()},
            "milliseconds a pass": {way: 1e3 * float(np.median(t)) for way, t in times.items()},
            "times as long": [float(np.median(ratios)), float(ratios.min()), float(ratios.max())],
        }
        accuracy, ratio = rows[name]["accuracy"], rows[name]["times as long"]
        told = "  ".join(f"{way} {100 * mean:.2f} (sd {100 * sd:.2f})" for way, (mean, sd) in accuracy.items())
        print(f"{name:20} {told}  scikit-learn takes {ratio[0]:.2f} times as long ({ratio[1]:.2f} to {ratio[2]:.2f})")
    about = {
        "rounds": rounds,
        "chainrule": cr.__version__,
        "scikit-learn": sklearn.__version__,
        "options": str(OPTIONS),
    }
    RESULTS.write_text(json.dumps(about | {"data": rows}, indent=2) + "\n")


if __name__ == "__main__":
    begin_fairly(sys.argv)
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 9)
