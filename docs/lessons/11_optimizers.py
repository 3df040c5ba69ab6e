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
# # 11. Optimizers
#
# The gradient says which way is down. The optimizer decides how far to go. Take a long valley, `f(x, y) = x²/20 + y²`: steep
# across, nearly flat along. Plain gradient descent jumps from side to side; a larger rate would throw it out of the valley, so
# it cannot go faster along the valley either.
#
# ```
# SGD        p ← p - lr g
# Momentum   v ← 0.9 v - lr g,   p ← p + v          a ball that rolls on
# AdaGrad    h ← h + g²,         p ← p - lr g/√h    smaller steps where it was steep
# Adam       both together, with means that forget  (Kingma and Ba 2014)
# ```

# %%
from chainrule.scratch.optimizer import SGD, AdaGrad, Adam, Momentum

paths = {}
for optimizer in (SGD(lr=0.95), Momentum(lr=0.1), AdaGrad(lr=1.5), Adam(lr=0.3)):
    params, path = {"x": -7.0, "y": 2.0}, [(-7.0, 2.0)]
    for _ in range(30):
        optimizer.update(params, {"x": params["x"] / 10, "y": 2 * params["y"]})
        path.append((params["x"], params["y"]))
    sides = sum(one[1] * two[1] < 0 for one, two in zip(path, path[1:]))
    f = params["x"] ** 2 / 20 + params["y"] ** 2
    print(f"{type(optimizer).__name__:9} crosses the valley {sides:2} times, ends at f = {f:.4f}")
    paths[type(optimizer).__name__] = path

# %%
import matplotlib.pyplot as plt
import numpy as np

x, y = np.meshgrid(np.linspace(-8, 8, 80), np.linspace(-3, 3, 60))
figure, places = plt.subplots(2, 2, sharex=True, sharey=True)
for place, (name, path) in zip(places.flat, paths.items()):
    place.contour(x, y, x**2 / 20 + y**2, levels=[0.1, 0.5, 1, 2, 4, 6], colors="lightgray")
    place.plot(*zip(*path), "o-", markersize=3)
    place.set_title(name)
plt.show()

# %% [markdown]
# The same on digits: a deep network, 300 steps each, from the same weights.

# %%
from chainrule.scratch.dataset.mnist import load_mnist
from chainrule.scratch.multi_layer_net import MultiLayerNet

(x_train, t_train), _ = load_mnist()
for optimizer in (SGD(), Momentum(), AdaGrad(), Adam()):
    np.random.seed(0)
    net = MultiLayerNet(784, [100, 100, 100, 100], 10)
    for _ in range(300):
        chosen = np.random.choice(len(x_train), 128)
        optimizer.update(net.params, net.gradient(x_train[chosen], t_train[chosen]))
    print(f"{type(optimizer).__name__:9} loss {net.loss(x_train[:2000], t_train[:2000]):.3f}")

# %% [markdown]
# No optimizer is best for everything; each needs its own learning rate, and that matters more than the name.
#
# ## Exercise
#
# The valley as a layer. Write `backward`, which returns the gradients of x and y.


# %% exercise="valley"
class Valley:
    def forward(self, x, y):
        self.x, self.y = x, y
        return x**2 / 20 + y**2

    def backward(self, dout):
        pass  # your lines


# %%
from chainrule.lessons import check

check("valley", Valley)
