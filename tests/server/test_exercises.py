"""The exercises' routes: planted bugs, and a weight set to other numbers."""

import base64

import numpy as np
import pytest

import chainrule as cr
from chainrule.numerical import central_difference
from chainrule.server.planted import check_planted, plant
from chainrule.server.problems import ProblemError
from chainrule.server.weight import move_weight, read_values


def unpack(packed) -> np.ndarray:
    return np.frombuffer(base64.b64decode(packed.data), "<f4").reshape(packed.shape)


def network(seed: int = 0) -> cr.Sequential:
    return cr.Sequential(
        cr.Conv2D(3, 3), cr.ReLU(), cr.MaxPool2D(2), cr.Flatten(), cr.Affine(5), cr.ReLU(), cr.Affine(4)
    ).build((2, 6, 6), seed=seed)


SAMPLE = np.random.default_rng(3).normal(size=(2, 6, 6)).astype(np.float32)
BATCH = np.stack([share * SAMPLE.astype(float) for share in (1.0, 0.9, 0.8, 0.7)])


def agree(net, task: int, place: str, array: str) -> bool:
    compared = check_planted("net", net, SAMPLE, 1, task, place, array)
    assert compared, f"{place}.{array}: nothing to compare"
    return all(one.backward == pytest.approx(one.numerical, rel=1e-5, abs=1e-9) for one in compared)


@pytest.mark.parametrize("task", range(8))
def test_a_planted_bug_shows_where_it_is_and_nowhere_above(task):
    net = network()
    found = plant("net", net, SAMPLE, 1, task)
    trace = net.astype("float64").trace(BATCH, np.full(4, 1))
    names = [place.name for place in found.places]
    assert names == [*(row.name for row in trace.rows), "loss"]
    at = names.index(found.place)
    for index, place in enumerate(found.places):
        for array in place.arrays:
            right = agree(net, task, place.name, array)
            if index == at:
                assert right == (array not in ("dx", "dlogits"))  # parameters above the wrong dx are right
            elif index > at:
                assert right
            if right and array in ("dx", "dlogits"):
                true = trace.doutputs if array == "dlogits" else trace[place.name].dx
                np.testing.assert_allclose(unpack(place.gradient), true[0], rtol=1e-5, atol=1e-7)
        if index < at:
            assert not agree(net, task, place.name, "dx")


def test_all_three_bugs_come_up_and_the_same_number_is_the_same_bug():
    net = network()
    before = net.values.copy()
    found = [plant("net", net, SAMPLE, 1, task) for task in range(30)]
    assert {one.bug for one in found} == {"mean", "transpose", "mask"}
    assert found[7] == plant("net", net, SAMPLE, 1, 7)
    assert found[0].loss == pytest.approx(cr.SoftmaxCrossEntropy()(net.astype("float64")(BATCH), np.full(4, 1))[0])
    np.testing.assert_array_equal(net.values, before)
    mean = next(one for one in found if one.bug == "mean")
    doutputs = net.astype("float64").trace(BATCH, np.full(4, 1)).doutputs
    np.testing.assert_allclose(unpack(mean.places[-1].gradient), 4 * doutputs[0], rtol=1e-6)


def test_a_network_of_numbers_has_bugs_and_one_of_texts_has_none():
    net = cr.Sequential(cr.Affine(3), cr.Tanh(), cr.Affine(1)).build((4,), seed=1)
    sample = np.array([1, -2, 0.5, 3], np.float32)
    bugs = {plant("net", net, sample, 2.0, task).bug for task in range(10)}
    assert bugs == {"mean", "transpose"}  # the second W is one column: reshaped and transposed are the same
    with pytest.raises(ProblemError, match="reads a text"):
        plant("char-gpt", cr.pretrained("char-gpt"), np.array([1, 2]), 3, 0)


def test_a_weight_is_set_to_other_numbers():
    net = network()
    told = move_weight("net", net, SAMPLE, 1, "4.Affine.W", (3, 2), [])
    exact = net.astype("float64")
    W, loss = exact.parameters["4.Affine.W"].value, cr.SoftmaxCrossEntropy()
    trace = exact.trace(SAMPLE[np.newaxis].astype(float), np.array([1]))
    assert told.value == W[3, 2]
    assert (told.spots[0].loss, told.spots[0].gradient) == pytest.approx(
        (trace.loss, trace["4.Affine"].gradients["W"][3, 2]), rel=1e-12
    )
    moved = move_weight("net", net, SAMPLE, 1, "4.Affine.W", (3, 2), [0.5, -1e6]).spots
    W[3, 2] = 0.5

    def value() -> float:
        return loss(exact(SAMPLE[np.newaxis].astype(float)), np.array([1]))[0]

    assert moved[0].loss == pytest.approx(value(), rel=1e-12)
    assert moved[0].gradient == pytest.approx(central_difference(value, W, (3, 2)), rel=1e-6)
    assert net.parameters["4.Affine.W"].value[3, 2] == np.float32(told.value)


@pytest.mark.parametrize("text", ["", ",", "1,,2", "nan", "1e999", "2e6", "0x1", "1" + ",1" * 61, "--1", "e", "."])
def test_strange_values_are_refused(text):
    with pytest.raises(ProblemError, match=r"values"):
        read_values(text)


def test_the_routes_bound_what_is_asked(client):
    digit = {"pixels": cr.data.mnist()[1].x[0].tolist()}
    asked = {"model": "two-layer", "label": "3", "task": 1}
    assert client.post("/api/planted", params=asked, json=digit).json()["samples"] == 4
    check = asked | {"place": "4.Affine", "array": "W"}
    assert len(client.post("/api/planted/check", params=check, json=digit).json()) == 6
    for wrong in ({"task": -1}, {"task": 2**40}, {"label": "x"}, {"place": "9.Affine"}, {"array": "V"}):
        answer = client.post("/api/planted/check", params=check | wrong, json=digit)
        assert answer.status_code == 422
        assert "\n" not in answer.json()["error"]
    weight = {"model": "two-layer", "label": "3", "parameter": "4.Affine.W", "index": "5,3"}
    told = client.post("/api/weight", params=weight | {"values": "0,1e-3"}, json=digit).json()
    assert [spot["value"] for spot in told["spots"]] == [0, 1e-3]
    for wrong in ({"index": "50,3"}, {"index": "5"}, {"parameter": "W"}, {"values": "1;2"}, {"values": "nan"},
                  {"values": "1" * 2001}):  # fmt: skip
        answer = client.post("/api/weight", params=weight | wrong, json=digit)
        assert answer.status_code == 422
        assert "\n" not in answer.json()["error"]
