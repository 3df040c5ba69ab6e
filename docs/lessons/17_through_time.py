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
# # 17. Backpropagation through time
#
# Unrolled over T steps, a recurrent layer is a network of T layers, side by side instead of stacked, that share their weights.
# Differentiating it needs nothing new. Two familiar rules are enough:
#
# * **Gradients of repeated uses add up** (lesson 2). The state h_t is used twice: as the step's output, and as the next step's
#   input. So its gradient is `dhs[:, t] + dh`, where `dh` comes from the next step.
# * **Shared weights get the sum** of the gradients of all steps.
#
# Backward starts at the last step. This is **backpropagation through time** (Werbos 1990).
#
# ```
#         dhs[0]     dhs[1]     dhs[2]
#           |          |          |
#   <- dh - + <- dh -- + <- dh -- +        each + is one step's backward
#           |          |          |
#          dx0        dx1        dx2
# ```

# %%
import numpy as np

from chainrule.scratch.gradient import numerical_gradient
from chainrule.scratch.time_layers import TimeRNN

np.random.seed(0)
N, T, D, H = 2, 4, 3, 4
layer = TimeRNN(np.random.randn(D, H), np.random.randn(H, H), np.zeros(H))
xs, upstream = np.random.randn(N, T, D), np.random.randn(N, T, H)
layer.forward(xs)
layer.backward(upstream)


def loss(_):
    return float(np.sum(layer.forward(xs) * upstream))


for name, array, gradient in zip(["Wx", "Wh", "b"], layer.params, layer.grads, strict=True):
    difference = np.abs(numerical_gradient(loss, array) - gradient).max()
    print(f"d{name}: numerical against backpropagation through time, largest difference {difference:.1e}")

# %% [markdown]
# Both agree, but at a different cost. Numerical differentiation runs forward twice per weight, backpropagation once forward and
# once backward for all weights. Lesson 1 showed this for layers, and it holds for time:

# %%
import time

start = time.perf_counter()
numerical_gradient(loss, layer.params[1])
numerical = time.perf_counter() - start
start = time.perf_counter()
layer.forward(xs)
layer.backward(upstream)
print("numerical, only Wh, is the slower:", numerical > time.perf_counter() - start)
print("forward passes it took:", 2 * layer.params[1].size)

# %% [markdown]
# How far back does a gradient reach? Each step multiplies `dh` by `(1 - h²)` and by `Wh^T`. Over many steps it vanishes or
# explodes, depending on whether Wh is small or large:

# %%
import matplotlib.pyplot as plt

for size in (0.5, 1.0, 2.0):
    dh, norms = np.ones((1, 50)), []
    Wh = np.random.randn(50, 50) * size / np.sqrt(50)
    for _ in range(30):
        dh = dh @ Wh.T
        norms.append(np.linalg.norm(dh))
    plt.semilogy(norms, label=f"Wh of size {size}")
    print(f"size {size}: after 30 steps the gradient is {norms[-1] / norms[0]:.1e} of what it was")
plt.legend()
plt.xlabel("steps back")
plt.show()

# %% [markdown]
# Against explosion, gradients are clipped: if their norm exceeds a limit, all are scaled down by the same factor. Against
# vanishing, the next lesson has a cell. Long texts are cut into chunks; forward continues from the last state, and backward stops
# at the start of the chunk: **truncated** backpropagation through time.
#
# ## Exercise
#
# `RNN`, one step, is given: `layer.backward(dh)` returns dx and dh_prev, and then `layer.grads` are its dWx, dWh and db. Write the
# loop back through time: set `self.dWx`, `self.dWh`, `self.db`, and return `dxs`, with the shape of xs.

# %%
from chainrule.scratch.time_layers import RNN


# %% exercise="through_time"
class ThroughTime:
    def __init__(self, Wx, Wh, b):
        self.Wx, self.Wh, self.b = Wx, Wh, b
        self.dWx = self.dWh = self.db = None

    def forward(self, xs):
        N, T, _ = xs.shape
        h, self.layers, hs = np.zeros((N, len(self.Wh))), [], []
        for t in range(T):
            layer = RNN(self.Wx, self.Wh, self.b)
            h = layer.forward(xs[:, t], h)
            self.layers.append(layer)
            hs.append(h)
        return np.stack(hs, axis=1)

    def backward(self, dhs):
        pass  # your lines


# %%
from chainrule.lessons import check

check("through_time", ThroughTime)
