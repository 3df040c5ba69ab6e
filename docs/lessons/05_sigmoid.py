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
# # 5. The Sigmoid layer
#
# The sigmoid maps any number into 0..1: `y = 1 / (1 + exp(-x))`. As a graph it is four nodes, and the chain rule goes back
# through them one by one:
#
# ```
# x ── ×(-1) ── exp ── +1 ── 1/( ) ── y
#
# 1/( )   dy/du = -1/u² = -y²
# +1      passes on
# exp     times exp(-x)
# ×(-1)   times -1            together:  dy/dx = y² exp(-x)
# ```
#
# and because `exp(-x) = (1 - y) / y`, this simplifies to **`dy/dx = y (1 - y)`**. The layer only needs to remember its output.

# %%
import numpy as np

x = np.array([-4.0, -1.0, 0.0, 1.0, 4.0])
y = 1 / (1 + np.exp(-x))
print("y      ", np.round(y, 3))
print("y(1-y) ", np.round(y * (1 - y), 3))

# %%
import matplotlib.pyplot as plt

x = np.linspace(-8, 8, 200)
y = 1 / (1 + np.exp(-x))
plt.plot(x, y, label="y")
plt.plot(x, y * (1 - y), label="dy/dx")
plt.grid()
plt.legend()
plt.show()

# %% [markdown]
# The derivative is at most 0.25, and near 0 at both ends. In a deep network these factors multiply: ten layers leave at most
# 0.25¹⁰, a millionth. This is the **vanishing gradient**, and one reason why ReLU replaced the sigmoid.

# %%
print("after ten layers at most", 0.25**10)

# %% [markdown]
# ## Exercise
#
# Write `backward` from `self.out` alone.


# %% exercise="sigmoid"
class Sigmoid:
    def forward(self, x):
        self.out = 1 / (1 + np.exp(-x))
        return self.out

    def backward(self, dout):
        pass  # your lines


# %%
from chainrule.lessons import check

check("sigmoid", Sigmoid)
