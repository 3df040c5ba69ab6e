"""Bad input of every kind: one line that says what is wrong, where, and the cure, and exit code 2."""

import ctypes
import gzip
import json
import os
import resource
import shutil

import numpy as np
import pytest
from PIL import Image

import chainrule as cr
from chainrule.io.safetensors import read_safetensors, write_safetensors
from conftest import idx_bytes

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


@pytest.fixture
def folder(small_folder, tmp_path):
    return shutil.copytree(small_folder, tmp_path / "data")


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda f: (f / IMAGES).unlink(), f"has no {IMAGES} or {IMAGES}.gz"),
        (
            lambda f: (f / IMAGES).write_bytes((f / IMAGES).read_bytes()[:5000]),
            "should hold 470,400 bytes for its shape",
        ),
        (lambda f: (f / IMAGES).rename(f / f"{IMAGES}.gz"), "is not gzip data"),
        (
            lambda f: (
                (f / f"{IMAGES}.gz").write_bytes(gzip.compress((f / IMAGES).read_bytes())[:900]),
                (f / IMAGES).unlink(),
            ),
            "ends too early",
        ),
        (lambda f: (f / IMAGES).write_bytes(b"PK\3\4" + bytes(900)), "begins with 50 4b 03 04, expected 00 00 08"),
        (lambda f: shutil.copy(f / LABELS, f / IMAGES), "has an array of 1 axes, expected images (3 axes)"),
        (lambda f: (f / LABELS).write_bytes(idx_bytes(np.zeros(599))), "has 600 images but"),
        (
            lambda f: [(f / n).write_bytes(idx_bytes(np.zeros(s))) for n, s in ((IMAGES, (0, 28, 28)), (LABELS, 0))],
            "is empty",
        ),
        (
            lambda f: (f / IMAGES).write_bytes(idx_bytes(np.zeros((600, 32, 32)))),
            "training images are (1, 32, 32), test",
        ),
    ],
    ids=["missing", "truncated", "not-gzip", "gzip-cut", "magic", "kind", "counts", "empty", "sizes"],
)
def test_broken_data(folder, rejects, tmp_path, damage, told):
    damage(folder)
    assert told in rejects("train", "--data", folder, "--output", tmp_path / "run")
    assert not (tmp_path / "run" / "model.safetensors").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["train", "--data", "nowhere"], "no data 'nowhere': use one of mnist, digits"),
        (["train", "--learning-rate", "0"], "learning_rate must be a number above 0, got 0.0"),
        (["train", "--learning-rate", "-0.1"], "learning_rate must be a number above 0, got -0.1"),
        (["train", "--learning-rate", "nan"], "learning_rate must be a number above 0, got nan"),
        (["train", "--learning-rate", "fast"], "Invalid value for '--learning-rate'"),
        (["train", "--epochs", "0"], "--epochs must be 1 or more, got 0"),
        (["train", "--batch-size", "-5"], "--batch-size must be 1 or more, got -5"),
        (["train", "--seed", "-1"], "--seed must be 0 or more, got -1"),
        (["train", "--model", "threelayer"], "no model 'threelayer': use one of two-layer"),
        (["train", "--optimizer", "adma"], "no optimizer 'adma': use one of sgd"),
        (["train", "--schedule", "linear"], "no schedule 'linear': use one of constant, step, cosine, one-cycle"),
        (["train", "--warmup", "-1"], "--warmup must be 0 or more, got -1"),
        (["train", "--epochs", "1", "--warmup", "600"], "--warmup 600 is not shorter than the training of 600 steps"),
        (["import", "missing.onnx", "x.safetensors"], "cannot read missing.onnx: there is no such file"),
        (["import", "missing.onnx", "x", "--input-shape", "1,a"], "--input-shape must be positive lengths"),
        (["import", "missing.onnx", "x", "--input-scale", "0"], "--input-scale must be above 0, got 0.0"),
        (["export", "missing.safetensors", "x.onnx"], "cannot read missing.safetensors"),
        (["export", "nothing", "x.onnx"], "no model 'nothing': name a file, or one of "),
        (["predict", "freehand"], "no picture to read"),
        (["predict", "x.png", "--unsure-below", "2"], "--unsure-below must be from 0 to 1, got 2.0"),
        (
            ["train", "--find-learning-rate", "--resume"],
            "--find-learning-rate starts a new run in one process: leave out --resume",
        ),
        (["train", "--colour", "red"], "No such option: --colour"),
        (["tarin"], "No such command 'tarin'"),
        (["evaluate"], "Missing argument"),
        (["evaluate", "missing.safetensors"], "cannot read missing.safetensors: there is no such file"),
        (["predict", "missing.safetensors", "x.png"], "cannot read missing.safetensors"),
        (["gradcheck", "missing.safetensors"], "cannot read missing.safetensors"),
        (["race", "--seconds", "0"], "seconds must be above 0"),
        (["race", "--data", "nowhere"], "no data 'nowhere'"),
        (["data", "info", "nowhere"], "no data 'nowhere'"),
        (["data", "fetch", "nowhere"], "no data 'nowhere' to fetch"),
        (["run", "missing.py"], "no script missing.py"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_arguments(rejects, tmp_path, arguments, told):
    assert told in rejects(*arguments, cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []


def altered(model, path, change):
    arrays, metadata = read_safetensors(model)
    arrays = dict(arrays)
    change(arrays, metadata)
    write_safetensors(path, arrays, metadata)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda a, m: a.update({"2.Affine.W": a["2.Affine.W"][1:]}),
            "array 2.Affine.W has shape (783, 50), the network needs",
        ),
        (lambda a, m: a.pop("4.Affine.b"), "array 4.Affine.b is missing"),
        (lambda a, m: m.update(network=m["network"].replace("ReLU", "Sine")), "unknown layer 'Sine'"),
        (lambda a, m: m.update(chainrule="7.0.0"), "it was made by chainrule 7.0.0, this is"),
    ],
    ids=["shape", "missing", "unknown", "newer"],
)
def test_broken_model(model, small_folder, rejects, tmp_path, change, told):
    altered(model, tmp_path / "bad.safetensors", change)
    assert told in rejects("evaluate", tmp_path / "bad.safetensors", "--data", small_folder)
    assert told in rejects("gradcheck", tmp_path / "bad.safetensors")


@pytest.mark.parametrize("length", [0, 5, 300, 100_000])
def test_truncated_model(model, rejects, tmp_path, length):
    (tmp_path / "cut.safetensors").write_bytes(model.read_bytes()[:length])
    line = rejects("evaluate", tmp_path / "cut.safetensors")
    assert "cut off" in line or "is not a safetensors file" in line


def test_a_model_whose_outputs_are_no_numbers(rejects, small, tmp_path):
    net = cr.Sequential(cr.Flatten(), cr.Affine(4), cr.Affine(3)).build((1, 28, 28), seed=0)
    net.values[...] = 1e38  # each number is finite, but not what is computed from them
    net.values[::2] *= -1
    cr.save(net, tmp_path / "large.safetensors")
    Image.fromarray(255 - small[1].x[0, 0]).save(tmp_path / "seven.png")
    line = rejects("predict", tmp_path / "large.safetensors", tmp_path / "seven.png", "--json")
    assert "is not a number: its weights are too large" in line


def test_pictures(model, rejects, tmp_path):
    (tmp_path / "text.png").write_text("not a picture")
    Image.new("L", (40, 40), 255).save(tmp_path / "blank.png")
    Image.new("L", (1, 1)).save(tmp_path / "one.png")
    Image.new("1", (9000, 9000)).save(tmp_path / "huge.png")
    assert "it is not a picture, or it is damaged" in rejects("predict", model, tmp_path / "text.png")
    assert "there is no such file" in rejects("predict", model, tmp_path / "missing.png")
    for name in ("blank.png", "one.png"):
        assert f"cannot read {tmp_path / name}: nothing is drawn in it" in rejects("predict", model, tmp_path / name)
    assert "9000 x 9000 pixels, more than 50,000,000" in rejects("predict", model, tmp_path / "huge.png")


def test_model_that_reads_no_pictures(rejects, tmp_path):
    cr.save(cr.Sequential(cr.Affine(2)).build((3,), seed=0), tmp_path / "rows.safetensors")
    line = rejects("predict", tmp_path / "rows.safetensors", "x.png")
    assert "reads (N, 3), not pictures (N, 1 or 3, height, width): use --data" in line


def test_images_of_the_wrong_size(model, folder, rejects):
    for part, count in (("train", 600), ("t10k", 200)):
        (folder / f"{part}-images-idx3-ubyte").write_bytes(idx_bytes(np.ones((count, 32, 32))))
    line = rejects("evaluate", model, "--data", folder)
    assert "has images of (N, 1, 32, 32)" in line
    assert "reads (N, 1, 28, 28)" in line


def test_more_classes_than_the_model_knows(folder, rejects, tmp_path):
    cr.save(cr.models.two_layer(classes=3).build((1, 28, 28), seed=0), tmp_path / "three.safetensors")
    assert "has 10 classes" in rejects("evaluate", tmp_path / "three.safetensors", "--data", folder)


def test_output_that_is_a_file(small_folder, rejects, tmp_path):
    (tmp_path / "file").write_text("in the way")
    line = rejects("train", "--data", small_folder, "--output", tmp_path / "file")
    assert "this is a file, not a folder: choose another name" in line
    assert (tmp_path / "file").read_text() == "in the way"


def without_override() -> None:
    """Root may write anywhere; drop that right in the child process (PR_CAPBSET_DROP, CAP_DAC_OVERRIDE)."""
    if os.geteuid() == 0:
        ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)


def test_output_that_is_not_writable(small_folder, rejects, tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    line = rejects("train", "--data", small_folder, "--output", locked, preexec_fn=without_override)
    assert "permission denied: choose another folder or change its permissions" in line
    assert list(locked.iterdir()) == []


def test_disk_full_while_saving_keeps_the_good_files(small_folder, chainrule, rejects, tmp_path):
    """The system limits files to 100 kB, which acts like a full disk; the earlier run stays intact."""
    command = ["train", "--data", small_folder, "--epochs", 1, "--output", tmp_path]
    assert chainrule(*command).returncode == 0
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    line = rejects(*command, "--seed", 3, preexec_fn=small_files)
    assert "cannot write" in line
    assert "choose another folder" in line
    assert {name: (tmp_path / name).read_bytes() for name in before} == before


def test_divergence(small_folder, rejects, tmp_path):
    line = rejects("train", "--data", small_folder, "--learning-rate", "1e38", "--output", tmp_path)
    assert "at step" in line
    assert "with learning rate 1e+38: try a smaller one, such as 1e+37" in line


def test_divergence_to_finite_numbers(small_folder, chainrule, tmp_path):
    result = chainrule("train", "--data", small_folder, "--learning-rate", "100", "--epochs", 1, "--output", tmp_path)
    assert result.returncode == 0  # the requested files exist
    told = "of a constant prediction: try a learning rate of 0.1; chainrule train --find-learning-rate proposes one"
    assert told in " ".join(result.stderr.split())
    assert told in json.loads((tmp_path / "report.json").read_text())["trouble"]


def test_divergence_does_not_praise_the_checkpoint_of_another_run(small_folder, chainrule, rejects, tmp_path):
    command = ["train", "--data", small_folder, "--epochs", 1, "--output", tmp_path]
    assert chainrule(*command).returncode == 0
    assert "last good checkpoint" not in rejects(*command, "--learning-rate", "1e38")


def test_error_lines_are_one_line(rejects, tmp_path):
    line = rejects("evaluate", tmp_path / "two\nlines")
    assert "there is no such file" in line


@pytest.mark.parametrize("command", ["predict", "gradcheck", "evaluate"])
def test_an_onnx_model_has_to_be_imported(rejects, tmp_path, command):
    path = tmp_path / "theirs.onnx"
    path.write_bytes(b"\x08\x08")
    told = rejects(command, path, *(["one.png"] if command == "predict" else []))
    assert f"theirs.onnx is an ONNX model: `chainrule import {path} model.safetensors` converts it" in told
