"""Take three training steps and write the values, or compare two files of them: how an emulated processor is tried.

python step.py OUT.npz | python step.py NATIVE.npz REFERENCE.npz
"""

import sys

import numpy as np

import chainrule as cr
from chainrule import kernels


def write(path: str) -> None:
    """Write the values of two networks after three steps each."""
    rng = np.random.default_rng(0)
    pictures = cr.Sequential(
        *(
            cr.Conv2D(8, 3),
            cr.BatchNorm(),
            cr.ReLU(),
            cr.MaxPool2D(2),
            cr.Flatten(),
            cr.Affine(20),
            cr.GELU(),
            cr.Affine(10),
        )
    ).build((1, 12, 12), seed=0)
    sequences = cr.Sequential(cr.LSTM(8), cr.LayerNorm(), cr.GRU(8), cr.Flatten(), cr.Affine(10)).build((6, 5), seed=0)
    for net in (pictures, sequences):
        loss, optimizer = cr.SoftmaxCrossEntropy(), cr.SGD(learning_rate=0.1, momentum=0.9)
        for _ in range(3):
            x = rng.random((32, *net.input_shape), dtype=np.float32)
            logits, cache = net.forward(x, train=True, rng=rng)
            _, dlogits = loss(logits, rng.integers(0, 10, 32))
            net.backward(dlogits, cache, input_gradient=False)
            optimizer.step(net)
    np.savez(path, pictures=pictures.values, sequences=sequences.values)
    print(f"{kernels.IMPLEMENTATION}: three steps of two networks")


def compare(one: str, other: str) -> None:
    """Exit with an error unless the values agree up to rounding."""
    with np.load(one) as native, np.load(other) as reference:
        for name in reference.files:
            difference = float(np.abs(native[name] - reference[name]).max())
            print(f"{name}: {native[name].size} values, differing by at most {difference:.1e}")
            if not difference < 1e-5:
                sys.exit(f"error: {name}: the compiled kernels do not agree with NumPy's")


if __name__ == "__main__":
    compare(*sys.argv[1:]) if len(sys.argv) > 2 else write(sys.argv[1])
