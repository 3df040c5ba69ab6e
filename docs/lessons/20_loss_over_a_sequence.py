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
# # 20. The loss over a sequence
#
# A language model makes a prediction at each step: scores xs (N, T, V), with the right answers ts (N, T). The loss is the mean of
# the cross-entropies of all steps. Sentences differ in length, so shorter ones are padded with a label that is **not counted**,
# here -1:
#
# `loss = - sum of log softmax(xs)[t] over the labels that count / how many they are`
#
# e to the power of the loss is the **perplexity**: the number of equally likely words the model is choosing from.

# %%
import numpy as np

from chainrule.scratch.time_layers import TimeSoftmaxWithLoss

rng = np.random.default_rng(0)
xs = rng.standard_normal((2, 4, 5))
ts = np.array([[1, 0, 3, 2], [4, 2, -1, -1]])
layer = TimeSoftmaxWithLoss()
loss = layer.forward(xs, ts)
print("loss", round(loss, 4), "perplexity", round(np.exp(loss), 3), "of 5")
print("scores that are all alike:", round(np.exp(layer.forward(np.zeros((2, 4, 5)), ts)), 6))

# %% [markdown]
# Padding must not leak. Whatever the scores there, the loss is the same, and their gradient is 0:

# %%
other = xs.copy()
other[1, 2:] = 100 * rng.standard_normal((2, 5))
print("the same loss:", layer.forward(other, ts) == layer.forward(xs, ts))
print("gradients of the second sentence, largest at each step:", np.round(np.abs(layer.backward()[1]).max(axis=1), 3))

# %% [markdown]
# Backward is softmax with loss again (lesson 7), `(y - one-hot) / number`, with two changes: the number is that of the labels
# **that count**, not N · T, and rows that do not count are 0. With the wrong number, the learning rate depends on the padding:

# %%
counted = int((ts != -1).sum())
print("labels that count", counted, "of", ts.size)
print("with N T in place of it, gradients are", round(counted / ts.size, 2), "of what they should be")

# %% [markdown]
# ## Exercise
#
# Write `backward`: `dout` is a number (1, or the upstream gradient). `self.y` (N, T, V) are the probabilities, `self.t` and
# `self.mask` are (N, T); where the mask is False, `self.t` is 0. Return dx with the shape of `self.y`. `np.eye(V)[t]` makes labels
# one-hot.


# %% exercise="sequence_loss"
class SequenceLoss:
    def forward(self, xs, ts):
        e = np.exp(xs - xs.max(axis=2, keepdims=True))
        self.y = e / e.sum(axis=2, keepdims=True)
        self.mask = ts != -1
        self.t = np.where(self.mask, ts, 0)
        p = np.take_along_axis(self.y, self.t[:, :, None], axis=2)[:, :, 0]
        return -np.sum(np.log(p) * self.mask) / self.mask.sum()

    def backward(self, dout=1):
        pass  # your lines


# %%
from chainrule.lessons import check

check("sequence_loss", SequenceLoss)
