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
# # 4. ReLU 层
#
# ReLU（Nair 和 Hinton，2010）让正数通过，把其余的截断：
#
# ```
# 正向         y = x （x > 0 处），其余为 0
# 导数     dy/dx = 1 （x > 0 处），其余为 0
# ```
#
# 它是一排开关。`forward` 用 mask 记下哪些开关是断开的；反向时，同样的开关继续起作用。

# %%
import numpy as np

x = np.array([[1.0, -0.5], [-2.0, 3.0]])
mask = x <= 0
print(mask)
print(np.where(mask, 0, x))

# %% [markdown]
# 从这里起，层处理的是整个数组：批次中的每个样本占一行。注意 `forward` 里的复制：如果直接把零写进 `x`，就会改掉前一层交出来、
# 可能还要用的数据。

# %%
out = x.copy()
out[mask] = 0
print("x is as it was:", x.tolist())

# %% [markdown]
# ## 练习
#
# 写出 `backward`：`dout` 与 `x` 形状相同。


# %% exercise="relu"
class Relu:
    def forward(self, x):
        self.mask = x <= 0
        out = x.copy()
        out[self.mask] = 0
        return out

    def backward(self, dout):
        pass  # your lines


# %%
from chainrule.lessons import check

check("relu", Relu, language="zh")
