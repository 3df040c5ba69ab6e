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
# # 10. 数值微分与反向传播
#
# 两者给出同样的梯度。数值微分**每个参数要做两次正向计算**；反向传播对所有参数一共只要一次正向、一次反向。差多少呢？

# %%
import time

import numpy as np

import chainrule as cr
from chainrule.scratch.dataset.mnist import load_mnist

(x_train, t_train), _ = load_mnist(one_hot_label=True)
x, t = x_train[:3], t_train[:3]
net = cr.TwoLayerNet(input_size=784, hidden_size=5, output_size=10, seed=0)
started = time.perf_counter()
numerical = net.numerical_gradient(x, t)
slow = time.perf_counter() - started
started = time.perf_counter()
backprop = net.gradient(x, t)
fast = time.perf_counter() - started
for key in backprop:
    print(key, "mean difference", f"{np.abs(backprop[key] - numerical[key]).mean():.0e}")

# %% [markdown]
# 这个小网络有 3,985 个参数，所以是 7,970 次正向计算对一来一回。课程里有 50 个隐藏单元的网络有 39,760 个参数：用数值微分走一步，
# 够反向传播完成整个训练。

# %%
parameters = sum(value.size for value in net.params.values())
print(parameters, "parameters:", 2 * parameters, "forward passes against one pass each way")
print("faster by a factor of more than a hundred:", slow > 100 * fast)

# %% [markdown]
# 所以：**训练用反向传播，检验用数值微分**，在长时间训练之前，用一个小批次检验一次。
#
# ## 练习
#
# 把批次的平方误差 `1/N Σ ½ (y - t)²` 写成层。写出 `backward`：对 y 的梯度。


# %% exercise="squared"
class SquaredError:
    def forward(self, y, t):
        self.y, self.t = y, t
        return 0.5 * np.sum((y - t) ** 2) / len(y)

    def backward(self, dout=1):
        pass  # your lines


# %%
from chainrule.lessons import check

check("squared", SquaredError, language="zh")
