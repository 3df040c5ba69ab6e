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
# # 8. The two-layer network
#
# We have all the bricks. A network is an ordered dict of layers; the gradient takes one forward and one backward pass.
#
# ```
# x ── Affine1 ── Relu1 ── Affine2 ── SoftmaxWithLoss ── loss
# ```

# %%
from collections import OrderedDict

import numpy as np

from chainrule.scratch.dataset.mnist import load_mnist
from chainrule.scratch.layers import Affine, Relu, SoftmaxWithLoss

(x_train, t_train), (x_test, t_test) = load_mnist()
np.random.seed(0)
params = {"W1": 0.01 * np.random.randn(784, 50), "b1": np.zeros(50)}
params |= {"W2": 0.01 * np.random.randn(50, 10), "b2": np.zeros(10)}
layers = OrderedDict()
layers["Affine1"] = Affine(params["W1"], params["b1"])
layers["Relu1"] = Relu()
layers["Affine2"] = Affine(params["W2"], params["b2"])
last = SoftmaxWithLoss()


def predict(x):
    for layer in layers.values():
        x = layer.forward(x)
    return x


# %% [markdown]
# The layers use the very arrays in `params`. So `params["W1"] -= ...` changes what the layer computes with, and nothing has to
# be copied. One step of stochastic gradient descent: a random batch, the loss, backward through the layers in reverse, and a
# small step against the gradient.

# %%
losses = []
for step in range(1001):
    chosen = np.random.choice(len(x_train), 100)
    loss = last.forward(predict(x_train[chosen]), t_train[chosen])
    losses.append(loss)
    dout = last.backward(1)
    for layer in reversed(layers.values()):
        dout = layer.backward(dout)
    for number, name in ((1, "Affine1"), (2, "Affine2")):
        params[f"W{number}"] -= 0.1 * layers[name].dW
        params[f"b{number}"] -= 0.1 * layers[name].db
    if step % 250 == 0:
        accuracy = (predict(x_test).argmax(axis=1) == t_test).mean()
        print(f"step {step:4}: loss {loss:.3f}, test accuracy {accuracy:.3f}")

# %%
import matplotlib.pyplot as plt

plt.plot(losses, linewidth=0.7)
plt.xlabel("step")
plt.ylabel("loss of the batch")
plt.show()

# %% [markdown]
# ## Exercise
#
# A whole network: write `gradient`, which returns the gradient of every parameter under its name. The layers' `backward` methods
# are given; what matters is their order, and which array belongs to which layer.


# %% exercise="network"
class TwoLayerNet:
    def __init__(self, input_size, hidden_size, output_size):
        self.params = {"W1": 0.5 * np.random.randn(input_size, hidden_size), "b1": np.zeros(hidden_size)}
        self.params |= {"W2": 0.5 * np.random.randn(hidden_size, output_size), "b2": np.zeros(output_size)}
        self.affine1 = Affine(self.params["W1"], self.params["b1"])
        self.relu1 = Relu()
        self.affine2 = Affine(self.params["W2"], self.params["b2"])
        self.last = SoftmaxWithLoss()

    def loss(self, x, t):
        return self.last.forward(self.affine2.forward(self.relu1.forward(self.affine1.forward(x))), t)

    def gradient(self, x, t):
        self.loss(x, t)
        pass  # your lines


# %%
from chainrule.lessons import check

check("network", TwoLayerNet)
