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
# # 10. Numerical differentiation against backpropagation
#
# Both give the same gradient. Numerical differentiation needs **two forward passes for every parameter**; backpropagation needs
# one forward and one backward pass for all parameters together. How big is the difference?

# %%
import time

import numpy as np

import chainrule as cr
from chainrule.scratch.dataset.mnist import load_mnist

(x_train, t_train), _ = load_mnist(one_hot_label=True)
x, t = x_train[:3], t_train[:3]
net = cr.TwoLayerNet(input_size=784, hidden_size=5, output_size=10, seed=0)
started = time.perf_counter()
numerical = net.numerical_gradient(x, t)
slow = time.perf_counter() - started
started = time.perf_counter()
backprop = net.gradient(x, t)
fast = time.perf_counter() - started
for key in backprop:
    print(key, "mean difference", f"{np.abs(backprop[key] - numerical[key]).mean():.0e}")

# %% [markdown]
# This small network has 3,985 parameters: 7,970 forward passes compared with one pass each way. The lesson's network with 50
# hidden units has 39,760: one step by numerical differentiation would take as long as a whole training by backpropagation.

# %%
parameters = sum(value.size for value in net.params.values())
print(parameters, "parameters:", 2 * parameters, "forward passes against one pass each way")
print("faster by a factor of more than a hundred:", slow > 100 * fast)

# %% [markdown]
# So: **backpropagation to train, numerical differentiation to check it**, once, on a small batch, before the long run.
#
# ## Exercise
#
# The squared error of a batch, `1/N Σ ½ (y - t)²`, as a layer. Write `backward`: the gradient with respect to y.


# %% exercise="squared"
class SquaredError:
    def forward(self, y, t):
        self.y, self.t = y, t
        return 0.5 * np.sum((y - t) ** 2) / len(y)

    def backward(self, dout=1):
        pass  # your lines


# %%
from chainrule.lessons import check

check("squared", SquaredError)
