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
# # 18. LSTM 的门
#
# 在循环层里，记住的内容每一步都要经过 Wh 和 tanh，梯度也是。**LSTM**（Hochreiter 和 Schmidhuber 1997）在状态旁边另铺一条线：**记忆单元** c，它只被乘一个数、再加上一些东西。
#
# ```
# f = sigmoid(...)   遗忘门：旧的记忆留下多少
# i = sigmoid(...)   输入门：新的内容放进多少
# o = sigmoid(...)   输出门：记忆露出多少
# g = tanh(...)      新的内容
#
# c_next = f c_prev + i g
# h_next = o tanh(c_next)
# ```
#
# 每个 `...` 都是 x 与 h_prev 各自的 Affine：`x · Wx + h_prev · Wh + b`。四个合成一次乘积，列数是四倍，次序为 f、g、i、o。

# %%
import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


f, i, o, g, c_prev = 0.9, 0.2, 0.7, 0.5, 2.0
c_next = f * c_prev + i * g
print("cell", c_prev, "->", round(c_next, 3))
print("shown", round(o * np.tanh(c_next), 3))

# %% [markdown]
# 沿着记忆单元，反向就是 `dc_prev = dc_next f`：没有矩阵，也没有 tanh。遗忘门打开时，梯度走过一百步几乎不变；普通循环层的梯度早已消失：

# %%
print("a factor of 0.99 a step (forget gate open) leaves", round(0.99**100, 3))
print("a factor of 0.6 a step (tanh and a small Wh)  leaves", 0.6**100)

# %%
import matplotlib.pyplot as plt

from chainrule.scratch.time_layers import TimeLSTM, TimeRNN

np.random.seed(1)
N, T, D, H = 8, 40, 5, 20
xs = np.random.randn(N, T, D)
dhs = np.zeros((N, T, H))
dhs[:, -1] = np.random.randn(N, H)
for kind, gates in ((TimeRNN, 1), (TimeLSTM, 4)):
    b = np.zeros(gates * H)
    if gates == 4:
        b[:H] = 4  # the forget gate begins open
    layer = kind(np.random.randn(D, gates * H) / D**0.5, 0.5 * np.random.randn(H, gates * H) / H**0.5, b)
    layer.forward(xs)
    sizes = np.linalg.norm(layer.backward(dhs), axis=(0, 2))
    plt.semilogy(sizes, label=kind.__name__)
    print(f"{kind.__name__}: the first input's gradient is {sizes[0] / sizes[-1]:.1e} of the last's")
plt.legend()
plt.xlabel("step")
plt.ylabel("size of the gradient of the input")
plt.show()

# %% [markdown]
# 一步的反向，次序与前向相反：
#
# ```
# h_next = o tanh(c_next)      do = dh_next tanh(c_next)
#                              dc = dc_next + dh_next o (1 - tanh(c_next)²)     （记忆单元用了两次）
# c_next = f c_prev + i g      df = dc c_prev    di = dc g    dg = dc i    dc_prev = dc f
# 各个门                        乘 f (1 - f)、i (1 - i)、o (1 - o) 和 (1 - g²)
# ```
#
# 四个再并排放好就是 `da`，其余是 Affine 层的反向。
#
# ## 练习
#
# 写出 `backward`：设置 `self.dWx`、`self.dWh`、`self.db`，返回 `dx`、`dh_prev`、`dc_prev`。`np.hstack` 把四个并排放好。


# %% exercise="lstm"
class LSTM:
    def __init__(self, Wx, Wh, b):
        self.Wx, self.Wh, self.b = Wx, Wh, b
        self.dWx = self.dWh = self.db = None

    def forward(self, x, h_prev, c_prev):
        f, g, i, o = np.split(x @ self.Wx + h_prev @ self.Wh + self.b, 4, axis=1)
        self.f, self.g, self.i, self.o = 1 / (1 + np.exp(-f)), np.tanh(g), 1 / (1 + np.exp(-i)), 1 / (1 + np.exp(-o))
        self.x, self.h_prev, self.c_prev = x, h_prev, c_prev
        self.c_next = self.f * c_prev + self.i * self.g
        return self.o * np.tanh(self.c_next), self.c_next

    def backward(self, dh_next, dc_next):
        pass  # your lines


# %%
from chainrule.lessons import check

check("lstm", LSTM, language="zh")
