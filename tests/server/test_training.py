"""Training through the API: stepping, pausing, watching, going back in time; and errors."""

import asyncio
import base64
import json
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import numpy as np
import pytest

import chainrule as cr
from chainrule.server import create_app, guard
from server.conftest import serving


def begin(client: httpx.Client, **settings) -> str:
    told = client.post("/api/training", json=settings)
    assert told.status_code == 201, told.text
    return told.json()["id"]


@contextmanager
def training(client: httpx.Client, **settings):
    name = begin(client, **settings)
    try:
        yield name
    finally:
        client.post(f"/api/training/{name}/stop")


def wait_for(client: httpx.Client, name: str, condition, seconds: float = 60):
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        news = client.get(f"/api/training/{name}").json()
        if condition(news):
            return news
        time.sleep(0.02)
    pytest.fail(f"not within {seconds} s: {news}")


def step(client: httpx.Client, name: str, count: int) -> dict:
    for number in range(1, count + 1):
        client.post(f"/api/training/{name}/step")
        news = wait_for(client, name, lambda news, number=number: news["points"][-1]["step"] == number)
    return news


def by_hand(steps: int, mnist, batch_size: int, rate: float):
    """The course's training steps, with the samples in the same order."""
    net = cr.models.NETWORKS["two-layer"](10).build((1, 28, 28), seed=0)
    loss, optimizer = cr.SoftmaxCrossEntropy(), cr.SGD(rate)
    batches = mnist[0].batches(batch_size, np.random.default_rng(0))
    losses = []
    for _, (x, labels) in zip(range(steps), batches, strict=False):
        logits, cache = net.forward(x, train=True)
        value, dlogits = loss(logits, labels)
        net.backward(dlogits, cache, input_gradient=False)
        optimizer.step(net)
        losses.append(value)
    return net, losses


def test_steps_are_the_lessons(client, mnist):
    with training(client, learning_rate=0.3, batch_size=50) as name:
        news = step(client, name, 3)
        net, losses = by_hand(3, mnist, 50, 0.3)
        found = {point["step"]: point["loss"] for point in news["points"][1:]}  # a slow machine draws a step twice
        assert list(found.values()) == pytest.approx(losses, rel=1e-5)
        assert news["progress"]["snapshots"] == [0, 1, 2, 3]
        expected = net.predict_probabilities(mnist[1].x[:1])[0]
        told = client.post(
            "/api/predict", params={"model": f"training:{name}:3"}, json={"pixels": mnist[1].x[0].tolist()}
        ).json()
        assert [p["probability"] for p in told["probabilities"]] == pytest.approx(expected, abs=1e-4)


def test_a_numerical_step_finds_the_same_gradient(client, mnist):
    """784-50-10 with one picture per batch: each of its 39,760 derivatives, in about ten seconds."""
    with training(client, batch_size=1, gradient="numerical") as name:
        client.post(f"/api/training/{name}/step")
        wait_for(client, name, lambda news: news["progress"]["probed"] > 100)
        client.post(f"/api/training/{name}/pause")
        paused = wait_for(client, name, lambda news: news["progress"]["state"] == "paused")["progress"]["probed"]
        time.sleep(0.3)
        still = client.get(f"/api/training/{name}").json()["progress"]["probed"]
        assert still - paused < 2000  # the probes before the next look
        client.post(f"/api/training/{name}/step")
        wait_for(client, name, lambda news: news["progress"]["step"] == 1, 120)
        wait_for(client, name, lambda news: 1 in news["progress"]["snapshots"])
        told = client.get("/api/parameters", params={"model": f"training:{name}:1"}).json()
        W = np.frombuffer(base64.b64decode(told["2.Affine.W"]["data"]), "<f4").reshape(784, 50)
        net, _ = by_hand(1, mnist, 1, 0.1)
        np.testing.assert_allclose(W, net.parameters["2.Affine.W"].value, atol=1e-6)


def test_it_learns_and_can_be_gone_back_in(client):
    with training(client) as name:
        client.post(f"/api/training/{name}/play")
        wait_for(client, name, lambda news: news["progress"]["step"] > 1500)
        client.post(f"/api/training/{name}/pause")
        news = wait_for(client, name, lambda news: news["progress"]["snapshots"][-1] == news["progress"]["step"])
        measured = [point for point in news["points"] if point["test_accuracy"] is not None]
        assert measured[0]["test_accuracy"] < 0.3
        assert measured[-1]["test_accuracy"] > 0.9
        layers = {layer["name"]: layer for layer in measured[-1]["layers"]}
        assert layers["2.Affine"]["gradient"] > 0
        assert 0 <= layers["3.ReLU"]["dead"] <= 1
        assert len(news["progress"]["snapshots"]) <= 32
        first = client.get("/api/parameters", params={"model": f"training:{name}:0"}).json()
        last = client.get("/api/parameters", params={"model": f"training:{name}"}).json()
        assert first["2.Affine.W"] != last["2.Affine.W"]


def test_events_tell_what_is_new_until_the_end(client, address):
    name = begin(client, speed=50)
    events = []
    with httpx.stream("GET", f"{address}/api/training/{name}/events", timeout=30) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        client.post(f"/api/training/{name}/play")
        for line in answer.iter_lines():
            if not line.startswith("data: "):
                continue
            events.append(json.loads(line[6:]))
            if len(events) == 10:
                client.post(f"/api/training/{name}/stop")
    assert events[-1]["progress"]["state"] == "stopped"
    assert events[-1]["progress"]["step"] > events[0]["progress"]["step"]
    assert client.post(f"/api/training/{name}/play").status_code == 422


def test_a_training_that_diverges_says_so(client):
    name = begin(client, learning_rate=1e6, optimizer="momentum")
    client.post(f"/api/training/{name}/play")
    news = wait_for(client, name, lambda news: news["progress"]["state"] == "failed")
    assert "try" in news["progress"]["error"]


def test_divergence_that_stays_finite_is_told(client):
    with training(client, learning_rate=1000.0) as name:
        client.post(f"/api/training/{name}/play")
        news = wait_for(client, name, lambda news: news["progress"]["trouble"])
        assert news["progress"]["state"] == "playing"
        assert "far above the 2.3 of a constant prediction" in news["progress"]["trouble"]
    with training(client) as name:
        client.post(f"/api/training/{name}/play")
        news = wait_for(client, name, lambda news: news["progress"]["step"] > 50 and news["points"][-1]["test_loss"])
        assert news["progress"]["trouble"] is None


@pytest.mark.parametrize(
    ("settings", "cure"),
    [
        ({"network": "nobody"}, "two-layer"),
        ({"optimizer": "nobody"}, "sgd"),
        ({"learning_rate": 0}, "learning_rate"),
        ({"learning_rate": "fast"}, "learning_rate"),
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": 10**9}, "batch_size"),
        ({"gradient": "guessed"}, "gradient"),
        ({"network": "cnn", "gradient": "numerical"}, "use two-layer"),
        ({"seed": -1}, "seed"),
        ([], "body"),
    ],
)
def test_bad_settings_are_told(client, settings, cure):
    told = client.post("/api/training", json=settings)
    assert told.status_code == 422
    assert cure in told.json()["error"]


def test_bad_names_and_actions_are_told(client):
    assert client.post("/api/training/nobody/play").status_code == 404
    assert client.get("/api/training/nobody").status_code == 404
    assert client.get("/api/training/nobody/events").status_code == 404
    with training(client) as name:
        assert client.post(f"/api/training/{name}/jump").status_code == 422
        told = client.get("/api/parameters", params={"model": f"training:{name}:x"})
        assert (told.status_code, "training:ID:STEP" in told.json()["error"]) == (422, True)


def test_the_server_survives_rude_clients():
    """Half a body, a client that leaves in the middle of a response or an event stream, and a ninth training run."""
    with serving() as (address, process), httpx.Client(base_url=address, timeout=30) as client:
        host, port = "127.0.0.1", int(address.rpartition(":")[2])
        head = (
            b"POST /api/predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n"
        )
        rude = []
        for sent in (head + b'{"pixels": [', head[:30], b"GET / HTTP/1.1\r\n", b"\x00\x01\x02\r\n\r\n", b""):
            link = socket.create_connection((host, port))
            link.sendall(sent)
            rude.append(link)
        names = [begin(client) for _ in range(8)]
        client.post(f"/api/training/{names[0]}/play")
        for _ in range(5):
            with client.stream("GET", f"/api/training/{names[0]}/events") as answer:
                next(answer.iter_lines())  # and then it disconnects
        for link in rude[:3]:
            link.close()
        refused = client.post("/api/training", json={})
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
        client.post(f"/api/training/{names[7]}/stop")
        begin(client)  # replaces the one that was stopped, though others have not been watched for longer
        assert client.get("/healthz").json()["status"] == "ok"
        assert process.poll() is None
        for link in rude[3:]:
            link.close()


def test_it_ends_gracefully_while_events_are_watched():
    with serving() as (address, process), httpx.Client(base_url=address, timeout=30) as client:
        name = begin(client)
        client.post(f"/api/training/{name}/play")
        with client.stream("GET", f"/api/training/{name}/events") as answer:
            lines = answer.iter_lines()
            next(lines)
            process.send_signal(signal.SIGTERM)
            for _ in lines:  # to its end, without an error
                pass
        assert process.wait(15) in (0, -signal.SIGTERM)


@pytest.mark.parametrize(("body", "status"), [("slow", 408), ("endless", 413)])
def test_bodies_that_do_not_end(monkeypatch, body, status):
    monkeypatch.setattr(guard, "_PATIENCE", 0.2)
    monkeypatch.setattr(guard, "_LARGEST_BODY", 5_000_000)
    app = create_app({"two-layer": cr.pretrained("two-layer")})

    async def send():
        for _ in range(100):
            yield b"0" * (100_000 if body == "endless" else 1)
            await asyncio.sleep(0 if body == "endless" else 0.05)

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.post("/api/predict", content=send(), headers={"Content-Type": "application/json"})

    with ThreadPoolExecutor(1) as pool:  # a thread without an event loop
        answer = pool.submit(asyncio.run, ask()).result()
    assert answer.status_code == status
    assert "error" in answer.json()
