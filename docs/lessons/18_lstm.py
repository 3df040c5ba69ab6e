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
# # 18. LSTM's gates
#
# In a recurrent layer, the memory is squeezed through Wh and tanh at every step, and so is its gradient. The **LSTM** (Hochreiter
# and Schmidhuber 1997) adds a second line beside the state: the **cell** c, which is only multiplied by a number and added to.
#
# ```
# f = sigmoid(...)   forget gate: how much of the old cell is kept
# i = sigmoid(...)   input gate:  how much of the candidate goes in
# o = sigmoid(...)   output gate: how much of the cell is shown
# g = tanh(...)      the candidate
#
# c_next = f c_prev + i g
# h_next = o tanh(c_next)
# ```
#
# Each `...` is a separate Affine of x and h_prev: `x · Wx + h_prev · Wh + b`. All four are computed in one product, with four times
# as many columns, in the order f, g, i, o.

# %%
import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


f, i, o, g, c_prev = 0.9, 0.2, 0.7, 0.5, 2.0
c_next = f * c_prev + i * g
print("cell", c_prev, "->", round(c_next, 3))
print("shown", round(o * np.tanh(c_next), 3))

# %% [markdown]
# Along the cell, backward is `dc_prev = dc_next f`: no matrix, no tanh. With an open forget gate, a gradient passes back through a
# hundred steps almost unchanged. That of the plain recurrent layer has vanished by then:

# %%
print("a factor of 0.99 a step (forget gate open) leaves", round(0.99**100, 3))
print("a factor of 0.6 a step (tanh and a small Wh)  leaves", 0.6**100)

# %%
import matplotlib.pyplot as plt

from chainrule.scratch.time_layers import TimeLSTM, TimeRNN

np.random.seed(1)
N, T, D, H = 8, 40, 5, 20
xs = np.random.randn(N, T, D)
dhs = np.zeros((N, T, H))
dhs[:, -1] = np.random.randn(N, H)
for kind, gates in ((TimeRNN, 1), (TimeLSTM, 4)):
    b = np.zeros(gates * H)
    if gates == 4:
        b[:H] = 4  # the forget gate begins open
    layer = kind(np.random.randn(D, gates * H) / D**0.5, 0.5 * np.random.randn(H, gates * H) / H**0.5, b)
    layer.forward(xs)
    sizes = np.linalg.norm(layer.backward(dhs), axis=(0, 2))
    plt.semilogy(sizes, label=kind.__name__)
    print(f"{kind.__name__}: the first input's gradient is {sizes[0] / sizes[-1]:.1e} of the last's")
plt.legend()
plt.xlabel("step")
plt.ylabel("size of the gradient of the input")
plt.show()

# %% [markdown]
# Backward of one step, in reverse order of forward:
#
# ```
# h_next = o tanh(c_next)      do = dh_next tanh(c_next)
#                              dc = dc_next + dh_next o (1 - tanh(c_next)²)     (the cell is used twice)
# c_next = f c_prev + i g      df = dc c_prev    di = dc g    dg = dc i    dc_prev = dc f
# gates                        times f (1 - f), i (1 - i), o (1 - o), and (1 - g²)
# ```
#
# Put side by side again they form `da`, and the rest is the backward of an Affine layer.
#
# ## Exercise
#
# Write `backward`: set `self.dWx`, `self.dWh`, `self.db`, and return `dx`, `dh_prev`, `dc_prev`. `np.hstack` puts the four side by side.


# %% exercise="lstm"
class LSTM:
    def __init__(self, Wx, Wh, b):
        self.Wx, self.Wh, self.b = Wx, Wh, b
        self.dWx = self.dWh = self.db = None

    def forward(self, x, h_prev, c_prev):
        f, g, i, o = np.split(x @ self.Wx + h_prev @ self.Wh + self.b, 4, axis=1)
        self.f, self.g, self.i, self.o = 1 / (1 + np.exp(-f)), np.tanh(g), 1 / (1 + np.exp(-i)), 1 / (1 + np.exp(-o))
        self.x, self.h_prev, self.c_prev = x, h_prev, c_prev
        self.c_next = self.f * c_prev + self.i * self.g
        return self.o * np.tanh(self.c_next), self.c_next

    def backward(self, dh_next, dc_next):
        pass  # your lines


# %%
from chainrule.lessons import check

check("lstm", LSTM)
