"""Measure how many typical ONNX models can be imported: networks times exporters times opsets, with the outcomes.

    PYTHONPATH=tests python -m peers.zoo [FOLDER] [PART OF A NAME]

Files are created in FOLDER (a temporary one by default) unless they exist already. Each is imported, and its output on
random inputs compared with ONNX Runtime's: equal within 1e-5 of the output's scale, refused by name, or wrong. Files
that an exporter cannot create are not counted.
"""

import contextlib
import io
import logging
import os
import sys
import tempfile
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np
import onnxruntime
import torch
from skl2onnx import to_onnx
from sklearn.datasets import load_digits, load_iris
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from chainrule.errors import ModelFileError
from chainrule.io.onnx_import import import_onnx
from peers import zoo_keras, zoo_networks
from peers.zoo_networks import Entry

__all__ = ["Case", "Outcome", "cases", "outcome"]

torch.set_num_threads(1)

EXPORTERS = [  # is it torch.export's ("dynamo") or the tracing one, opset, is the batch size free
    ("trace", 11, False),
    ("trace", 13, True),
    ("trace", 17, True),
    ("dynamo", 18, True),
    ("dynamo", 18, False),
    ("dynamo", 21, True),
]
FIXED = 4


class Case(NamedTuple):
    """A file to create with `write(path)`."""

    name: str
    write: Callable[[Path], None]


class Outcome(NamedTuple):
    """kind: equal, refused, wrong or not made; told: the reason."""

    kind: str
    told: str = ""


def cases() -> Iterator[Case]:
    for entry in zoo_networks.NETWORKS:
        for kind, opset, free in EXPORTERS:
            name = f"{entry.name}.{kind}{opset}{'' if free else '-fixed'}"
            yield Case(name, lambda path, a=(entry, kind, opset, free): _torch(path, *a))
    for name, make in zoo_keras.NETWORKS.items():
        yield Case(f"{name}.keras", lambda path, make=make: zoo_keras.export(make, path))
        yield Case(f"{name}.tf2onnx", _made_before)
    for name, make in SKLEARN.items():
        yield Case(f"{name}.sklearn", lambda path, make=make: _sklearn(path, make))


# ---- the exporters ----


def _torch(path: Path, entry: Entry, kind: str, opset: int, free: bool) -> None:
    torch.manual_seed(0)
    with torch.no_grad():
        model = zoo_networks.rescued(entry.make()).train(entry.train)
        x = torch.randn(FIXED, *entry.shape)
        if entry.entries:
            x = torch.randint(0, entry.entries, (FIXED, *entry.shape))
        training = torch.onnx.TrainingMode.TRAINING if entry.train else torch.onnx.TrainingMode.EVAL
        if kind == "dynamo":
            options = {"dynamic_shapes": ({0: torch.export.Dim("N")},)} if free else {}
            torch.onnx.export(model, (x,), path, opset_version=opset, dynamo=True, verbose=False, **options)
            return
        options = {"dynamic_axes": {"x": {0: "N"}, "y": {0: "N"}}} if free else {}
        names = {"input_names": ["x"], "output_names": ["y"]}
        torch.onnx.export(model, (x,), path, opset_version=opset, dynamo=False, training=training, **names, **options)


def _made_before(path: Path) -> None:
    raise FileNotFoundError(f"{path.name}: zoo_keras makes it, in an environment with TensorFlow")


def _sklearn(path: Path, make: Callable[..., object]) -> None:
    X, y = load_digits(return_X_y=True) if "digits" in path.name else load_iris(return_X_y=True)
    X = X.astype(np.float32)
    path.write_bytes(to_onnx(make().fit(X, y), X[:1]).SerializeToString())


SKLEARN = {
    "digits-mlp": lambda: MLPClassifier((20,), max_iter=5, random_state=0),
    "digits-scaled": lambda: make_pipeline(StandardScaler(), MLPClassifier((20, 10), "tanh", max_iter=5)),
    "iris-logistic": lambda: MLPClassifier((8,), "logistic", max_iter=5, random_state=0),
    "iris-ranged": lambda: make_pipeline(MinMaxScaler(), MLPClassifier((8,), max_iter=5, random_state=0)),
    "iris-numbers": lambda: MLPRegressor(hidden_layer_sizes=(8,), max_iter=5),
    "iris-numbers-scaled": lambda: make_pipeline(StandardScaler(), MLPRegressor(activation="identity", max_iter=5)),
}


# ---- what became of a file ----


def made(case: Case, folder: Path) -> Path | None:
    """Return the case's file, creating it if necessary."""
    path = folder / f"{case.name}.onnx"
    if path.exists():
        return path
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            case.write(path)
    except Exception as error:  # exporters raise all kinds of errors
        print(f"{case.name} is not made: {type(error).__name__} {str(error)[:200]!r}", file=sys.stderr)
        path.unlink(missing_ok=True)
        return None
    return path


def outcome(path: Path) -> Outcome:
    """Import a file and compare outputs."""
    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no common base
        return Outcome("not made", f"ONNX Runtime cannot run it: {str(error)[:150]!r}")
    given = session.get_inputs()[0]
    shape = [size if isinstance(size, int) else 0 for size in given.shape]
    if 0 in shape[1:]:
        return Outcome("not made", f"its input is {given.shape}")
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            net = import_onnx(path, keep_softmax=True)
    except ModelFileError as error:
        return Outcome("refused", str(error).removeprefix(f"cannot import {path}: "))
    rng = np.random.default_rng(0)
    for batch in [shape[0]] if shape[0] else [3, 5]:
        if "int" in given.type:
            x = rng.integers(0, 50, (batch, *shape[1:]), np.int32 if "32" in given.type else np.int64)
        else:
            x = rng.standard_normal((batch, *shape[1:]), dtype=np.float32)
        theirs = _of_numbers(session.run(None, {given.name: x}), net)
        turned = len(shape) > 2 and net.input_shape != tuple(shape[1:])
        given_x = np.moveaxis(x, -1, 1) if turned else x
        # a model exported in training mode normalizes by the batch, like the network in training
        ours = net.forward(given_x, train=True)[0] if told else net(given_x)
        if theirs.ndim == ours.ndim > 2 and theirs.shape != ours.shape:
            ours = np.moveaxis(ours, 1, -1)
        if ours.shape != theirs.shape and ours.size == theirs.size and theirs.ndim == 1:
            ours = ours.ravel()
        if ours.shape != theirs.shape:
            return Outcome("wrong", f"shape {ours.shape} for {theirs.shape}")
        error = float(np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1e-30))
        if not error <= 1e-5:
            return Outcome("wrong", f"off by {error:.1e} of the scale")
    return Outcome("equal")


def _of_numbers(outputs: list, net) -> np.ndarray:
    """Return the output that the network computes: of scikit-learn's two, the probabilities."""
    last = outputs[-1]
    if isinstance(last, list):
        return np.array([list(row.values()) for row in last], np.float32)
    return outputs[0] if outputs[0].dtype.kind == "f" else last


def main() -> int:
    logging.disable(logging.WARNING)
    arguments = sys.argv[1:]
    wanted = arguments[1] if len(arguments) > 1 else ""
    with contextlib.ExitStack() as stack:
        folder = Path(arguments[0] if arguments else stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(exist_ok=True)
        results = {}
        for case in cases():
            path = made(case, folder) if wanted in case.name else None
            if path is not None:
                result = outcome(path)
                print(f"{case.name:40} {result.kind:8} {result.told}", flush=True)
                if result.kind != "not made":
                    results[case.name] = result
    reasons = defaultdict(list)
    for name, result in results.items():
        if result.kind != "equal":
            reasons[result.kind, result.told].append(name)
    for (kind, told), names in sorted(reasons.items(), key=lambda item: -len(item[1])):
        print(f"{len(names):4} {kind}: {told}\n     {' '.join(names)}")
    exporters = defaultdict(Counter)
    for name, result in results.items():
        exporters[name.rpartition(".")[2]][result.kind] += 1
    for exporter, counts in exporters.items():
        print(f"{exporter:20} {counts.total():4} files, {counts['equal']} equal, {counts['refused']} refused")
    counts = Counter(result.kind for result in results.values())
    print(f"of {len(results)}: " + ", ".join(f"{counts[kind]} {kind}" for kind in ("equal", "refused", "wrong")))
    return 1 if counts["wrong"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
