"""Weights of a PyTorch state_dict come into a network, paired so that one can see it."""

import numpy as np
import pytest
from safetensors.numpy import save_file

import chainrule as cr
from chainrule.errors import ModelFileError
from chainrule.io import load_weights


def network() -> cr.Sequential:
    layers = [cr.Conv2D(4, 3), cr.BatchNorm(), cr.ReLU(), cr.Flatten(), cr.Affine(6), cr.Tanh()]
    return cr.Sequential(*layers, cr.Affine(6), cr.Affine(2)).build((1, 5, 5), seed=0)


def state(names: tuple[str, ...] = ("0", "1", "4", "6", "10")) -> dict[str, np.ndarray]:
    """As PyTorch keeps it: Linear weights as (outputs, inputs)."""
    rng = np.random.default_rng(1)

    def draw(*shape: int) -> np.ndarray:
        return rng.random(shape, np.float32)

    conv, norm, one, two, three = names
    return {
        f"{conv}.weight": draw(4, 1, 3, 3),
        f"{conv}.bias": draw(4),
        f"{norm}.weight": draw(4),
        f"{norm}.bias": draw(4),
        f"{norm}.running_mean": draw(4),
        f"{norm}.running_var": draw(4),
        f"{norm}.num_batches_tracked": np.array(7),
        f"{one}.weight": draw(6, 36),
        f"{one}.bias": draw(6),
        f"{two}.weight": draw(6, 6),
        f"{two}.bias": draw(6),
        f"{three}.weight": draw(2, 6),
        f"{three}.bias": draw(2),
    }


@pytest.mark.parametrize("names", [("0", "1", "4", "6", "10"), ("conv1", "conv1_norm", "fc1", "fc2", "fc10")])
def test_layers_and_modules_are_paired_in_order(names, tmp_path):
    theirs = state(names)
    save_file(theirs, tmp_path / "model.safetensors")
    net = network()
    pairs = load_weights(net, tmp_path / "model.safetensors")
    assert pairs["0.Conv2D.W"] == f"{names[0]}.weight"
    assert pairs["1.BatchNorm.running_variance"] == f"{names[1]}.running_var"
    assert pairs["6.Affine.W"] == f"{names[3]}.weight"
    np.testing.assert_array_equal(net.arrays["4.Affine.W"], theirs[f"{names[2]}.weight"].T)
    np.testing.assert_array_equal(net.arrays["6.Affine.W"], theirs[f"{names[3]}.weight"].T)  # square: turned as well
    np.testing.assert_array_equal(net.arrays["1.BatchNorm.gamma"], theirs[f"{names[1]}.weight"])
    again = network()
    assert load_weights(again, tmp_path / "model.safetensors", mapping=pairs) == pairs
    np.testing.assert_array_equal(again.values, net.values)


def test_what_does_not_fit_changes_nothing(tmp_path):
    path = tmp_path / "model.safetensors"
    net = network()
    before = net.values.copy()
    theirs = state()
    save_file(theirs | {"10.weight": np.zeros((3, 6), np.float32)}, path)
    with pytest.raises(ModelFileError, match=r"nothing in .* fits 7.Affine \(7.Affine.W \(6, 2\).*left are: 10.bias"):
        load_weights(net, path)
    save_file(theirs | {"12.weight": np.zeros((3, 6), np.float32)}, path)
    with pytest.raises(ModelFileError, match="has 12.weight as well"):
        load_weights(net, path)
    save_file(theirs, path)
    pairs = load_weights(network(), path)
    with pytest.raises(ModelFileError, match="the mapping names 'zzz', which is not there"):
        load_weights(net, path, mapping=pairs | {"0.Conv2D.b": "zzz"})
    with pytest.raises(ModelFileError, match=r"does not fit 0.Conv2D.b of \(4,\)"):
        load_weights(net, path, mapping=pairs | {"0.Conv2D.b": "10.bias"})
    with pytest.raises(ModelFileError, match="has nothing for 0.Conv2D.W"):
        load_weights(net, path, mapping={"0.Conv2D.b": "0.bias"})
    np.testing.assert_array_equal(net.values, before)
