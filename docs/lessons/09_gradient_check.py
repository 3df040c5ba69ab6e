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
# # 9. The gradient check
#
# A wrong `backward` raises no error. The network may even learn, just worse. So compare every hand-written backward with
# numerical differentiation, which is slow but too simple to be wrong:
#
# ```
# for each number:  (f(x + h) - f(x - h)) / 2h
# ```
#
# A good check is harder than it looks:
#
# * with a **random** upstream gradient: with ones, errors that cancel in a sum go unnoticed;
# * in **float64**: in float32 the difference of two losses is mostly rounding;
# * at parameters that are **not zero**: many wrong formulas are right at zero.

# %%
import numpy as np


def numerical_gradient(f, x, h=1e-5):
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        value = x[index]
        x[index] = value + h
        above = f()
        x[index] = value - h
        below = f()
        x[index] = value
        gradient[index] = (above - below) / (2 * h)
    return gradient


# %% [markdown]
# Softmax alone, with a backward that looks reasonable: "multiply by the derivative y (1 - y)", as for the sigmoid. But each
# output of softmax depends on **every** input of its row. A random upstream gradient reveals the mistake.


# %%
def softmax(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


rng = np.random.default_rng(0)
x, dout = rng.standard_normal((2, 3)), rng.standard_normal((2, 3))
y = softmax(x)
numerical = numerical_gradient(lambda: np.sum(softmax(x) * dout), x)
wrong = dout * y * (1 - y)
right = y * (dout - np.sum(dout * y, axis=1, keepdims=True))
print("off by", np.abs(wrong - numerical).max().round(3), "and by", f"{np.abs(right - numerical).max():.0e}")

# %% [markdown]
# chainrule's own check says, array by array, how far apart the two are. Errors of 1e-9 are rounding; 1e-2 is a mistake.

# %%
import chainrule as cr

print(cr.gradcheck(cr.Sequential(cr.Affine(4), cr.Tanh(), cr.Affine(2)), shape=(3,), seed=0))

# %% [markdown]
# ## Exercise
#
# This backward is **wrong**. Find the mistake and fix it. (`tanh` has the derivative `1 - tanh²`.)


# %% exercise="tanh"
class Tanh:
    def forward(self, x):
        self.out = np.tanh(x)
        return self.out

    def backward(self, dout):
        return dout * (1 - self.out)  # your lines


# %%
from chainrule.lessons import check

check("tanh", Tanh)
