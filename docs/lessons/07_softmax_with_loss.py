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
# # 7. Softmax with loss
#
# The last Affine gives a score for each class. Softmax turns the scores into probabilities, and the cross-entropy says how bad
# these are for the true label t (one-hot), as a mean over the batch:
#
# ```
# y = exp(a) / Σ exp(a)            loss = -1/N Σ t log y
# ```
#
# Going backward through both, everything cancels except the difference between prediction and truth:
#
# ```
# d loss / da = (y - t) / N
# ```
#
# This is no accident: the cross-entropy was chosen to give this result, like the squared error for a linear output.

# %%
import numpy as np

a = np.array([[0.3, 2.9, 4.0], [1.0, 1.0, 1.0]])
t = np.array([[0, 0, 1], [1, 0, 0]])
y = np.exp(a - a.max(axis=1, keepdims=True))  # less the largest: nothing overflows, the result is the same
y /= y.sum(axis=1, keepdims=True)
print("y", np.round(y, 3).tolist())
print("loss", round(float(-(t * np.log(y)).sum() / len(a)), 4))
print("gradient", np.round((y - t) / len(a), 3).tolist())

# %% [markdown]
# Look at the gradient's second row: the true class gets a negative number (its score should rise), the others positive ones.
# Each row adds up to zero: probability only moves from one class to another.
#
# Do not forget the N. The loss is a **mean**, so each sample contributes 1/N to the gradient. Without it the gradient grows with
# the batch, and a learning rate that works for 10 samples diverges with 100.

# %%
print("sums of the rows", np.round(((y - t) / len(a)).sum(axis=1), 12).tolist())

# %% [markdown]
# ## Exercise
#
# Write `backward` (t is one-hot). `dout` is 1: the loss is the end of the graph.


# %% exercise="softmax"
class SoftmaxWithLoss:
    def forward(self, x, t):
        self.t = t
        y = np.exp(x - x.max(axis=1, keepdims=True))
        self.y = y / y.sum(axis=1, keepdims=True)
        return -np.sum(t * np.log(self.y + 1e-7)) / len(x)

    def backward(self, dout=1):
        pass  # your lines


# %%
from chainrule.lessons import check

check("softmax", SoftmaxWithLoss)
