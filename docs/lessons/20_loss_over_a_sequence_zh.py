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
# # 20. 序列上的损失
#
# 会写的模型每一步都有猜测：得分 xs (N, T, V)，以及应该出现的 ts (N, T)。损失是所有步的交叉熵的平均。句子长短不一，短的用一个**不计入**的标签补齐，这里是 -1：
#
# `loss = - 计入的标签处 log softmax(xs)[t] 之和 / 计入的个数`
#
# 以它为指数的 e 的幂是**困惑度**：模型相当于在多少个同样可能的词里选。

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
# 不计入的不能漏进来。那里的得分随便改，损失不变，梯度为 0：

# %%
other = xs.copy()
other[1, 2:] = 100 * rng.standard_normal((2, 5))
print("the same loss:", layer.forward(other, ts) == layer.forward(xs, ts))
print("gradients of the second sentence, largest at each step:", np.round(np.abs(layer.backward()[1]).max(axis=1), 3))

# %% [markdown]
# 反向还是第 7 课的 softmax 加损失，`(y - one-hot) / 个数`，有两处不同：个数是**计入的**标签数，而不是 N · T；不计入的行是 0。个数弄错，学习率就会随补齐的多少变化：

# %%
counted = int((ts != -1).sum())
print("labels that count", counted, "of", ts.size)
print("with N T in place of it, gradients are", round(counted / ts.size, 2), "of what they should be")

# %% [markdown]
# ## 练习
#
# 写出 `backward`：`dout` 是一个数（1，或上面传来的）。`self.y` (N, T, V) 是概率，`self.t` 和 `self.mask` 是 (N, T)；mask 为假处 `self.t` 是 0。返回与 `self.y` 同形状的 dx。`np.eye(V)[t]` 把标签变成 one-hot。


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

check("sequence_loss", SequenceLoss, language="zh")
