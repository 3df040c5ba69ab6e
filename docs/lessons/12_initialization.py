# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 12. How weights begin
#
# With all zeros, every unit of a layer computes the same, gets the same gradient, and stays the same forever. So weights start
# random. How large should they be? Send data through five layers and look at what arrives.

# %%
import numpy as np


def outputs(activation, scale):
    np.random.seed(0)
    layers = [np.random.randn(1000, 100)]
    for _ in range(5):
        layers.append(activation(layers[-1] @ (scale * np.random.randn(100, 100))))
    return layers[1:]


def relu(x):
    return np.maximum(x, 0)


starts = {
    "tanh, 1": (np.tanh, 1.0),
    "tanh, 0.01": (np.tanh, 0.01),
    "tanh, Xavier": (np.tanh, np.sqrt(1 / 100)),
    "ReLU, Xavier": (relu, np.sqrt(1 / 100)),
    "ReLU, He": (relu, np.sqrt(2 / 100)),
}
for name, start in starts.items():
    spread = [round(float(layer.std()), 3) for layer in outputs(*start)]
    print(f"{name:13} standard deviation layer by layer: {spread}")

# %%
import matplotlib.pyplot as plt

figure, places = plt.subplots(len(starts), 5, figsize=(8, 7), layout="constrained")
for row, (name, start) in zip(places, starts.items()):
    for place, layer in zip(row, outputs(*start)):
        place.hist(layer.ravel(), 40, range=(-1, 1) if start[0] is np.tanh else (0, 3))
        place.set_yticks([])
    row[0].set_ylabel(name)
plt.show()

# %% [markdown]
# * Too large, and tanh saturates at -1 and 1, where its derivative is 0.
# * Too small, and everything shrinks to 0: the activations forward, and the gradients backward.
# * **Xavier** (Glorot and Bengio 2010): `1/√n` for n inputs keeps the spread for tanh and sigmoid.
# * **He** (He et al. 2015): ReLU discards half, so it needs `√(2/n)`.
#
# On digits, 200 steps of the same network:

# %%
from chainrule.scratch.dataset.mnist import load_mnist
from chainrule.scratch.multi_layer_net import MultiLayerNet
from chainrule.scratch.optimizer import SGD

(x_train, t_train), _ = load_mnist()
for name in (0.01, "xavier", "he"):
    np.random.seed(0)
    net, optimizer = MultiLayerNet(784, [100, 100, 100, 100], 10, weight_init_std=name), SGD(lr=0.01)
    for _ in range(200):
        chosen = np.random.choice(len(x_train), 128)
        optimizer.update(net.params, net.gradient(x_train[chosen], t_train[chosen]))
    print(f"{name!s:7} loss {net.loss(x_train[:2000], t_train[:2000]):.3f}")

# %% [markdown]
# ## Exercise
#
# A ReLU unit that never gets a positive number never learns again: it is dead. The leaky ReLU (Maas et al. 2013) multiplies
# negative numbers by 0.01 instead of cutting them off. Write `backward`.


# %% exercise="leaky"
class LeakyRelu:
    def forward(self, x):
        self.mask = x <= 0
        return np.where(self.mask, 0.01 * x, x)

    def backward(self, dout):
        pass  # your lines


# %%
from chainrule.lessons import check

check("leaky", LeakyRelu)
