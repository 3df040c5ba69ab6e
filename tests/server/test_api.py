"""The JSON API: correct answers, equal to the library's, and for every invalid request an error that names the cure."""

import base64
import io
import json
import re
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
from PIL import Image

import chainrule as cr
from chainrule.data.images import encode_png
from freehand import STYLES
from server.conftest import serving


def unpack(packed: dict) -> np.ndarray:
    return np.frombuffer(base64.b64decode(packed["data"]), "<f4").reshape(packed["shape"])


def draw(digit: int, size: int = 200) -> bytes:
    """A PNG file with that digit in straight strokes."""
    from PIL import ImageDraw

    image = Image.new("L", (size, size), 255)
    brush = ImageDraw.Draw(image)
    for stroke in next(iter(STYLES[digit].values())):
        points = [(50 + 90 * x, 30 + 95 * y) for x, y in (p for p in stroke if p is not None)]
        brush.line(points, fill=0, width=12, joint="curve")
    content = io.BytesIO()
    image.save(content, "PNG")
    return content.getvalue()


@pytest.fixture(scope="module")
def sample(mnist) -> np.ndarray:
    return mnist[1].x[0]


@pytest.mark.parametrize("model", ["freehand", "two-layer"])
def test_predict_says_what_the_network_says(client, mnist, model):
    x = mnist[1].x[:20]
    network = cr.pretrained(model)
    for sample, expected in zip(x, network.predict_probabilities(x), strict=True):
        told = client.post("/api/predict", params={"model": model}, json={"pixels": sample.tolist()}).json()
        assert [p["probability"] for p in told["probabilities"]] == pytest.approx(expected, abs=1e-5)
        assert told["label"] == str(expected.argmax())
        assert told["sure"] == (expected.max() >= 0.8)


def test_pixels_may_be_one_list(client, sample):
    rows = client.post("/api/predict", json={"pixels": sample.tolist()}).json()
    assert client.post("/api/predict", json={"pixels": sample.ravel().tolist()}).json() == rows
    assert client.post("/api/predict", json={"pixels": sample[0].tolist()}).json() == rows


def test_a_picture_is_read_and_its_steps_are_shown(client):
    told = client.post(
        "/api/predict", params={"steps": True}, content=draw(7), headers={"Content-Type": "image/png"}
    ).json()
    assert told["label"] == "7"
    assert [step["name"] for step in told["steps"]] == ["gray", "ink", "digit", "centred"]
    last = Image.open(io.BytesIO(base64.b64decode(told["steps"][-1]["picture"].partition(",")[2])))
    assert (np.asarray(last) == unpack(told["x"])[0]).all()


def test_many_clients_get_their_own_answers(client, mnist):
    x = mnist[1].x[:200]
    expected = cr.pretrained("freehand").predict_probabilities(x)

    def ask(index: int) -> list[float]:
        told = client.post("/api/predict", json={"pixels": x[index].tolist()}).json()
        return [p["probability"] for p in told["probabilities"]]

    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(ask, range(len(x))))
    np.testing.assert_allclose(answers, expected, atol=1e-4)


def test_read_finds_the_numbers_of_a_page(client, mnist):
    from pages import LEVELS, make_page

    test = mnist[1]
    page = make_page(LEVELS["easy"], test.x[:, 0], test.y, np.random.default_rng(2))
    content = encode_png(page.picture)
    told = client.post(
        "/api/read", params={"annotated": True}, content=content, headers={"Content-Type": "image/png"}
    ).json()
    numbers = cr.read_numbers(page.picture)
    assert [number["text"] for number in told["numbers"]] == [number.text for number in numbers]
    assert [tuple(number["box"]) for number in told["numbers"]] == [number.box for number in numbers]
    assert told["annotated"].startswith("data:image/png;base64,")


def test_an_empty_page_has_no_numbers(client):
    content = encode_png(np.full((300, 300), 255, np.uint8))
    told = client.post("/api/read", content=content, headers={"Content-Type": "image/png"})
    assert told.status_code == 200
    assert told.json()["numbers"] == []


def test_trace_is_the_networks_own(client, sample):
    network = cr.pretrained("two-layer")
    trace = network.trace(sample[None], np.array([3]))
    told = client.post(
        "/api/trace", params={"model": "two-layer", "label": "3"}, json={"pixels": sample.tolist()}
    ).json()
    assert told["loss"] == pytest.approx(trace.loss)
    np.testing.assert_allclose(unpack(told["dlogits"]), trace.doutputs[0])
    places = {place["name"]: place for place in told["places"]}
    assert list(places) == [row.name for row in trace.rows]
    x = dx = None
    for row in trace.rows:
        place = places[row.name]
        x = unpack(place["x"]) if place["x"] else x
        np.testing.assert_array_equal(x, row.x[0])
        np.testing.assert_array_equal(unpack(place["y"]), row.y[0])
        np.testing.assert_array_equal(unpack(place["dy"]), row.dy[0])
        dx = unpack(place["dx"]) if place["dx"] else dx
        if row.dx is not None:
            np.testing.assert_array_equal(dx, row.dx[0])
        for name, gradient in row.gradients.items():
            np.testing.assert_array_equal(unpack(place["gradients"][name]), gradient)
        x, dx = unpack(place["y"]), unpack(place["dy"])


def test_gradient_found_in_two_ways(client, sample):
    query = {"model": "two-layer", "label": "3", "parameter": "4.Affine.b", "index": "3"}
    told = client.post("/api/gradient", params=query, json={"pixels": sample.tolist()}).json()
    trace = cr.pretrained("two-layer").astype("float64").trace(sample[None].astype(float), np.array([3]))
    assert told["backpropagation"] == pytest.approx(trace["4.Affine"].gradients["b"][3], rel=1e-9)
    assert told["relative_difference"] < 1e-6
    by_hand = (told["loss_above"] - told["loss_below"]) / (2 * told["step"])
    assert told["numerical"] == pytest.approx(by_hand)


@pytest.mark.parametrize("place", ["1.Conv2D", "3.Conv2D", "5.MaxPool2D", "14.Affine", "17.Affine"])
def test_a_unit_is_the_sum_of_what_it_is_made_of(client, sample, place):
    told = client.post("/api/unit", params={"place": place, "unit": 7}, json={"pixels": sample.tolist()}).json()
    trace = cr.pretrained("freehand").trace(sample[None], np.array([7]))
    assert told["value"] == pytest.approx(float(trace[place].y.flat[7]))
    slopes = unpack(told["before"])
    assert slopes.shape == trace[place].x[0].shape
    assert told["count"] == (slopes != 0).sum()
    if told["linear"]:
        total = told["rest"] + told["bias"] + sum(term["x"] * term["slope"] for term in told["terms"])
        assert total == pytest.approx(told["value"], rel=1e-4, abs=1e-4)
    names = [row.name for row in trace.rows]
    assert list(told["chain"]) == [*reversed(names[: names.index(place)]), "input", *names[names.index(place) + 1 :]]
    network = cr.pretrained("freehand").astype("float64")
    pixel = int(np.abs(unpack(told["chain"]["input"])).argmax())
    layers = network.layers[: names.index(place) + 1]

    def value(moved: float) -> float:
        x = sample[None].astype(float)
        x.flat[pixel] += moved
        for layer in layers:
            x = layer(x)
        return float(x.flat[7])

    by_hand = (value(1e-6) - value(-1e-6)) / 2e-6
    assert unpack(told["chain"]["input"]).flat[pixel] == pytest.approx(by_hand, rel=0.05, abs=1e-7)  # float32: ties
    if place == "14.Affine":
        W = cr.pretrained("freehand").parameters["14.Affine.W"].value
        np.testing.assert_allclose(slopes, W[:, 7])


def test_models_and_parameters(client):
    cards = {card["name"]: card for card in client.get("/api/models").json()}
    assert list(cards) == ["freehand", "two-layer"]
    network = cr.pretrained("two-layer")
    assert cards["two-layer"]["kind"] == "digit"
    assert cards["two-layer"]["parameters"] == network.values.size
    told = client.get("/api/parameters", params={"model": "two-layer"}).json()
    for name, parameter in network.parameters.items():
        np.testing.assert_array_equal(unpack(told[name]), parameter.value)


def test_samples_are_mnists(client, mnist):
    told = client.get("/api/samples", params={"start": 9990, "count": 50}).json()
    assert [one["index"] for one in told] == list(range(9990, 10000))
    assert [one["label"] for one in told] == [str(y) for y in mnist[1].y[9990:]]
    np.testing.assert_array_equal(unpack(told[0]["x"]), mnist[1].x[9990])


def test_metrics_and_health(client):
    assert client.get("/healthz").json()["version"] == cr.__version__
    text = client.get("/metrics").text
    assert re.search(r'chainrule_requests_total{path="/healthz",status="200"} \d', text)


def test_every_answer_has_the_headers_of_safety(client):
    for path in ("/", "/api/models", "/nothing", "/page/main.js"):
        headers = client.get(path).headers
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
        assert headers["X-Content-Type-Options"] == "nosniff"


def bomb() -> bytes:
    content = io.BytesIO()
    Image.new("1", (20000, 20000)).save(content, "PNG")
    return content.getvalue()


JSON, PNG = {"Content-Type": "application/json"}, {"Content-Type": "image/png"}
BAD = {
    "no type": (b"x", {}, 415, "send application/json"),
    "text": (b"x", {"Content-Type": "text/plain"}, 415, "send application/json"),
    "no picture": (b"x" * 100, PNG, 422, "try a PNG or JPEG"),
    "cut picture": (draw(3)[:200], PNG, 422, "try a PNG or JPEG"),
    "empty picture": (b"", PNG, 422, "try a PNG or JPEG"),
    "bomb": (bomb(), PNG, 422, "make it smaller"),
    "blank picture": (encode_png(np.full((50, 50), 200, np.uint8)), PNG, 422, "draw darker"),
    "1x1": (encode_png(np.zeros((1, 1), np.uint8)), PNG, 422, "draw darker"),
    "no JSON": (b"{", JSON, 400, "send"),
    "empty JSON": (b"", JSON, 400, "send"),
    "NaN": (b'{"pixels": [NaN]}', JSON, 400, "send"),
    "infinite": (b'{"pixels": [Infinity]}', JSON, 400, "send"),
    "deep": (b'{"pixels": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", JSON, 400, "send"),
    "deep for arrays": (b'{"pixels": ' + b"[" * 100 + b"]" * 100 + b"}", JSON, 422, "rows of equal length"),
    "a list": (b"[1, 2]", JSON, 422, "pixels"),
    "another name": (b'{"pixel": [1]}', JSON, 422, "pixels"),
    "more names": (b'{"pixels": [1], "x": 1}', JSON, 422, "nothing else"),
    "text for numbers": (b'{"pixels": ["a"]}', JSON, 422, "numbers"),
    "nothing for numbers": (b'{"pixels": [null]}', JSON, 422, "numbers"),
    "booleans": (b'{"pixels": [true]}', JSON, 422, "numbers"),
    "no pixels": (b'{"pixels": []}', JSON, 422, "one or more"),
    "ragged": (b'{"pixels": [[1, 2], [3]]}', JSON, 422, "rows of equal length"),
    "too few": (b'{"pixels": [1, 2, 3]}', JSON, 422, "reads"),
    "transposed": (json.dumps({"pixels": [[0] * 7] * 112}).encode(), JSON, 422, "reads"),
    "too bright": (json.dumps({"pixels": [256] + [0] * 783}).encode(), JSON, 422, "from 0 to 255"),
    "huge": (json.dumps({"pixels": [1e300] + [0] * 783}).encode(), JSON, 422, "from 0 to 255"),
    "a huge whole number": (b'{"pixels": [' + b"9" * 400 + b"]}", JSON, 422, "pixels"),
    "not text": (b'{"pixels": [\xff]}', JSON, 400, "send"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_bodies_are_told(client, name):
    body, headers, status, cure = BAD[name]
    for path, query in (("predict", {}), ("trace", {"label": "1"}), ("unit", {"place": "1.Conv2D", "unit": 0})):
        answer = client.post(f"/api/{path}", params=query, content=body, headers=headers)
        assert answer.status_code == status, answer.text
        assert cure in answer.json()["error"]


@pytest.mark.parametrize(
    ("path", "query", "status", "cure"),
    [
        ("predict", {"model": "nobody"}, 404, "use one of freehand, two-layer"),
        ("predict", {"model": "training:987"}, 404, "begin one"),
        ("predict", {"model": "training:"}, 404, "begin one"),
        ("trace", {}, 422, "label"),
        ("trace", {"label": "eleven"}, 422, "use one of 0, 1"),
        ("gradient", {"label": "1", "parameter": "nothing", "index": "0"}, 422, "1.Conv2D.W"),
        ("gradient", {"label": "1", "parameter": "17.Affine.W", "index": "0"}, 422, "shape (128, 10)"),
        ("gradient", {"label": "1", "parameter": "17.Affine.W", "index": "0,10"}, 422, "shape (128, 10)"),
        ("gradient", {"label": "1", "parameter": "17.Affine.W", "index": "-1,0"}, 422, "index"),
        ("gradient", {"label": "1", "parameter": "17.Affine.W", "index": "a"}, 422, "index"),
        ("unit", {"place": "99.Affine", "unit": 0}, 422, "17.Affine"),
        ("unit", {"place": "17.Affine", "unit": 10}, 422, "10 units"),
        ("unit", {"place": "17.Affine", "unit": -1}, 422, "unit"),
    ],
)
def test_bad_questions_are_told(client, sample, path, query, status, cure):
    answer = client.post(f"/api/{path}", params=query, json={"pixels": sample.tolist()})
    assert answer.status_code == status, answer.text
    assert cure in answer.json()["error"]


def test_other_bad_requests(client):
    assert client.get("/api/nothing").status_code == 404
    wrong = client.get("/api/predict")
    assert (wrong.status_code, wrong.headers["Allow"]) == (405, "POST")
    assert client.put("/api/training").headers["Allow"] == "GET, POST"
    large = client.post("/api/read", content=b"x" * (33 * 2**20), headers=PNG)
    assert large.status_code == 413
    assert "smaller" in large.json()["error"]
    many = client.post("/api/predict", content=b'{"pixels": [' + b"7," * 1000 + b"7]}", headers=JSON)
    assert many.status_code == 422
    assert "1,001 values, more than the 784" in many.json()["error"]
    settings = client.post("/api/training", content=b" " * 2**14 + b"{}", headers=JSON)
    assert settings.status_code == 413
    assert "settings" in settings.json()["error"]
    foreign = client.post("/api/training", json={}, headers={"Origin": "http://elsewhere.example"})
    assert foreign.status_code == 403
    for path in ("/page/../app.py", "/page/%2e%2e/app.py", "/page//etc/passwd"):
        assert client.get(path).status_code == 404


def test_serve_refuses_what_it_cannot_serve(chainrule, tmp_path):
    for arguments, cure in (
        (["nobody"], "name a file"),
        ([tmp_path / "none.safetensors"], "check the path"),
        (["--port", "99999"], "from 0 to 65535"),
        (["--host", "256.1.1.1"], "cannot listen"),
    ):
        ended = chainrule("serve", *arguments, "--no-open")
        assert ended.returncode == 2
        assert cure in ended.stderr
        assert ended.stderr.count("\n") == 1
    embedding = cr.Sequential(cr.layers.Embedding(10, 4), cr.Flatten(), cr.Affine(3)).build((5,))
    cr.save(embedding, tmp_path / "words.safetensors")
    ended = chainrule("serve", tmp_path / "words.safetensors", "--no-open")
    assert (ended.returncode, "pictures or numbers" in ended.stderr) == (2, True), ended.stderr


def test_pictures_are_prepared_as_the_model_says(tmp_path):
    network = cr.models.two_layer(2).build((1, 28, 28), seed=0)
    network.labels = ("cat", "dog")
    network.preparation = cr.data.PicturePreparation(28, 28, 1, "fit", "dark")
    cr.save(network, tmp_path / "pets.safetensors")
    light = encode_png(np.full((28, 28), 250, np.uint8))
    with serving(tmp_path / "pets.safetensors") as (address, _):
        answer = httpx.post(f"{address}/api/predict", params={"steps": True}, content=light, headers=PNG).json()
        card = httpx.get(f"{address}/api/models").json()[0]
    assert [step["name"] for step in answer["steps"]] == ["fitted", "inverted"]
    assert card["kind"] == "picture"
