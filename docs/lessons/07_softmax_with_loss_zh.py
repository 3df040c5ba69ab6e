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
# # 7. Softmax 与损失
#
# 最后一个 Affine 层给出每个类别的得分。Softmax 把得分变成概率，交叉熵衡量这些概率对正确标签 t（one-hot）有多差，取批次的平均：
#
# ```
# y = exp(a) / Σ exp(a)            loss = -1/N Σ t log y
# ```
#
# 反向经过这两步时，一切都抵消了，只剩下“说的”与“真的”之差：
#
# ```
# d loss / da = (y - t) / N
# ```
#
# 这并非偶然：正是为了得到这样的结果才选用交叉熵，就像线性输出选用平方误差一样。

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
# 看梯度的第二行：正确的类别得到负数（得分应当升高），其余的得到正数。每行之和为零：概率只是在类别之间移动。
#
# 别忘了 N。损失是**平均值**，所以每个样本只占梯度的 1/N。漏了它，梯度会随批次变大：对 10 个样本合适的学习率，到 100 个样本就会发散。

# %%
print("sums of the rows", np.round(((y - t) / len(a)).sum(axis=1), 12).tolist())

# %% [markdown]
# ## 练习
#
# 写出 `backward`（t 是 one-hot）。`dout` 为 1：损失是计算图的末端。


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

check("softmax", SoftmaxWithLoss, language="zh")
