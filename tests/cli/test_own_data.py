"""People's own data end to end: `predict`, `evaluate` and `read` see it the same way as `train` did."""

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image

import chainrule as cr


def table(path):
    return list(csv.DictReader(io.StringIO(path.read_text())))


@pytest.fixture(scope="module")
def pictures(mnist, tmp_path_factory):
    """Write threes and sevens from MNIST, dark on white, as files."""
    folder = tmp_path_factory.mktemp("own") / "data"
    train, _ = mnist
    for label in (3, 7):
        (folder / str(label)).mkdir(parents=True)
        for index, image in enumerate(train.x[:2000][train.y[:2000] == label][:120, 0]):
            Image.fromarray(255 - image).save(folder / str(label) / f"{index}.png")
    return folder


@pytest.fixture(scope="module")
def learned(pictures, chainrule, tmp_path_factory):
    folder = tmp_path_factory.mktemp("learned")
    result = chainrule("train", "--data", pictures, "--epochs", 10, "--output", folder)
    assert result.returncode == 0, result.stderr
    assert "dark on a light background: they are inverted" in result.stderr
    return folder / "model.safetensors"


def test_predict_sees_what_train_saw(learned, pictures, chainrule):
    result = chainrule("predict", learned, pictures / "3", pictures / "7", "--json")
    assert result.returncode == 0, result.stderr
    records = json.loads(result.stdout)
    assert len(records) == 240
    right = [record["class"] == ("3" if "/3/" in record["image"] else "7") for record in records]
    assert np.mean(right) > 0.95
    report = json.loads((learned.parent / "report.json").read_text())
    assert abs(np.mean(right) - report["train_accuracy"]) < 0.03


def test_read_inverts_what_it_finds_for_such_a_model(learned, mnist, chainrule, tmp_path):
    train, _ = mnist
    page = np.full((80, 120), 255, np.uint8)
    place = int(np.flatnonzero(train.y == 7)[200])
    page[26:54, 40:68] -= train.x[place, 0]
    Image.fromarray(page).save(tmp_path / "page.png")
    result = chainrule("read", tmp_path / "page.png", "--model", learned, "--json")
    assert result.returncode == 0, result.stderr
    assert [number["text"] for number in json.loads(result.stdout)["images"][0]["numbers"]] == ["7"]


def test_classes_are_matched_by_name(learned, chainrule):
    result = chainrule("evaluate", learned, "--data", "mnist")
    assert result.returncode == 0, result.stderr
    assert "has no class 0, 1, 2, 4, 5, 6, 8, 9: 7,962 of 10,000 samples are left out" in result.stderr
    assert float(result.stdout.split()[1].rstrip("%")) > 90
    assert "of 2,038" in result.stdout


def test_classes_that_the_data_lacks_are_no_error(model, pictures, chainrule):
    result = chainrule("evaluate", model, "--data", pictures)
    assert result.returncode == 0, result.stderr
    assert "left out" not in result.stderr
    assert float(result.stdout.split()[1].rstrip("%")) > 60


def test_none_of_the_classes(learned, chainrule, rejects, tmp_path, mnist):
    train, _ = mnist
    zeros = train.y[:600] == 0
    np.savez(tmp_path / "t.npz", x=train.x[:600][zeros], y=train.y[:600][zeros])
    assert "none of the classes 0" in rejects("evaluate", learned, "--data", tmp_path / "t.npz")


def test_one_bad_picture_does_not_stop_the_others(learned, pictures, chainrule, rejects, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no picture")
    good = pictures / "3" / "0.png"
    result = chainrule("predict", learned, good, tmp_path / "bad.png", pictures / "7" / "0.png")
    assert result.returncode == 1
    lines = result.stdout.splitlines()
    assert len(lines) == 4
    assert "not read" in lines[2]
    assert "Traceback" not in result.stderr
    assert f"not read: cannot read {tmp_path / 'bad.png'}" in result.stderr
    for ending in ("json", "csv"):
        result = chainrule("predict", learned, good, tmp_path / "bad.png", "--output", tmp_path / f"out.{ending}")
        assert result.returncode == 1
    first, second = json.loads((tmp_path / "out.json").read_text())
    assert set(first["probabilities"]) == {"3", "7"}
    assert "cannot read" in second["error"]
    rows = table(tmp_path / "out.csv")
    assert rows[0]["class"] == first["class"]
    assert "cannot read" in rows[1]["error"]
    assert "bad.png" in rejects("predict", learned, tmp_path / "bad.png")
    assert "nor any other of 2 pictures" in rejects("predict", learned, tmp_path / "bad.png", tmp_path / "bad.png")


@pytest.fixture(scope="module")
def homes(tmp_path_factory):
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("homes")
    with (folder / "homes.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Id", "area", "town", "price"])
        for i in range(120):
            area, town = rng.uniform(40, 140), i % 3
            writer.writerow([i + 1, f"{area:.1f}", ("north", "south", "")[town], round(1000 * area + 20000 * town)])
    return folder


def test_a_table_of_numbers_from_end_to_end(homes, chainrule, rejects, tmp_path):
    run = tmp_path / "run"
    result = chainrule("train", "--data", homes / "homes.csv", "--epochs", 40, "--output", run)
    assert result.returncode == 0, result.stderr
    for told in ("learning price (numbers) from 2 columns: regression", "Id only numbers the rows", "town (40)"):
        assert told in result.stderr
    assert "test R²" in result.stdout
    report = json.loads((run / "report.json").read_text())
    assert report["test_r_squared"] > 0.9
    assert "test_accuracy" not in report
    assert {path.name for path in run.iterdir()} >= {"residuals.png", "curves.png", "model.safetensors"}
    assert not (run / "confusion.png").exists()
    measured = chainrule("evaluate", run / "model.safetensors", "--data", homes / "homes.csv")
    assert f"{report['test_r_squared']:.4f} of 24" in measured.stdout
    new = homes / "new.csv"
    new.write_text("town,area,Id\nnorth,100,7\nwest,50,9\n")
    for layout, heads in (("full", ["Id", "price"]), ("kaggle", ["Id", "price"])):
        out = tmp_path / "out.csv"
        result = chainrule("predict", run / "model.safetensors", "--data", new, "--output", out, "--layout", layout)
        assert result.returncode == 0, result.stderr
        rows = table(out)
        assert list(rows[0]) == heads
        assert [row["Id"] for row in rows] == ["7", "9"]
        assert abs(float(rows[0]["price"]) - 100_000) < 15_000
    for arguments, cure in (
        (["--data", new, "--layout", "wide"], "--layout must be full or kaggle"),
        (["--data", new, "--output", tmp_path / "out.xls"], "--output must end in .csv or .json"),
        (["--data", new, homes / "x.png"], "leave"),
        ([homes / "x.png"], "--data FILE.csv"),
    ):
        assert cure in rejects("predict", run / "model.safetensors", *arguments)
    onnx = pytest.importorskip("onnxruntime")
    assert chainrule("export", run / "model.safetensors", tmp_path / "m.onnx").returncode == 0
    network = cr.load(run / "model.safetensors")
    rows, _ = cr.data.load_new(new, network.preparation, network.input_shape, tell=lambda note: None)
    (same,) = onnx.InferenceSession(str(tmp_path / "m.onnx")).run(None, {"input": rows.x})
    np.testing.assert_allclose(same, network(rows.x), rtol=1e-4)


def test_other_commands_on_numbers_to_predict(homes, chainrule, rejects, tmp_path):
    told = chainrule("data", "info", homes / "homes.csv")
    assert told.returncode == 0, told.stderr
    assert "target 1" in told.stdout
    assert "needs data with classes" in rejects("race", "--data", homes / "homes.csv")
    for options, cure in (
        (["--label-smoothing", 0.1], "are about classes"),
        (["--augment"], "change pictures"),
        (["--label-column", "size"], "no column 'size'"),
        (["--missing", "zero"], "--missing must be mean or drop"),
        (["--size", 2], "--size must be from 4 to 1024"),
    ):
        assert cure in rejects("train", "--data", homes / "homes.csv", *options, "--output", tmp_path / "run")
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_a_table_is_resumed_as_it_was_read(homes, chainrule, rejects, tmp_path):
    whole, half = tmp_path / "whole", tmp_path / "half"
    common = ["--data", homes / "homes.csv", "--missing", "drop", "--schedule", "constant"]
    assert chainrule("train", *common, "--epochs", 6, "--output", whole).returncode == 0
    assert chainrule("train", *common, "--epochs", 3, "--output", half).returncode == 0
    assert "--missing mean differs from the run" in rejects("train", "--resume", "--missing", "mean", "--output", half)
    result = chainrule("train", "--resume", "--epochs", 6, "--output", half)
    assert result.returncode == 0, result.stderr
    assert (whole / "model.safetensors").read_bytes() == (half / "model.safetensors").read_bytes()


def test_kaggles_digit_recognizer(mnist, chainrule, model, tmp_path):
    _, test = mnist
    rows = test.x[:30].reshape(30, 784)
    with (tmp_path / "test.csv").open("w", newline="") as file:
        csv.writer(file).writerows([[f"pixel{i}" for i in range(784)], *rows.tolist()])
    out = tmp_path / "submission.csv"
    result = chainrule("predict", model, "--data", tmp_path / "test.csv", "--output", out, "--layout", "kaggle")
    assert result.returncode == 0, result.stderr
    written = table(out)
    assert list(written[0]) == ["ImageId", "Label"]
    assert [row["ImageId"] for row in written] == [str(i + 1) for i in range(30)]
    assert np.mean([int(row["Label"]) for row in written] == test.y[:30]) > 0.6


def test_color_and_size(chainrule, tmp_path):
    rng = np.random.default_rng(0)
    for name, channel in (("red", 0), ("blue", 2)):
        (tmp_path / "data" / name).mkdir(parents=True)
        for index in range(20):
            picture = rng.integers(0, 60, (40, 50, 3), np.uint8)
            picture[..., channel] += 150
            Image.fromarray(picture).save(tmp_path / "data" / name / f"{index}.png")
    run = tmp_path / "run"
    result = chainrule(
        "train", "--data", tmp_path / "data", "--color", "--size", 16, "--epochs", 5, "--output", run
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    network = cr.load(run / "model.safetensors")
    assert network.input_shape == (3, 16, 16)
    result = chainrule("predict", run / "model.safetensors", tmp_path / "data" / "red" / "0.png", "--json")
    assert json.loads(result.stdout)[0]["class"] == "red"
