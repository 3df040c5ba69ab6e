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
# # 16. A recurrent layer
#
# We read a sentence word by word and remember what we have read. A **recurrent layer** has a state h that each step computes from
# the step's input and the previous state:
#
# `h_next = tanh(x · Wx + h_prev · Wh + b)`
#
# x is (N, D), h is (N, H), Wx (D, H), Wh (H, H). It is the sum of two Affine layers, and a tanh. Every step uses the same three
# arrays: a text of a thousand words needs no more weights than one of ten.

# %%
import numpy as np

rng = np.random.default_rng(0)
N, T, D, H = 2, 5, 3, 4
Wx, Wh, b = rng.standard_normal((D, H)), rng.standard_normal((H, H)), np.zeros(H)
xs = rng.standard_normal((N, T, D))
h = np.zeros((N, H))
for t in range(T):
    h = np.tanh(xs[:, t] @ Wx + h @ Wh + b)
    print("step", t, "state of the first sample", np.round(h[0], 2))

# %% [markdown]
# The final state depends on every input, including the first, and on their order:


# %%
def last_state(xs):
    h = np.zeros((len(xs), H))
    for t in range(xs.shape[1]):
        h = np.tanh(xs[:, t] @ Wx + h @ Wh + b)
    return h


changed = xs.copy()
changed[0, 0] += 0.1
print("another first input moves the last state by", np.abs(last_state(changed) - last_state(xs)).max())
print("read backwards it moves by", np.abs(last_state(xs[:, ::-1]) - last_state(xs)).max())

# %% [markdown]
# Backward of one step: tanh first, with the derivative `1 - h_next²`. With `da = dh_next (1 - h_next²)`, the rest is an Affine
# layer, twice:
#
# ```
# a = x · Wx + h_prev · Wh + b
#
# dWx = x^T · da        dx      = da · Wx^T
# dWh = h_prev^T · da   dh_prev = da · Wh^T        db = sum of da over the batch
# ```
#
# `dx` goes down to the layer below, `dh_prev` goes back to the previous step. With plain numbers, next to a numerical derivative:

# %%
x, h_prev, wx, wh = 0.5, -0.3, 1.2, 0.8
h_next = np.tanh(x * wx + h_prev * wh)
step = 1e-4
by_rule = (1 - h_next**2) * wh
by_numbers = (np.tanh(x * wx + (h_prev + step) * wh) - np.tanh(x * wx + (h_prev - step) * wh)) / (2 * step)
print("dh_next/dh_prev by the chain rule", by_rule)
print("dh_next/dh_prev by differences   ", by_numbers)

# %% [markdown]
# ## Exercise
#
# Write `backward`: set `self.dWx`, `self.dWh` and `self.db`, and return `dx` and `dh_prev`.


# %% exercise="rnn"
class RNN:
    def __init__(self, Wx, Wh, b):
        self.Wx, self.Wh, self.b = Wx, Wh, b
        self.dWx = self.dWh = self.db = None

    def forward(self, x, h_prev):
        self.x, self.h_prev = x, h_prev
        self.h_next = np.tanh(x @ self.Wx + h_prev @ self.Wh + self.b)
        return self.h_next

    def backward(self, dh_next):
        pass  # your lines


# %%
from chainrule.lessons import check

check("rnn", RNN)
