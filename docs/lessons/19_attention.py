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
# # 19. Attention
#
# To translate a sentence, an encoder reads it and a decoder writes. If the decoder only gets the encoder's last state, a whole
# sentence has to fit into one vector. With **attention** (Bahdanau, Cho and Bengio 2014) the decoder looks at all states
# hs (N, T, H) and chooses:
#
# ```
# s = hs · h        how well each state fits the decoder's state h: (N, T), dot products
# a = softmax(s)    weights that add up to 1
# c = sum of a_t hs_t                              the weighted mean: (N, H)
# ```
#
# Choosing one state is not differentiable; taking a little of each is.

# %%
import numpy as np

from chainrule.scratch.functions import softmax

rng = np.random.default_rng(0)
hs = rng.standard_normal((1, 5, 4))
h = 2 * hs[:, 3]  # the decoder asks for what resembles the fourth state
s = (hs * h[:, None]).sum(axis=2)
a = softmax(s)
print("scores ", np.round(s[0], 2))
print("weights", np.round(a[0], 2), "sum", round(float(a.sum()), 6))
print("context", np.round((a[:, :, None] * hs).sum(axis=1)[0], 2))
print("4th    ", np.round(hs[0, 3], 2))

# %% [markdown]
# Backward goes through the three lines in reverse, and every rule is familiar:
#
# * `c = sum of a_t hs_t`: `dhs_t = a_t dc`, `da_t = hs_t · dc` (a dot product).
# * softmax: `ds = a (da - sum of a da)`. Each score also lowers the other weights: that is the sum.
# * `s_t = hs_t · h`: `dhs_t += ds_t h` (hs was used **twice**), `dh = sum of ds_t hs_t`.
#
# Most mistakes are made in the softmax. Compared with numerical differences:

# %%
from chainrule.scratch.gradient import numerical_gradient

s, da = rng.standard_normal(5), rng.standard_normal(5)
a = softmax(s)
print("by the rule   ", np.round(a * (da - np.sum(a * da)), 6))
print("by differences", np.round(numerical_gradient(lambda s: float(np.sum(softmax(s) * da)), s), 6))
print("without the sum", np.round(a * da, 6))

# %% [markdown]
# A picture of the weights shows what the decoder looks at. A decoder that copies looks at one position after another:

# %%
import matplotlib.pyplot as plt

encoder = np.eye(8)[None] * 4
weights = softmax((encoder[:, None] * encoder[:, :, None]).sum(axis=3))
plt.imshow(weights[0])
plt.xlabel("read")
plt.ylabel("written")
plt.show()

# %% [markdown]
# ## Exercise
#
# Write `backward`: return `dhs` and `dh`.


# %% exercise="attention"
class Attention:
    def forward(self, hs, h):
        s = (hs * h[:, None]).sum(axis=2)
        e = np.exp(s - s.max(axis=1, keepdims=True))
        self.hs, self.h, self.a = hs, h, e / e.sum(axis=1, keepdims=True)
        return (self.a[:, :, None] * hs).sum(axis=1)

    def backward(self, dc):
        pass  # your lines


# %%
from chainrule.lessons import check

check("attention", Attention)
