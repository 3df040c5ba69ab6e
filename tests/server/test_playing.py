"""Trainings on points and tables through the API, their maps, dropped files and saved trainings; hostile input too."""

import base64
import json
import math
import time

import httpx
import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ModelFileError
from chainrule.functions import softmax
from chainrule.io.safetensors import read_safetensors, write_safetensors
from chainrule.server import read_training
from server.conftest import serving
from server.test_training import begin, training, wait_for


def whole(packed: dict, kind: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(packed["data"]), kind).reshape(packed["shape"])


def drop(client: httpx.Client, content: bytes, name: str = "file") -> httpx.Response:
    return client.post("/api/files", params={"name": name}, content=content)


def made(client: httpx.Client, **choices) -> dict:
    return client.get("/api/points", params=choices).json()


def finish(client: httpx.Client, name: str, steps: int) -> dict:
    client.post(f"/api/training/{name}/play")
    wait_for(client, name, lambda news: news["progress"]["step"] >= steps)
    client.post(f"/api/training/{name}/pause")
    return wait_for(client, name, lambda news: news["progress"]["snapshots"][-1] == news["progress"]["step"])


PLAIN = {"network": "layers", "hidden": [8, 8], "activation": "Tanh", "optimizer": "adam", "learning_rate": 0.02}


@pytest.fixture
def saved(client) -> bytes:
    with training(client, data=made(client, shape="clouds"), batch_size=20, **PLAIN) as name:
        finish(client, name, 100)
        return client.get(f"/api/file/{name}").content


def test_points_are_those_of_the_library(client):
    told = made(client, shape="spirals", count=60, classes=3, noise=0.1, seed=5)
    for part, count, seed in (("points", 60, 5), ("held_out", 30, 6)):
        data = cr.data.points("spirals", count, classes=3, noise=0.1, seed=seed)
        numbers = np.array(told[part])
        np.testing.assert_allclose(numbers[:, :2], data.x, atol=1e-3)
        np.testing.assert_array_equal(numbers[:, 2], data.y)


def test_points_are_learned_and_mapped(client):
    points = made(client, shape="circles")
    with training(client, data=points, batch_size=20, **PLAIN) as name:
        news = finish(client, name, 1500)
        assert news["points"][-1]["test_accuracy"] > 0.9
        maps = client.get(f"/api/map/{name}", params={"size": 11}).json()
        network = cr.Sequential(cr.Affine(8), cr.Tanh(), cr.Affine(8), cr.Tanh(), cr.Affine(2)).build((2,))
        told = client.get("/api/parameters", params={"model": f"training:{name}"}).json()
        for key, parameter in network.parameters.items():
            parameter.value[...] = whole(told[key], "<f4").reshape(parameter.value.shape)
        shares = whole(maps["classes"], "u1")
        assert shares.shape == (2, 11, 11)
        for row, column in ((0, 0), (3, 7), (10, 2)):  # the first row is at the top
            across = maps["low"][0] + column / 10 * (maps["high"][0] - maps["low"][0])
            up = maps["high"][1] - row / 10 * (maps["high"][1] - maps["low"][1])
            expected = softmax(network(np.array([[across, up]], np.float32)))[0]
            np.testing.assert_allclose(shares[:, row, column] / 255, expected, atol=0.003)
        assert [unit["place"] for unit in maps["units"]] == ["1.Tanh", "3.Tanh"]
        assert whole(maps["units"][0]["values"], "i1").shape == (8, 11, 11)
        card = client.get("/api/model", params={"model": f"training:{name}"}).json()
        assert (card["kind"], card["labels"]) == ("numbers", ["1", "2"])


def test_settings_come_with_the_first_event_only(client, address):
    with training(client, data=made(client), speed=50, **PLAIN) as name:
        events = []
        with httpx.stream("GET", f"{address}/api/training/{name}/events", timeout=30) as answer:
            client.post(f"/api/training/{name}/play")
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    events.append(json.loads(line[6:]))
                if len(events) == 3:
                    break
        assert events[0]["progress"]["settings"]["hidden"] == [8, 8]
        assert events[1]["progress"]["settings"] is None


ORIGIN, CORNER = [0, 0, 0], [1, 1, 1]


@pytest.mark.parametrize(
    ("settings", "cure"),
    [
        ({"data": {"points": [ORIGIN, [1, 1, 0]]}}, "two classes"),
        ({"data": {"points": [ORIGIN, [9, 1, 1]]}}, "data"),
        ({"data": {"points": [ORIGIN, [1, 1, 5]]}}, "data"),
        ({"data": {"points": [ORIGIN, [1, 1, 0.5]]}}, "class, 0 to 2"),
        ({"data": {"points": [ORIGIN, [1, 1]]}}, "data"),
        ({"data": {"points": [ORIGIN, CORNER] * 301}}, "600"),
        ({"data": {"points": [ORIGIN, CORNER] * 200, "held_out": [ORIGIN] * 300}}, "600"),
        ({"data": {"points": [ORIGIN, [1, True, 1]]}}, "data"),
        ({"data": {"points": [ORIGIN, CORNER], "more": 1}}, "data"),
        ({"data": "elsewhere"}, "mnist"),
        ({"data": 7}, "mnist"),
        ({"data": {"upload": "../../etc"}}, "drop the file again"),
        ({"data": {"points": [ORIGIN, CORNER]}, "network": "cnn"}, "use layers"),
        ({"hidden": [0]}, "hidden"),
        ({"hidden": [65]}, "hidden"),
        ({"hidden": [1] * 7}, "hidden"),
        ({"activation": "Softmax"}, "ReLU"),
        ({"weight_decay": -1}, "weight_decay"),
    ],
)
def test_bad_settings_are_told(client, settings, cure):
    told = client.post("/api/training", json={"network": "layers", "data": {"points": [ORIGIN, CORNER]}} | settings)
    assert told.status_code in (404, 422), told.text
    assert cure in told.json()["error"]
    assert "Value error" not in told.json()["error"]


def test_what_has_no_map_is_told(client):
    with training(client) as name:
        told = client.get(f"/api/map/{name}")
        assert (told.status_code, "no map" in told.json()["error"]) == (422, True)
        assert client.get(f"/api/map/{name}", params={"size": 5000}).status_code == 422


def test_divergence_is_called_so(client):
    name = begin(client, data=made(client), **PLAIN | {"optimizer": "sgd", "learning_rate": 1e6, "activation": "ReLU"})
    client.post(f"/api/training/{name}/play")
    news = wait_for(client, name, lambda news: news["progress"]["state"] == "failed" or news["progress"]["trouble"])
    assert news["progress"]["diverged"] or news["progress"]["trouble"]
    client.post(f"/api/training/{name}/stop")


def test_a_table_is_learned(client):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 2))
    lines = [f"{a:.4f},{b:.4f},{'same' if a * b > 0 else 'other'}" for a, b in x]
    told = drop(client, "\n".join(["a,b,kind", *lines]).encode(), "../signs.csv").json()["data"]
    assert (told["name"], told["rows"], told["held_out"]) == ("signs.csv", 240, 60)
    assert (told["columns"], told["label"], told["classes"]) == (["a", "b"], "kind", ["other", "same"])
    with training(client, data={"upload": told["id"]}, batch_size=20, **PLAIN) as name:
        assert finish(client, name, 1500)["points"][-1]["test_accuracy"] > 0.85
        maps = client.get(f"/api/map/{name}").json()
        assert maps["low"][0] < x[:, 0].min() + 0.5
        card = client.get("/api/model", params={"model": f"training:{name}"}).json()
        assert card["labels"] == ["other", "same"]
        assert card["bricks"][0]["layer"].startswith("Standardize")


def test_numbers_are_predicted_in_their_own_units(client):
    x = np.random.default_rng(0).normal(size=(300, 3))
    y = 1000 + 100 * x @ [1, 2, -1]
    lines = [",".join(f"{number:.5f}" for number in (*row, target)) for row, target in zip(x, y, strict=True)]
    told = drop(client, "\n".join(["a,b,c,price", *lines]).encode()).json()["data"]
    assert told["classes"] == []
    with training(client, data={"upload": told["id"]}, **PLAIN) as name:
        news = finish(client, name, 2000)
        assert news["points"][-1]["accuracy"] is None
        assert news["points"][-1]["test_loss"] < 0.1
        model = {"model": f"training:{name}"}
        assert client.get("/api/model", params=model).json()["answers"] == "numbers"
        said = client.post("/api/predict", params=model, json={"pixels": x[0].tolist()}).json()
        assert said["values"] == [pytest.approx(y[0], abs=60)]
        assert (said["label"], said["probabilities"]) == (None, [])
        value = said["values"][0]
        walk = client.post("/api/trace", params=model | {"label": "900"}, json={"pixels": x[0].tolist()}).json()
        assert walk["loss"] == pytest.approx((value - 900) ** 2, rel=1e-3)
        assert whole(walk["dlogits"], "<f4")[0] == pytest.approx(2 * (value - 900), rel=1e-3)
        wrong = client.post("/api/trace", params=model | {"label": "nan"}, json={"pixels": x[0].tolist()})
        assert (wrong.status_code, "not a number" in wrong.json()["error"]) == (422, True)


def test_a_table_of_pixels_is_pictures(client, mnist):
    rows = np.column_stack([mnist[1].y[:200], mnist[1].x[:200].reshape(200, -1)])
    content = "\n".join(
        [",".join(["label", *(f"pixel{i}" for i in range(784))]), *(",".join(map(str, r)) for r in rows)]
    )
    told = drop(client, content.encode(), "train.csv").json()["data"]
    assert told["shape"] == [1, 28, 28]
    with training(client, data={"upload": told["id"]}, **PLAIN) as name:
        assert finish(client, name, 200)["points"][-1]["accuracy"] > 0.5


def test_a_model_is_put_on_the_shelf(tmp_path):
    cr.save(cr.Sequential(cr.Affine(3), cr.ReLU(), cr.Affine(2)).build((4,)), tmp_path / "m.safetensors", labels="ab")
    from chainrule.io.onnx_export import export_onnx

    export_onnx(cr.pretrained("two-layer"), tmp_path / "m.onnx")
    with serving("two-layer") as (address, _), httpx.Client(base_url=address, timeout=30) as client:
        for file, name in (("m.safetensors", "two-layer (2)"), ("m.onnx", "two-layer (3)")):
            told = drop(client, (tmp_path / file).read_bytes(), f"two-layer.{file[2:]}").json()
            assert told["model"]["name"] == name
        said = client.post("/api/predict", params={"model": "two-layer (2)"}, json={"pixels": [1, 2, 3, 4]}).json()
        assert said["label"] in "ab"
        for _ in range(10):
            drop(client, (tmp_path / "m.safetensors").read_bytes(), "many.safetensors")
        names = [card["name"] for card in client.get("/api/models").json()]
        assert len(names) == 9
        assert names[0] == "two-layer"


def test_a_training_is_saved_and_opened(client, saved, tmp_path):
    told = drop(client, saved, "mine.safetensors").json()
    assert told["kind"] == "training"
    news = client.get(f"/api/training/{told['training']}").json()
    assert (news["progress"]["state"], news["progress"]["opened"]) == ("stopped", True)
    assert news["progress"]["settings"]["hidden"] == [8, 8]
    assert len(news["points"]) > 1
    assert client.get(f"/api/map/{told['training']}").status_code == 200
    assert "begin a new one" in client.post(f"/api/training/{told['training']}/play").json()["error"]
    assert client.get(f"/api/file/{told['training']}").content == saved
    (tmp_path / "mine.safetensors").write_bytes(saved)
    assert cr.load(tmp_path / "mine.safetensors").input_shape == (2,)  # a model file like any other
    with serving(tmp_path / "mine.safetensors") as (address, _):
        [opened] = httpx.get(f"{address}/api/training").json()
        assert opened["opened"]
        assert opened["step"] == news["progress"]["step"]


def test_snapshots_are_in_the_file_and_come_back(client, saved):
    name = drop(client, saved, "mine.safetensors").json()["training"]
    steps = client.get(f"/api/training/{name}").json()["progress"]["snapshots"]
    assert len(steps) > 1
    assert steps[0] == 0
    asked = {"pixels": [0.5, -0.5]}
    answers = [
        client.post("/api/predict", params={"model": f"training:{name}:{step}"}, json=asked).json()["probabilities"]
        for step in steps
    ]
    assert answers[0] != answers[-1]
    current = client.post("/api/predict", params={"model": f"training:{name}"}, json=asked).json()["probabilities"]
    assert answers[-1] == current


@pytest.mark.parametrize(
    ("change", "cure"),
    [
        (lambda rows: rows[:, 1:], "float32"),
        (lambda rows: rows.astype(np.float64), "float32"),
        (lambda rows: rows * np.float32("nan"), "not finite"),
        (lambda rows: np.concatenate([rows, rows]), "float32"),
        (lambda rows: None, "float32"),
    ],
)
def test_snapshots_are_checked(saved, tmp_path, change, cure):
    path = tmp_path / "training.safetensors"
    path.write_bytes(saved)
    arrays, metadata = read_safetensors(path)
    changed = change(arrays.pop("training.snapshots"))
    write_safetensors(path, arrays if changed is None else arrays | {"training.snapshots": changed}, metadata)
    with pytest.raises(ModelFileError, match=f"damaged.*{cure}") as caught:
        read_training(path)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("change", "cure"),
    [
        (lambda record: record.pop("points"), "points"),
        (lambda record: record | {"step": -1}, "step"),
        (lambda record: record | {"step": 1.5}, "step"),
        (lambda record: record | {"more": 1}, "more"),
        (lambda record: record["snapshots"].reverse() or record["snapshots"].append(0), "order"),
        (lambda record: record["snapshots"].extend(range(200)), "snapshots"),
        (lambda record: record.update(snapshots=[]), "float32"),
        (lambda record: record["settings"].update(optimizer="nobody"), "nobody"),
        (lambda record: record["settings"].update(hidden=[10**6]), "hidden"),
        (lambda record: record["settings"]["data"].update(points=[]), "points"),
        (lambda record: record["points"].extend([record["points"][0]] * 30_000), "points"),
        (lambda record: record["points"][0].update(loss="high"), "loss"),
        (lambda record: [], "it"),
    ],
)
def test_a_record_is_checked(saved, tmp_path, change, cure):
    (tmp_path / "training.safetensors").write_bytes(saved)
    arrays, metadata = read_safetensors(tmp_path / "training.safetensors")
    record = json.loads(metadata["training"])
    changed = change(record)
    if (isinstance(changed, dict) and "step" in changed) or changed == []:
        record = changed
    write_safetensors(tmp_path / "bad.safetensors", arrays, metadata | {"training": json.dumps(record)})
    with pytest.raises(ModelFileError, match=f"damaged.*{cure}") as caught:
        read_training(tmp_path / "bad.safetensors")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "status", "cure"),
    [
        (b"", 422, "empty"),
        (b"\x00" * 1000, 422, ""),
        (b"\x08\x07nonsense", 422, "ONNX"),
        (b"a,b\n1,2\n", 422, "choose the column to learn"),
        (b"a,b,c\n" + b"1,2,3\n" * 400_000, 413, "1,000,000 cells"),
        (b"a,b,c\n" + b"1" * 9_000_000, 413, "8 MiB"),
        (b"a\n" + b"\n".join(b"%d" % i for i in range(50)), 422, ""),
        (b"a,b,c\n1,2,3\n1,2\n", 422, "line 3"),
        (b"x" * (33 * 2**20), 413, "32 MiB"),
    ],
)
def test_bad_files_are_told(client, content, status, cure):
    told = drop(client, content, "<b>mine</b>\n.csv")
    assert told.status_code == status, told.text
    error = told.json()["error"]
    assert cure in error
    assert "/tmp" not in error
    assert "\n" not in error


def test_damaged_models_are_told(client, saved):
    rng = np.random.default_rng(0)
    for _ in range(60):
        content = bytearray(saved)
        for place in rng.integers(len(content) if rng.random() < 0.3 else 3000, size=rng.integers(1, 6)):
            content[place] = rng.integers(256)
        told = drop(client, bytes(content[: rng.integers(len(content))] if rng.random() < 0.3 else content))
        assert told.status_code < 500, told.text
    assert client.get("/healthz").status_code == 200


def test_an_oversized_network_is_refused(client, tmp_path):
    wide = [cr.Upsample(64), cr.GlobalAvgPool2D()]
    for index, layers in enumerate((wide, [cr.Sequential(*wide)], [cr.Parallel(cr.Sequential(*wide), join="concat")])):
        cr.save(cr.Sequential(*layers, cr.Affine(2)).build((1, 200, 200)), tmp_path / f"{index}.safetensors")
        told = drop(client, (tmp_path / f"{index}.safetensors").read_bytes(), "wide.safetensors")
        assert (told.status_code, "too large for the page" in told.json()["error"]) == (413, True)


def test_many_at_once(client):
    """Stepping, maps and files of several trainings while they run: every map is of finite numbers."""
    names = [begin(client, data=made(client, seed=seed), **PLAIN) for seed in range(3)]
    for name in names:
        client.post(f"/api/training/{name}/play")
    ends = time.monotonic() + 2
    while time.monotonic() < ends:
        for name in names:
            maps = client.get(f"/api/map/{name}", params={"size": 20}).json()
            assert math.isfinite(maps["units"][0]["most"])
            assert (whole(maps["classes"], "u1").astype(int).sum(axis=0) >= 254).all()
    for name in names:
        client.post(f"/api/training/{name}/stop")
