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
# # 4. The ReLU layer
#
# ReLU (Nair and Hinton 2010) lets positive numbers pass and cuts off the rest:
#
# ```
# forward          y = x  where x > 0,   0 elsewhere
# derivative   dy/dx = 1  where x > 0,   0 elsewhere
# ```
#
# It is a switch. `forward` records in a mask where the switch is off; backward uses the same switches.

# %%
import numpy as np

x = np.array([[1.0, -0.5], [-2.0, 3.0]])
mask = x <= 0
print(mask)
print(np.where(mask, 0, x))

# %% [markdown]
# From here on layers work on whole arrays: one row per sample of the batch. Note the copy in `forward`: writing zeros into `x`
# itself would change the output of the previous layer, which that layer may still need.

# %%
out = x.copy()
out[mask] = 0
print("x is as it was:", x.tolist())

# %% [markdown]
# ## Exercise
#
# Write `backward`: `dout` has the shape of `x`.


# %% exercise="relu"
class Relu:
    def forward(self, x):
        self.mask = x <= 0
        out = x.copy()
        out[self.mask] = 0
        return out

    def backward(self, dout):
        pass  # your lines


# %%
from chainrule.lessons import check

check("relu", Relu)
