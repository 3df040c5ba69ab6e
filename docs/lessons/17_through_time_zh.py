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
# # 17. 沿时间反向传播
#
# 把 T 步的循环层展开，就是 T 层的网络，只不过不是上下叠放，而是左右排开，并且共用权重。求导不需要任何新东西，学过的两条规则就够了：
#
# * **用了几次，就把几部分相加**（第 2 课）。状态 h_t 用了两次：既是这一步的输出，又是下一步的输入。所以它的梯度是 `dhs[:, t] + dh`，其中 `dh` 来自后面一步。
# * **共用的权重**得到各步梯度之和。
#
# 从最后一步开始往回走。这就是**沿时间反向传播**（Werbos 1990）。
#
# ```
#         dhs[0]     dhs[1]     dhs[2]
#           |          |          |
#   <- dh - + <- dh -- + <- dh -- +        每个 + 是一步的 backward
#           |          |          |
#          dx0        dx1        dx2
# ```

# %%
import numpy as np

from chainrule.scratch.gradient import numerical_gradient
from chainrule.scratch.time_layers import TimeRNN

np.random.seed(0)
N, T, D, H = 2, 4, 3, 4
layer = TimeRNN(np.random.randn(D, H), np.random.randn(H, H), np.zeros(H))
xs, upstream = np.random.randn(N, T, D), np.random.randn(N, T, H)
layer.forward(xs)
layer.backward(upstream)


def loss(_):
    return float(np.sum(layer.forward(xs) * upstream))


for name, array, gradient in zip(["Wx", "Wh", "b"], layer.params, layer.grads, strict=True):
    difference = np.abs(numerical_gradient(loss, array) - gradient).max()
    print(f"d{name}: numerical against backpropagation through time, largest difference {difference:.1e}")

# %% [markdown]
# 两者一致，代价却不同。数值微分要为每个权重做两次前向；反向传播一次前向、一次反向，就得到全部。前面讲网络层时的要点，对时间也成立：

# %%
import time

start = time.perf_counter()
numerical_gradient(loss, layer.params[1])
numerical = time.perf_counter() - start
start = time.perf_counter()
layer.forward(xs)
layer.backward(upstream)
print("numerical, only Wh, is the slower:", numerical > time.perf_counter() - start)
print("forward passes it took:", 2 * layer.params[1].size)

# %% [markdown]
# 梯度能传回多远？每走一步，`dh` 都要乘 `(1 - h²)`，再乘 `Wh^T`。步数多了，Wh 小就消失，Wh 大就爆炸：

# %%
import matplotlib.pyplot as plt

for size in (0.5, 1.0, 2.0):
    dh, norms = np.ones((1, 50)), []
    Wh = np.random.randn(50, 50) * size / np.sqrt(50)
    for _ in range(30):
        dh = dh @ Wh.T
        norms.append(np.linalg.norm(dh))
    plt.semilogy(norms, label=f"Wh of size {size}")
    print(f"size {size}: after 30 steps the gradient is {norms[-1] / norms[0]:.1e} of what it was")
plt.legend()
plt.xlabel("steps back")
plt.show()

# %% [markdown]
# 防爆炸的办法是裁剪梯度：如果范数超过上限，就把所有梯度按同一比例缩小。防消失，下一课有一种记忆单元。长文本切成一段一段：前向从上一段的状态接着走，反向到段首为止，这叫**截断的**沿时间反向传播。
#
# ## 练习
#
# 一步的 `RNN` 已给出：`layer.backward(dh)` 返回 dx 和 dh_prev，之后 `layer.grads` 就是它的 dWx、dWh 和 db。写出沿时间往回的循环：设置 `self.dWx`、`self.dWh`、`self.db`，返回与 xs 同形状的 `dxs`。

# %%
from chainrule.scratch.time_layers import RNN


# %% exercise="through_time"
class ThroughTime:
    def __init__(self, Wx, Wh, b):
        self.Wx, self.Wh, self.b = Wx, Wh, b
        self.dWx = self.dWh = self.db = None

    def forward(self, xs):
        N, T, _ = xs.shape
        h, self.layers, hs = np.zeros((N, len(self.Wh))), [], []
        for t in range(T):
            layer = RNN(self.Wx, self.Wh, self.b)
            h = layer.forward(xs[:, t], h)
            self.layers.append(layer)
            hs.append(h)
        return np.stack(hs, axis=1)

    def backward(self, dhs):
        pass  # your lines


# %%
from chainrule.lessons import check

check("through_time", ThroughTime, language="zh")
