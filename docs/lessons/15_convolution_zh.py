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
# # 15. 卷积
#
# Affine 层不知道两个像素是相邻的；卷积知道：把一个小滤波器放到图像的每个位置上，每次把乘积加起来。它的权重很少，在一个角落能找到的，
# 在所有角落都能找到。
#
# ```
# 图像 (1, 4, 4)        滤波器 (1, 3, 3)        输出 (2, 2)
# ```
#
# 课程里的技巧 **im2col**：把每个窗口写成矩阵的一行。于是卷积就是矩阵乘积，关于 Affine 层的一切又都成立了。

# %%
import numpy as np

from chainrule.scratch.util import col2im, im2col

x = np.arange(16.0).reshape(1, 1, 4, 4)
col = im2col(x, 3, 3)
print("windows as rows", col.shape)
print(col.astype(int))
W = np.ones((1, 1, 3, 3))
print("output", (col @ W.reshape(1, -1).T).reshape(2, 2).tolist())

# %% [markdown]
# 那么反向就是：`dcol = dout · W`，再用 **col2im** 把每个数加回它来自的像素。中间的像素出现在四个窗口里，所以得到四个梯度，相加：
# 再说一遍，多次使用的就要相加。

# %%
print(col2im(np.ones_like(col), x.shape, 3, 3).astype(int)[0, 0])

# %% [markdown]
# 真正的滤波器：训练好的网络里，它们会找到笔画和边缘。这里用一个找竖直边缘的滤波器，看一个数字：

# %%
from chainrule.scratch.dataset.mnist import load_mnist
from chainrule.scratch.layers import Convolution

_, (x_test, t_test) = load_mnist(flatten=False)
edge = np.array([[[[1.0, 0.0, -1.0]] * 3]])
found = Convolution(edge, np.zeros(1), stride=2).forward(x_test[:1])[0, 0]
print("a", t_test[0])
for row in found:
    print("".join("+" if value > 1 else "-" if value < -1 else " " for value in row).rstrip())

# %% [markdown]
# ## 练习
#
# 写出 `backward`。`dout` 的形状是 (N, FN, OH, OW)；变成 (N · OH · OW, FN) 之后，它就是一个 Affine 层的 `dout`，那一层的输入是
# `self.col`，权重是 `self.col_W`。给 `self.dW`（与 W 同形状）和 `self.db` 赋值，用 `col2im` 返回 dx。


# %% exercise="convolution"
class Convolution:
    def __init__(self, W, b):
        self.W, self.b = W, b
        self.dW = self.db = None

    def forward(self, x):
        FN, _, FH, FW = self.W.shape
        N, _, H, width = x.shape
        self.x = x
        self.col, self.col_W = im2col(x, FH, FW), self.W.reshape(FN, -1).T
        out = self.col @ self.col_W + self.b
        return out.reshape(N, H - FH + 1, width - FW + 1, FN).transpose(0, 3, 1, 2)

    def backward(self, dout):
        pass  # your lines


# %%
from chainrule.lessons import check

check("convolution", Convolution, language="zh")
