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
# # 13. Batch normalization
#
# Instead of hoping that the spread stays right, **make** it right (Ioffe and Szegedy 2015): each feature of a batch gets mean 0
# and variance 1, then a scale γ and a shift β that are learned.
#
# ```
# mean = Σ x / N      xc = x - mean      std = √(Σ xc² / N + ε)      xn = xc / std      out = γ xn + β
# ```

# %%
import numpy as np

from chainrule.scratch.dataset.mnist import load_mnist
from chainrule.scratch.multi_layer_net_extend import MultiLayerNetExtend
from chainrule.scratch.optimizer import SGD

(x_train, t_train), _ = load_mnist()
x_train, t_train = x_train[:1000], t_train[:1000]
curves = {}
for use in (False, True):
    np.random.seed(0)
    net = MultiLayerNetExtend(784, [100] * 5, 10, weight_init_std=0.05, use_batchnorm=use)
    optimizer = SGD(lr=0.01)
    name = "with" if use else "without"
    curves[name] = []
    for step in range(201):
        if step % 20 == 0:
            curves[name].append(net.accuracy(x_train, t_train))
        chosen = np.random.choice(1000, 100)
        optimizer.update(net.params, net.gradient(x_train[chosen], t_train[chosen]))
    print(f"{name:7} batch normalization: accuracy {curves[name][-1]:.2f} after 200 steps")

# %%
import matplotlib.pyplot as plt

for name, curve in curves.items():
    plt.plot(range(0, 201, 20), curve, label=f"{name} batch normalization")
plt.xlabel("step")
plt.ylabel("accuracy")
plt.legend()
plt.show()

# %% [markdown]
# This backward is the hardest of the course, for one reason: **the mean and the std depend on every sample of the batch**.
# Changing one x changes the outputs of all samples. Node by node:
#
# ```
# dβ = Σ dout        dγ = Σ dout xn        dxn = γ dout
#
# xn = xc / std         dxc  = dxn / std
#                       dstd = - Σ dxn xc / std²
# std = √(Σ xc²/N + ε)  dxc += dstd xc / (N std)
# xc = x - mean         dx   = dxc - Σ dxc / N
# ```
#
# Look at the last line: forward subtracts the mean, and so does backward.

# %% [markdown]
# ## Exercise
#
# Write `backward`: set `self.dgamma` and `self.dbeta`, return dx.


# %% exercise="batchnorm"
class BatchNormalization:
    def __init__(self, gamma, beta):
        self.gamma, self.beta = gamma, beta
        self.dgamma = self.dbeta = None

    def forward(self, x):
        self.xc = x - x.mean(axis=0)
        self.std = np.sqrt(np.mean(self.xc**2, axis=0) + 1e-6)
        self.xn = self.xc / self.std
        return self.gamma * self.xn + self.beta

    def backward(self, dout):
        pass  # your lines


# %%
from chainrule.lessons import check

check("batchnorm", BatchNormalization)
