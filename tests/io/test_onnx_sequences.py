"""Recurrences as ONNX has them, steps first, and attention spelled out: read as layers, or told in one line."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ModelFileError
from chainrule.io.onnx_export import to_onnx
from chainrule.io.onnx_import import from_onnx
from onnx_made import imported_equal, model, node

STEPS, FEATURES, SIZE = 6, 4, 3
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
STATES = {"RNN": ("h",), "GRU": ("h",), "LSTM": ("h", "c")}
RNG = np.random.default_rng


def weights(kind: str, ways: int, features: int = FEATURES, name: str = "") -> dict[str, np.ndarray]:
    rng, rows = RNG(3), GATES[kind] * SIZE
    shapes = {"W": (ways, rows, features), "R": (ways, rows, SIZE), "B": (ways, 2 * rows)}
    return {part + name: 0.5 * rng.standard_normal(shape) for part, shape in shapes.items()}


def begins(ways: int) -> list:
    """First states of zeros for whatever batch x (N, T, D) has, as exporters make them: "zeros"."""
    return [
        node("Shape", ["x"], ["lengths"]),
        node("Gather", ["lengths", "i_zero"], ["batch"], axis=0),
        node("Concat", ["i_ways", "batch", "i_size"], ["form"], axis=0),
        node("ConstantOfShape", ["form"], ["zeros"]),
    ]


def numbers(ways: int) -> dict[str, list[int]]:
    return {"i_zero": [0], "i_ways": [ways], "i_size": [SIZE], "i_one": [1], "i_joined": [0, 0, -1]}


def recurrence(kind: str, ways: int = 1, name: str = "", **attributes: object) -> object:
    options = {"linear_before_reset": 1} if kind == "GRU" else {}
    options |= {"direction": "bidirectional"} if ways == 2 else {}
    first = ["zeros"] * len(STATES[kind])
    outputs = [f"{out}{name}" for out in ("Y", "Y_h", "Y_c")][: 1 + len(first)]
    inputs = [f"X{name}", *(part + name for part in "WRB"), "", *first]
    return node(kind, inputs, outputs, hidden_size=SIZE, **(options | attributes))


FIRST = node("Transpose", ["x"], ["X"], perm=[1, 0, 2])
X = RNG(0).standard_normal((5, STEPS, FEATURES)).astype(np.float32)


@pytest.mark.parametrize("kind", GATES)
def test_all_states_of_one_way(kind):
    nodes = [
        *begins(1),
        FIRST,
        recurrence(kind),
        node("Squeeze", ["Y", "i_one"], ["y1"]),
        node("Transpose", ["y1"], ["y"], perm=[1, 0, 2]),
    ]
    layers = imported_equal(model(nodes, weights(kind, 1) | numbers(1), (STEPS, FEATURES)), X)
    assert [repr(layer) for layer in layers] == [f"{kind}({SIZE})"]


@pytest.mark.parametrize("kind", GATES)
def test_two_layers_of_both_ways(kind):
    nodes = [*begins(2), FIRST]
    for level, x in enumerate(("X", "X1")):
        nodes += [
            *([node("Identity", ["X1 before"], ["X1"])] if level else []),
            recurrence(kind, 2, "1" if level else ""),
            node("Transpose", ["Y1" if level else "Y"], [f"{x} turned"], perm=[0, 2, 1, 3]),
            node("Reshape", [f"{x} turned", "i_joined"], ["out" if level else "X1 before"]),
        ]
    nodes.append(node("Transpose", ["out"], ["y"], perm=[1, 0, 2]))
    arrays = weights(kind, 2) | weights(kind, 2, 2 * SIZE, "1") | numbers(2)
    layers = imported_equal(model(nodes, arrays, (STEPS, FEATURES)), X)
    assert [repr(layer) for layer in layers] == [f"{kind}({SIZE}, bidirectional=True)"] * 2


@pytest.mark.parametrize("kind", GATES)
def test_the_last_state_of_the_upper_of_two_layers(kind):
    nodes = [
        *begins(1),
        FIRST,
        recurrence(kind),
        node("Squeeze", ["Y", "i_one"], ["X1"]),
        recurrence(kind, name="1"),
        node("Concat", ["Y_h", "Y_h1"], ["h_n"], axis=0),
        node("Gather", ["h_n", "i_last"], ["y"], axis=0),
    ]
    arrays = weights(kind, 1) | weights(kind, 1, SIZE, "1") | numbers(1) | {"i_last": -1}
    layers = imported_equal(model(nodes, arrays, (STEPS, FEATURES)), X)
    assert [type(layer).__name__ for layer in layers] == [kind, kind, "Slice", "Flatten"]


@pytest.mark.parametrize("as_whole", [True, False])
def test_the_last_states_of_both_ways(as_whole):
    nodes = [*begins(2), FIRST, recurrence("LSTM", 2)]
    if as_whole:
        nodes += [
            node("Transpose", ["Y_h"], ["turned"], perm=[1, 0, 2]),
            node("Reshape", ["turned", "i_flat"], ["y"]),
        ]
    else:
        nodes += [
            node("Gather", ["Y_h", "i_back"], ["back"], axis=0),
            node("Gather", ["Y_h", "i_forth"], ["forth"], axis=0),
            node("Concat", ["back", "forth"], ["y"], axis=1),
        ]
    arrays = weights("LSTM", 2) | numbers(2) | {"i_flat": [-1, 2 * SIZE], "i_back": -1, "i_forth": 0}
    imported_equal(model(nodes, arrays, (STEPS, FEATURES)), X)


def test_a_graph_without_first_states_or_biases():
    nodes = [
        FIRST,
        node("LSTM", ["X", "W", "R"], ["", "Y_h"], hidden_size=SIZE),
        node("Squeeze", ["Y_h", "i_zero"], ["y"]),
    ]
    imported_equal(model(nodes, weights("LSTM", 1) | numbers(1), (STEPS, FEATURES)), X)


@pytest.mark.parametrize(
    ("kind", "attributes", "told"),
    [
        ("RNN", {"activations": ["Relu"]}, "its RNN has activations = relu"),
        ("LSTM", {"direction": "reverse"}, "its LSTM has direction = reverse"),
        ("LSTM", {"clip": 3.0}, "its LSTM has a clip"),
        ("GRU", {"linear_before_reset": 0}, "its GRU has linear_before_reset = 0"),
    ],
)
def test_what_no_layer_does_is_told(kind, attributes, told):
    nodes = [*begins(1), FIRST, recurrence(kind, **attributes), node("Squeeze", ["Y", "i_one"], ["y1"])]
    nodes.append(node("Transpose", ["y1"], ["y"], perm=[1, 0, 2]))
    with pytest.raises(ModelFileError, match=f"{told}, which no layer supports"):
        from_onnx(model(nodes, weights(kind, 1) | numbers(1), (STEPS, FEATURES)))


@pytest.mark.parametrize(
    ("nodes", "told"),
    [
        ([FIRST, recurrence("LSTM"), node("Squeeze", ["Y_c", "i_zero"], ["y"])], r"operators LSTM \(output 3\)"),
        ([FIRST, recurrence("GRU"), node("Squeeze", ["Y", "i_one"], ["y"])], "an output with the steps first"),
        ([node("Identity", ["x"], ["X"]), recurrence("GRU"), node("Relu", ["Y"], ["y"])], "a batch that does not come"),
        ([FIRST, recurrence("RNN"), node("Relu", ["Y"], ["y"])], "operators Relu of values with the steps first"),
    ],
)
def test_what_is_used_otherwise_is_told(nodes, told):
    kind = next(one.op_type for one in nodes if one.op_type in GATES)
    with pytest.raises(ModelFileError, match=told):
        from_onnx(model([*begins(1), *nodes], weights(kind, 1) | numbers(1), (STEPS, FEATURES)))


@pytest.mark.parametrize("first", [np.ones((1, 1, SIZE)), np.full((1, 1, SIZE), np.nan)])
def test_first_states_that_are_not_zeros_are_told(first):
    nodes = [FIRST, node("GRU", ["X", "W", "R", "B", "", "h"], ["Y"], hidden_size=SIZE, linear_before_reset=1)]
    nodes += [node("Squeeze", ["Y", "i_one"], ["y1"]), node("Transpose", ["y1"], ["y"], perm=[1, 0, 2])]
    with pytest.raises(ModelFileError, match="GRU with first states that are not zeros"):
        from_onnx(model(nodes, weights("GRU", 1) | numbers(1) | {"h": first}, (STEPS, FEATURES)))


def test_weights_that_do_not_fit_are_told():
    arrays = weights("LSTM", 1) | numbers(1)
    arrays["R"] = arrays["R"][:, :, :2]
    nodes = [*begins(1), FIRST, recurrence("LSTM"), node("Squeeze", ["Y_h", "i_zero"], ["y"])]
    with pytest.raises(ModelFileError, match="do not fit"):
        from_onnx(model(nodes, arrays, (STEPS, FEATURES)))


def test_a_network_that_writes_comes_back_and_runs_at_any_length():
    net = cr.pretrained("char-gpt")
    back = from_onnx(to_onnx(net))
    x = RNG(0).integers(0, 65, (2, 128))
    np.testing.assert_allclose(back(x), net(x), atol=1e-4)
    assert sum(isinstance(layer, cr.Attention) for layer in back._tree()) == 4
    assert isinstance(back.layers[1], cr.Positions)
    short, _, _ = back.run(x[:, :9])
    np.testing.assert_allclose(short, net.run(x[:, :9])[0], atol=1e-4)
    assert back.trace(x[:, :9], x[:, 1:10]).loss == pytest.approx(net.trace(x[:, :9], x[:, 1:10]).loss, rel=1e-4)


@pytest.mark.parametrize(
    ("mask", "scale", "told"),
    [
        (np.where(np.eye(STEPS), 0, -np.inf), 1 / np.sqrt(2), None),  # each step sees itself alone
        (np.where(np.tri(STEPS), 0, -np.inf), 1.0, None),  # not by the root of a head's features
        (np.where(np.tri(STEPS), 0, -1e9), 1 / np.sqrt(2), "Attention(2, causal=True)"),
        (np.zeros((1, 1, STEPS, STEPS)), 1 / np.sqrt(2), "Attention(2)"),
    ],
)
def test_attention_is_read_where_it_is_that_and_nothing_else(mask, scale, told):
    rng = RNG(1)
    arrays = {name: rng.standard_normal((FEATURES, FEATURES)) for name in ("Wq", "Wk", "Wv", "Wo")}
    arrays |= {"bq": rng.standard_normal(FEATURES), "i_cut": [-1, STEPS, 2, 2], "i_back": [-1, STEPS, FEATURES]}
    arrays |= {"mask": mask, "scale": scale}
    nodes = []
    for name, order in (("q", [0, 2, 1, 3]), ("k", [0, 2, 3, 1]), ("v", [0, 2, 1, 3])):
        nodes += [
            node("MatMul", ["x", f"W{name}"], [f"{name}1"]),
            *([node("Add", ["bq", "q1"], ["q2"])] if name == "q" else []),
            node("Reshape", ["q2" if name == "q" else f"{name}1", "i_cut"], [f"{name}3"]),
            node("Transpose", [f"{name}3"], [name], perm=order),
        ]
    nodes += [
        node("MatMul", ["q", "k"], ["scores"]),
        node("Mul", ["scores", "scale"], ["scaled"]),
        node("Add", ["scaled", "mask"], ["masked"]),
        node("Softmax", ["masked"], ["shares"], axis=-1),
        node("MatMul", ["shares", "v"], ["mixed"]),
        node("Transpose", ["mixed"], ["turned"], perm=[0, 2, 1, 3]),
        node("Reshape", ["turned", "i_back"], ["joined"]),
        node("MatMul", ["joined", "Wo"], ["y"]),
    ]
    made = model(nodes, arrays, (STEPS, FEATURES))
    if told is None:
        with pytest.raises(ModelFileError, match="no layer supports the operators MatMul"):
            from_onnx(made)
    else:
        assert [repr(layer) for layer in imported_equal(made, X)] == [told]
