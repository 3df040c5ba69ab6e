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
# # 16. 循环层
#
# 句子是一个词一个词读的，读过的内容要记住。**循环层**有一个状态 h，每一步都由这一步的输入和上一步的状态重新算出：
#
# `h_next = tanh(x · Wx + h_prev · Wh + b)`
#
# x 是 (N, D)，h 是 (N, H)，Wx (D, H)，Wh (H, H)。它就是两个输出相加的 Affine 层，再接一个 tanh。每一步用的都是同样三个数组：一千个词的文本并不比十个词的需要更多权重。

# %%
import numpy as np

rng = np.random.default_rng(0)
N, T, D, H = 2, 5, 3, 4
Wx, Wh, b = rng.standard_normal((D, H)), rng.standard_normal((H, H)), np.zeros(H)
xs = rng.standard_normal((N, T, D))
h = np.zeros((N, H))
for t in range(T):
    h = np.tanh(xs[:, t] @ Wx + h @ Wh + b)
    print("step", t, "state of the first sample", np.round(h[0], 2))

# %% [markdown]
# 最后的状态依赖于每一个输入，包括第一个，也依赖于它们的次序：


# %%
def last_state(xs):
    h = np.zeros((len(xs), H))
    for t in range(xs.shape[1]):
        h = np.tanh(xs[:, t] @ Wx + h @ Wh + b)
    return h


changed = xs.copy()
changed[0, 0] += 0.1
print("another first input moves the last state by", np.abs(last_state(changed) - last_state(xs)).max())
print("read backwards it moves by", np.abs(last_state(xs[:, ::-1]) - last_state(xs)).max())

# %% [markdown]
# 一步的反向传播。先过 tanh：它的导数是 `1 - h_next²`。令 `da = dh_next (1 - h_next²)`，其余就是 Affine 层做的事，做两遍：
#
# ```
# a = x · Wx + h_prev · Wh + b
#
# dWx = x^T · da        dx      = da · Wx^T
# dWh = h_prev^T · da   dh_prev = da · Wh^T        db = da 在批次上求和
# ```
#
# `dx` 传给下面的层，`dh_prev` 传回上一步。用普通的数，与数值导数并排：

# %%
x, h_prev, wx, wh = 0.5, -0.3, 1.2, 0.8
h_next = np.tanh(x * wx + h_prev * wh)
step = 1e-4
by_rule = (1 - h_next**2) * wh
by_numbers = (np.tanh(x * wx + (h_prev + step) * wh) - np.tanh(x * wx + (h_prev - step) * wh)) / (2 * step)
print("dh_next/dh_prev by the chain rule", by_rule)
print("dh_next/dh_prev by differences   ", by_numbers)

# %% [markdown]
# ## 练习
#
# 写出 `backward`：设置 `self.dWx`、`self.dWh` 和 `self.db`，返回 `dx` 和 `dh_prev`。


# %% exercise="rnn"
class RNN:
    def __init__(self, Wx, Wh, b):
        self.Wx, self.Wh, self.b = Wx, Wh, b
        self.dWx = self.dWh = self.db = None

    def forward(self, x, h_prev):
        self.x, self.h_prev = x, h_prev
        self.h_next = np.tanh(x @ self.Wx + h_prev @ self.Wh + self.b)
        return self.h_next

    def backward(self, dh_next):
        pass  # your lines


# %%
from chainrule.lessons import check

check("rnn", RNN, language="zh")
