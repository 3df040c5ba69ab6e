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
# # 6. Affine 层
#
# 下一层的每个单元都看到这一层的每个数：`out = x W + b`。对 N 个样本、D 个输入、H 个单元，形状是
#
# ```
# x (N, D) · W (D, H) + b (H,) = out (N, H)
# ```
#
# 形状也指明了回去的路。`dout` 是 (N, H)，每个梯度的形状都与它所属的量相同，而能对得上的乘法只有一种：
#
# ```
# dx (N, D) = dout (N, H) · Wᵀ (H, D)
# dW (D, H) = xᵀ (D, N) · dout (N, H)
# db (H,)   = dout 沿批次求和
# ```
#
# 偏置被加到 N 行的每一行上：用了 N 次，所以它的梯度要相加。

# %%
import numpy as np

rng = np.random.default_rng(0)
x, W, b = rng.standard_normal((4, 3)), rng.standard_normal((3, 2)), np.zeros(2)
out = x @ W + b
dout = np.ones_like(out)
print("dx", (dout @ W.T).shape, " dW", (x.T @ dout).shape, " db", dout.sum(axis=0).shape)

# %% [markdown]
# 用手算一个数：`out[n, h] = Σ x[n, d] W[d, h]`，所以 `W[d, h]` 影响第 h 列的输出，每个样本一次，系数是 `x[n, d]`。它的梯度是
# `Σ x[n, d] dout[n, h]`：xᵀ 的第 d 行乘以 dout 的第 h 列。

# %%
d, h = 1, 0
by_hand = sum(x[n, d] * dout[n, h] for n in range(4))
print("equal:", np.isclose(by_hand, (x.T @ dout)[d, h]))

# %% [markdown]
# ## 练习
#
# 写出 `backward`：给 `self.dW` 和 `self.db` 赋值，返回 dx。


# %% exercise="affine"
class Affine:
    def __init__(self, W, b):
        self.W, self.b = W, b
        self.dW = self.db = None

    def forward(self, x):
        self.x = x
        return np.dot(x, self.W) + self.b

    def backward(self, dout):
        pass  # your lines


# %%
from chainrule.lessons import check

check("affine", Affine, language="zh")
