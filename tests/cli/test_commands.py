"""The command line as a user starts it, in a separate process: what it prints and writes."""

import csv
import gzip
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from onnx import helper
from PIL import Image

import chainrule as cr
from chainrule.io.onnx_export import export_onnx
from chainrule.models import NETWORKS
from onnx_made import model as model_of
from onnx_made import node

COMMANDS = [
    "train",
    "evaluate",
    "predict",
    "read",
    "write",
    "serve",
    "export",
    "import",
    "gradcheck",
    "race",
    "bench",
    "data",
    "info",
    "example",
    "run",
    "lesson",
]


def test_help_names_every_command_and_each_has_an_example(chainrule):
    text = chainrule("--help").stdout
    assert all(re.search(rf"\b{command}\b", text) for command in COMMANDS)
    for command in [[c] for c in COMMANDS if c != "data"] + [["data", c] for c in ("list", "info", "fetch")]:
        result = chainrule(*command, "--help")
        assert result.returncode == 0
        assert "Example: chainrule" in " ".join(result.stdout.split()), command


def test_version(chainrule):
    assert chainrule("--version").stdout == f"chainrule {cr.__version__}\n"


def test_no_arguments_shows_the_help(chainrule):
    assert "Usage: chainrule" in chainrule().stdout


def test_train_measures_epochs_on_data_that_is_held_out(small_folder, chainrule, tmp_path):
    result = chainrule(
        "train", "--data", small_folder, "--epochs", 2, "--validation", 0.25, "--output", tmp_path / "run"
    )
    assert result.returncode == 0, result.stderr
    assert "450 images" in result.stderr
    assert "validation loss" in result.stderr
    assert "test loss" not in result.stderr
    assert "of 200" in result.stdout  # the test data at the end of the folder
    wrong = chainrule("train", "--validation", 1)
    assert (wrong.returncode, wrong.stderr) == (
        2,
        "error: --validation must be from 0 up to (not including) 1, got 1.0\n",
    )


def test_train_writes_its_files(small_folder, chainrule, tmp_path):
    result = chainrule("train", "--data", small_folder, "--epochs", 3, "--seed", 5, "--output", tmp_path / "run")
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "checkpoint.safetensors",
        "confusion.png",
        "curves.png",
        "history.csv",
        "log.jsonl",
        "model.safetensors",
        "report.json",
    ]
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert {"model", "data", "seed", "epochs", "train_accuracy", "test_accuracy", "test_loss", "seconds"} <= set(report)
    assert (report["model"], report["seed"], report["epochs"]) == ("two-layer", 5, 3)
    assert report["versions"] == {
        "chainrule": cr.__version__,
        "python": sys.version.split()[0],
        "numpy": np.__version__,
    }
    assert report["images_per_second"] > 0
    network, (_, test) = cr.load(tmp_path / "run" / "model.safetensors"), cr.data.load(small_folder)
    assert cr.evaluate(network, test).accuracy == report["test_accuracy"]
    assert network.labels == tuple("0123456789")
    history = list(csv.DictReader((tmp_path / "run" / "history.csv").read_text().splitlines()))
    assert [row["number"] for row in history] == ["1", "2", "3"]
    assert float(history[-1]["validation_accuracy"]) == report["test_accuracy"]
    for name in ("curves.png", "confusion.png"):
        with Image.open(tmp_path / "run" / name) as picture:
            assert min(picture.size) > 300
            assert len(np.unique(np.asarray(picture.convert("L")))) > 20
    assert f"test accuracy   {report['test_accuracy']:.2%} of 200" in result.stdout
    assert "gradient check: " in result.stderr
    assert len([line for line in result.stderr.splitlines() if line.startswith("epoch")]) == 3


def test_same_seed_same_bytes(small_folder, chainrule, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        chainrule("train", "--data", small_folder, "--epochs", 1, "--seed", seed, "--output", tmp_path / name)
    a, b, c = ((tmp_path / name / "model.safetensors").read_bytes() for name in "abc")
    assert a == b != c


@pytest.mark.parametrize(
    ("optimizer", "told"),
    [
        ("sgd", "SGD(learning_rate=0.1)"),
        ("momentum", "SGD(learning_rate=0.05, momentum=0.9)"),
        ("nesterov", "SGD(learning_rate=0.05, momentum=0.9, nesterov=True)"),
        ("adagrad", "AdaGrad()"),
        ("rmsprop", "RMSProp()"),
        ("adam", "Adam()"),
        ("adamw", "AdamW()"),
        ("muon", "Muon(learning_rate=0.01)"),
    ],
)
def test_optimizers_and_their_usual_rates(small_folder, chainrule, tmp_path, optimizer, told):
    options = ["--epochs", 2, "--optimizer", optimizer, "--batch-size", 50]
    result = chainrule("train", "--data", small_folder, "--output", tmp_path, *options)
    assert result.returncode == 0, result.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["optimizer"] == told
    assert report["test_accuracy"] > 0.5


@pytest.mark.parametrize(
    ("options", "rates"),
    [
        (["--learning-rate", 0.02], [0.02, 0.02, 0.02]),
        (["--schedule", "step", "--learning-rate", 0.02], [0.02, 0.002, 0.0002]),
        # (1 + cos(pi t / 18)) / 2 at steps 5, 11, 17
        (["--schedule", "cosine"], [0.0821394, 0.0328990, 0.0007596]),
        # 1 / 25 + 24 / 25 (1 - cos(pi 5 / 5.4)) / 2, then (1 + cos(pi (t - 5.4) / 12.6)) / 2
        (["--schedule", "one-cycle"], [0.0987062, 0.0586826, 0.0015465]),
        (["--warmup", 9], [0.1 * 6 / 9, 0.1, 0.1]),
    ],
    ids=["constant", "step", "cosine", "one-cycle", "warmup"],
)
def test_schedules(small_folder, chainrule, tmp_path, options, rates):
    """Return the learning rate of the last of each epoch's six steps."""
    result = chainrule("train", "--data", small_folder, "--epochs", 3, "--output", tmp_path, *options)
    assert result.returncode == 0, result.stderr
    history = list(csv.DictReader((tmp_path / "history.csv").read_text().splitlines()))
    assert [float(row["learning_rate"]) for row in history] == pytest.approx(rates, rel=2e-3, abs=1e-6)


def test_range_test(small_folder, chainrule, tmp_path):
    arguments = ["train", "--find-learning-rate", "--data", small_folder, "--batch-size", 20, "--output", tmp_path]
    result = chainrule(*arguments)
    assert result.returncode == 0, result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["learning-rate.png"]
    proposal = float(re.match(r"learning rate  (\S+)\n", result.stdout)[1])
    assert 0.003 < proposal < 1
    with Image.open(tmp_path / "learning-rate.png") as picture:
        assert min(picture.size) > 300
        assert len(np.unique(np.asarray(picture.convert("L")))) > 20
    trained = chainrule("train", "--data", small_folder, "--learning-rate", proposal, "--output", tmp_path)
    assert json.loads((tmp_path / "report.json").read_text())["test_accuracy"] > 0.7, trained.stderr


@pytest.mark.parametrize(
    "model", [pytest.param(name, marks=[] if name == "mlp" else [pytest.mark.long]) for name in NETWORKS]
)
def test_every_named_network_trains_and_is_saved(small_folder, chainrule, tmp_path, model):
    assert model in chainrule("train", "--help", environment={"COLUMNS": "200"}).stdout
    options = ["--model", model, "--epochs", 1, "--batch-size", 200, "--output", tmp_path]
    result = chainrule("train", "--data", small_folder, *options)
    assert result.returncode == 0, result.stderr
    assert "gradients agree with numerical ones" in result.stderr
    network = cr.load(tmp_path / "model.safetensors")
    assert repr(network) == repr(NETWORKS[model]())
    assert (
        cr.evaluate(network, cr.data.load(small_folder)[1]).accuracy
        == (json.loads((tmp_path / "report.json").read_text())["test_accuracy"])
    )
    result = chainrule("evaluate", tmp_path / "model.safetensors", "--data", small_folder)
    assert result.returncode == 0, result.stderr


@pytest.mark.long
def test_simple_conv_reads_97_5_percent_after_one_epoch(chainrule, tmp_path):
    result = chainrule("train", "--model", "simple-conv", "--epochs", 1, "--output", tmp_path)
    assert result.returncode == 0, result.stderr
    assert json.loads((tmp_path / "report.json").read_text())["test_accuracy"] >= 0.975


@pytest.mark.long
def test_default_training_reads_97_percent(chainrule, tmp_path):
    """The README's figure: two layers, 50 hidden units, plain SGD, all 60,000 images."""
    result = chainrule("train", "--output", tmp_path)
    assert result.returncode == 0, result.stderr
    assert json.loads((tmp_path / "report.json").read_text())["test_accuracy"] >= 0.970


def test_evaluate(model, small_folder, chainrule, tmp_path):
    result = chainrule("evaluate", model, "--data", small_folder, "--confusion", tmp_path / "c.png")
    assert result.returncode == 0, result.stderr
    accuracy = cr.evaluate(cr.load(model), cr.data.load(small_folder)[1]).accuracy
    assert result.stdout.startswith(f"accuracy           {accuracy:.2%} of 200\n")
    assert len(result.stdout.splitlines()) == 14
    assert (tmp_path / "c.png").stat().st_size > 10_000


def test_predict(model, mnist, chainrule, tmp_path):
    _, test = mnist
    network = cr.load(model)
    paths = []
    for index in range(3):
        paths.append(tmp_path / f"{index}.png")
        Image.fromarray(255 - test.x[index, 0]).resize((90, 90)).save(paths[-1])
    result = chainrule("predict", model, *paths, "--json")
    readings = json.loads(result.stdout)
    pixels = np.stack([cr.data.center_digit(cr.data.read_gray(path)) for path in paths])[:, None]
    assert [r["class"] for r in readings] == [str(c) for c in network.predict(pixels)]
    for reading, probabilities in zip(readings, network.predict_probabilities(pixels), strict=True):
        assert reading["confidence"] == pytest.approx(probabilities.max(), abs=1e-6)
        assert list(reading["probabilities"]) == list("0123456789")
    table = chainrule("predict", model, *paths, "--unsure-below", 0).stdout.splitlines()
    assert len(table) == 4
    assert table[1].split()[1] == readings[0]["class"]


def test_export_and_import(model, small_folder, chainrule, tmp_path):
    result = chainrule("export", model, tmp_path / "net.onnx", "--pixels", "--softmax")
    assert result.returncode == 0, result.stderr
    result = chainrule("import", tmp_path / "net.onnx", tmp_path / "back.safetensors")
    assert result.returncode == 0, result.stderr
    assert "39,760" in result.stdout
    own, back = (
        chainrule("evaluate", path, "--data", small_folder).stdout for path in (model, tmp_path / "back.safetensors")
    )
    assert own == back
    # a model trained elsewhere on pixels divided by 255: our network reads bytes
    net = cr.Sequential(cr.Flatten(), cr.Affine(10)).build((1, 28, 28), seed=0)
    export_onnx(net, tmp_path / "divided.onnx")
    divided = tmp_path / "divided.safetensors"
    result = chainrule("import", tmp_path / "divided.onnx", divided, "--input-scale", 255)
    assert result.returncode == 0, result.stderr
    x = np.random.default_rng(0).integers(0, 256, (2, 1, 28, 28), np.uint8)
    np.testing.assert_allclose(cr.load(divided)(x), net(x / np.float32(255)), atol=1e-5)


def test_import_tells_what_was_exported_in_training_mode(chainrule, tmp_path):
    arrays = {"g": [2, -1, 1], "b": [0, 1, 2], "m": [1, 2, 3], "v": [1, 4, 9]}
    nodes = [node("BatchNormalization", ["x", *arrays], ["y", "m2", "v2"], training_mode=1)]
    made = model_of(nodes, arrays, (3, 4))
    made.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", 1, ["N", 3, 4]))
    (tmp_path / "net.onnx").write_bytes(made.SerializeToString())
    result = chainrule("import", tmp_path / "net.onnx", tmp_path / "net.safetensors")
    assert result.returncode == 0, result.stderr
    assert "warning: the model was exported in training mode: its BatchNorm layers" in result.stderr


def test_gradcheck(model, chainrule):
    for arguments in ([], [model]):
        result = chainrule("gradcheck", *arguments)
        assert result.returncode == 0
        assert "WRONG" not in result.stdout
        assert [line.split()[0] for line in result.stdout.splitlines()[1:]] == [
            "input",
            "2.Affine.W",
            "2.Affine.b",
            "4.Affine.W",
            "4.Affine.b",
        ]


def test_race(small_folder, chainrule):
    result = chainrule("race", "--data", small_folder, "--seconds", 4, "--batch-size", 20)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert [line.split("  ")[0] for line in lines[1:4]] == [
        "numerical differentiation",
        "numerical, only what a parameter touches",
        "backpropagation",
    ]
    plain, clever, backpropagation = (re.split(r"\s{2,}", line) for line in lines[1:4])
    ratios = [int(row[2].replace(",", "")) for row in (plain, clever, backpropagation)]
    assert ratios[0] > ratios[1] > ratios[2] == 1
    assert all(float(row[3]) < 1e-5 for row in (plain, clever))
    assert float(backpropagation[4].replace(",", "")) > 100
    assert "extrapolated" in result.stdout


def test_data(small_folder, chainrule, tmp_path):
    assert re.search(r"mnist\s+60,000\s+10,000\s+1 x 28 x 28\s+bundled", chainrule("data", "list").stdout)
    assert re.search(
        r"training\s+600\s+\(1, 28, 28\)\s+uint8\s+0 to 255", chainrule("data", "info", small_folder).stdout
    )
    result = chainrule("data", "fetch", "mnist", "--output", tmp_path / "raw")
    assert result.returncode == 0
    train, _ = cr.data.load(tmp_path / "raw")
    np.testing.assert_array_equal(train.x, cr.data.mnist()[0].x)


def test_info(chainrule):
    text = chainrule("info").stdout
    assert re.search(rf"numpy\s+{re.escape(np.__version__)}", text)
    expected = r"native \(C\+\+, .*\d+ threads\)" if cr.kernels.NATIVE else "reference"
    assert re.search(rf"kernels\s+{expected}", text)
    text = chainrule("info", environment={"CHAINRULE_KERNELS": "reference"}).stdout
    assert re.search(r"kernels\s+reference \(NumPy\), by CHAINRULE_KERNELS", text)


@pytest.mark.parametrize("words", ["data info", "write char-gpt"])  # one prints by rich, the other by itself
@pytest.mark.parametrize("read", [0, 20])
def test_output_can_be_cut_off(words, read):
    """Who reads the output has seen enough, after some bytes or before the first: all is well."""
    command = [sys.executable, "-m", "chainrule", *words.split()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.read(read)
        process.stdout.close()
        told = process.stderr.read()
    assert (process.returncode, told) == (0, b"")


def test_without_the_app_extra_one_line_tells_how_to_install_it():
    """A path finder that hides typer, to simulate an environment without the extra."""
    code = (
        "import sys, runpy\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'typer': raise ModuleNotFoundError(\"No module named 'typer'\", name='typer')\n"
        "sys.meta_path.insert(0, Missing()); sys.argv = ['chainrule', 'train']\n"
        "runpy.run_module('chainrule', run_name='__main__')"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr == 'error: the command line needs typer: pip install "chainrule[app]"\n'


def test_on_a_terminal_there_is_a_progress_bar_and_digits(small_folder, tmp_path, in_terminal):
    """In a pseudo-terminal the progress bar and the drawn digits appear; the numbers stay the same."""
    code, text = in_terminal("train", "--data", small_folder, "--epochs", 60, "--output", tmp_path)
    assert code == 0, text
    assert "images/s" in text
    assert "time left" in text
    assert "█" in text
    assert text.count("read as") == 4


def test_gzip_data(small_folder, chainrule, tmp_path):
    for path in small_folder.iterdir():
        (tmp_path / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    assert chainrule("data", "info", tmp_path).returncode == 0
