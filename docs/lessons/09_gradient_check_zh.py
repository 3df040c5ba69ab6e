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
# # 9. 梯度检验
#
# 写错的 `backward` 不会报错。网络甚至还能学习，只是学得差些。所以每个手写的 backward 都要与数值微分比较：它慢，但简单得不会错：
#
# ```
# 对每个数：  (f(x + h) - f(x - h)) / 2h
# ```
#
# 好的检验比看上去难：
#
# * 上游梯度要**随机**：如果全是 1，求和时相互抵消的错误就看不见；
# * 用 **float64**：在 float32 下，两个损失之差大部分是舍入误差；
# * 参数**不能为零**：很多在零处正确的东西，在别处是错的。

# %%
import numpy as np


def numerical_gradient(f, x, h=1e-5):
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        value = x[index]
        x[index] = value + h
        above = f()
        x[index] = value - h
        below = f()
        x[index] = value
        gradient[index] = (above - below) / (2 * h)
    return gradient


# %% [markdown]
# 单独的 Softmax，配一个看似合理的 backward：像 Sigmoid 那样“乘以导数 y (1 - y)”。但 Softmax 的每个输出都依赖于同一行的**每个**输入。
# 上游梯度若是随机的，错误就暴露出来。


# %%
def softmax(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


rng = np.random.default_rng(0)
x, dout = rng.standard_normal((2, 3)), rng.standard_normal((2, 3))
y = softmax(x)
numerical = numerical_gradient(lambda: np.sum(softmax(x) * dout), x)
wrong = dout * y * (1 - y)
right = y * (dout - np.sum(dout * y, axis=1, keepdims=True))
print("off by", np.abs(wrong - numerical).max().round(3), "and by", f"{np.abs(right - numerical).max():.0e}")

# %% [markdown]
# chainrule 自带的检验逐个数组地告诉你两者相差多少。1e-9 的误差是舍入；1e-2 就是写错了。

# %%
import chainrule as cr

print(cr.gradcheck(cr.Sequential(cr.Affine(4), cr.Tanh(), cr.Affine(2)), shape=(3,), seed=0))

# %% [markdown]
# ## 练习
#
# 这个 backward 是**错的**。找出错误并改正。（`tanh` 的导数是 `1 - tanh²`。）


# %% exercise="tanh"
class Tanh:
    def forward(self, x):
        self.out = np.tanh(x)
        return self.out

    def backward(self, dout):
        return dout * (1 - self.out)  # your lines


# %%
from chainrule.lessons import check

check("tanh", Tanh, language="zh")
