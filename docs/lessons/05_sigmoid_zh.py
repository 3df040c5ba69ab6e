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
# # 5. Sigmoid 层
#
# Sigmoid 把任何数压到 0 到 1 之间：`y = 1 / (1 + exp(-x))`。画成计算图是四个节点，链式法则逐个往回走：
#
# ```
# x ── ×(-1) ── exp ── +1 ── 1/( ) ── y
#
# 1/( )   dy/du = -1/u² = -y²
# +1      原样传递
# exp     乘 exp(-x)
# ×(-1)   乘 -1             合起来：  dy/dx = y² exp(-x)
# ```
#
# 又因为 `exp(-x) = (1 - y) / y`，全部化简为 **`dy/dx = y (1 - y)`**。这一层只需记住自己的输出。

# %%
import numpy as np

x = np.array([-4.0, -1.0, 0.0, 1.0, 4.0])
y = 1 / (1 + np.exp(-x))
print("y      ", np.round(y, 3))
print("y(1-y) ", np.round(y * (1 - y), 3))

# %%
import matplotlib.pyplot as plt

x = np.linspace(-8, 8, 200)
y = 1 / (1 + np.exp(-x))
plt.plot(x, y, label="y")
plt.plot(x, y * (1 - y), label="dy/dx")
plt.grid()
plt.legend()
plt.show()

# %% [markdown]
# 导数最大只有 0.25，两端接近 0。在深的网络里这些因子会连乘：十层之后最多剩下 0.25¹⁰，即百万分之一。这就是**梯度消失**，也是 ReLU
# 取代 Sigmoid 的原因之一。

# %%
print("after ten layers at most", 0.25**10)

# %% [markdown]
# ## 练习
#
# 只用 `self.out` 写出 `backward`。


# %% exercise="sigmoid"
class Sigmoid:
    def forward(self, x):
        self.out = 1 / (1 + np.exp(-x))
        return self.out

    def backward(self, dout):
        pass  # your lines


# %%
from chainrule.lessons import check

check("sigmoid", Sigmoid, language="zh")
