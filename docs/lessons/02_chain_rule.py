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
# # 2. The chain rule
#
# A composite function is a function of a function: `z = t²` with `t = x + y`. The **chain rule** says that its derivative is
# the product of the derivatives of its parts:
#
# ```
# dz/dx = dz/dt · dt/dx = 2t · 1 = 2(x + y)
# ```
#
# In the graph this product is built up from the right, node by node:
#
# ```
# x <── 2t·1 ──┐
#              + <── 2t ── ( )² <── 1
# y <── 2t·1 ──┘
# ```

# %%
x, y = 3.0, 4.0
t = x + y
z = t**2
dz = 1.0
dt = dz * 2 * t  # z = t ** 2
dx = dt * 1  # t = x + y
dy = dt * 1
print("z =", z, " dz/dx =", dx, " dz/dy =", dy)

# %% [markdown]
# Is it right? Check it numerically. The **central** difference, `(f(x + h) - f(x - h)) / 2h`, is more accurate than the
# one-sided difference of the previous lesson: its error shrinks with h², not with h.


# %%
def f(x):
    return (x + y) ** 3


exact = 3 * (x + y) ** 2
for h in (1e-1, 1e-2, 1e-3):
    one_sided = (f(x + h) - f(x)) / h
    central = (f(x + h) - f(x - h)) / (2 * h)
    print(f"h = {h}: one-sided off by {abs(one_sided - exact):.1e}, central by {abs(central - exact):.1e}")

# %% [markdown]
# When a number is used in two places, its derivatives from both **add up**: `w = x · x` has `dw/dx = x + x`. Remember this;
# the bias of a layer will need it.

# %%
x = 3.0
first, second = x, x  # the same number in two places
dfirst, dsecond = second, first
print("dw/dx =", dfirst + dsecond)

# %% [markdown]
# ## Exercise
#
# `forward` computes `(x + y)² · y`. Here y is used twice. Write `backward`, which returns the derivatives with respect to x
# and y.


# %% exercise="chain"
class Composite:
    def forward(self, x, y):
        self.t, self.y = x + y, y
        return self.t**2 * y

    def backward(self, dout):
        pass  # your lines


# %%
from chainrule.lessons import check

check("chain", Composite)
