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
# # 14. Dropout
#
# 参数多而样本少的网络会把样本背下来（过拟合）。Dropout（Srivastava 等，2014）在每个训练步随机关掉一部分单元，使谁都不能依赖邻居。
# 测试时全部打开，输出乘以训练时打开的比例。

# %%
import numpy as np

x = np.ones((2, 8))
np.random.seed(0)
mask = np.random.rand(*x.shape) > 0.5
print("training", (x * mask).tolist())
print("test    ", (x * 0.5).tolist())

# %% [markdown]
# 300 个数字，9 万个权重：足够全部背下来。用了 Dropout，背得更慢（看第 100 步的训练精度），而学到的东西对新的数字略微更可靠。
# 这里的收益很小；更大的网络收益更大。

# %%
from chainrule.scratch.dataset.mnist import load_mnist
from chainrule.scratch.multi_layer_net_extend import MultiLayerNetExtend
from chainrule.scratch.optimizer import SGD

(x_train, t_train), (x_test, t_test) = load_mnist()
x_train, t_train = x_train[:300], t_train[:300]
for use in (False, True):
    np.random.seed(0)
    net = MultiLayerNetExtend(784, [100, 100], 10, use_dropout=use, dropout_ration=0.5)
    optimizer = SGD(lr=0.1)
    name = "with" if use else "without"
    for step in range(1, 601):
        chosen = np.random.choice(300, 100)
        optimizer.update(net.params, net.gradient(x_train[chosen], t_train[chosen]))
        if step in (100, 600):
            training, test = net.accuracy(x_train, t_train), net.accuracy(x_test, t_test)
            print(f"{name:7} dropout, step {step}: training {training:.3f}, test {test:.3f}")

# %% [markdown]
# ## 练习
#
# 写出 `backward`。正向时被关掉的单元，对损失没有任何贡献。


# %% exercise="dropout"
class Dropout:
    def __init__(self, ratio=0.5):
        self.ratio = ratio

    def forward(self, x):
        self.mask = np.random.rand(*x.shape) > self.ratio
        return x * self.mask

    def backward(self, dout):
        pass  # your lines


# %%
from chainrule.lessons import check

check("dropout", Dropout, language="zh")
