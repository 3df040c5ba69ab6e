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
# # 13. 批归一化
#
# 与其指望分布保持合适，不如**让**它合适（Ioffe 和 Szegedy，2015）：批次中的每个特征变为均值 0、方差 1，再乘上可学习的 γ，加上可学习的 β。
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
# 它的 backward 是这门课最难的一个，原因只有一个：**均值和标准差依赖于批次中的每个样本**。动一个 x，所有的输出都跟着动。逐个节点来看：
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
# 最后一行值得一看：正向时减去了均值，反向时也减去均值。

# %% [markdown]
# ## 练习
#
# 写出 `backward`：给 `self.dgamma` 和 `self.dbeta` 赋值，返回 dx。


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

check("batchnorm", BatchNormalization, language="zh")
