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
# # 6. The Affine layer
#
# Every unit of the next layer sees every number of this one: `out = x W + b`. For a batch of N samples with D inputs and H
# units the shapes are
#
# ```
# x (N, D) · W (D, H) + b (H,) = out (N, H)
# ```
#
# The shapes also determine the backward pass. `dout` is (N, H), and each gradient has the shape of its own array; only one
# product fits:
#
# ```
# dx (N, D) = dout (N, H) · Wᵀ (H, D)
# dW (D, H) = xᵀ (D, N) · dout (N, H)
# db (H,)   = dout summed over the batch
# ```
#
# The bias is added to each of the N rows: it is used N times, so its gradients add up.

# %%
import numpy as np

rng = np.random.default_rng(0)
x, W, b = rng.standard_normal((4, 3)), rng.standard_normal((3, 2)), np.zeros(2)
out = x @ W + b
dout = np.ones_like(out)
print("dx", (dout @ W.T).shape, " dW", (x.T @ dout).shape, " db", dout.sum(axis=0).shape)

# %% [markdown]
# One number of the product, by hand: `out[n, h] = Σ x[n, d] W[d, h]`, so `W[d, h]` affects the outputs of column h, once per
# sample, each time with the factor `x[n, d]`. Its gradient is `Σ x[n, d] dout[n, h]`: row d of xᵀ times column h of dout.

# %%
d, h = 1, 0
by_hand = sum(x[n, d] * dout[n, h] for n in range(4))
print("equal:", np.isclose(by_hand, (x.T @ dout)[d, h]))

# %% [markdown]
# ## Exercise
#
# Write `backward`: set `self.dW` and `self.db`, return dx.


# %% exercise="affine"
class Affine:
    def __init__(self, W, b):
        self.W, self.b = W, b
        self.dW = self.db = None

    def forward(self, x):
        self.x = x
        return np.dot(x, self.W) + self.b

    def backward(self, dout):
        pass  # your lines


# %%
from chainrule.lessons import check

check("affine", Affine)
