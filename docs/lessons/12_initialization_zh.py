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
# # 12. 权重的初始值
#
# 全为零：一层里的每个单元算出同样的值，得到同样的梯度，永远一样。所以权重要随机开始。多大呢？让数据经过五层，看看最后到达的是什么。

# %%
import numpy as np


def outputs(activation, scale):
    np.random.seed(0)
    layers = [np.random.randn(1000, 100)]
    for _ in range(5):
        layers.append(activation(layers[-1] @ (scale * np.random.randn(100, 100))))
    return layers[1:]


def relu(x):
    return np.maximum(x, 0)


starts = {
    "tanh, 1": (np.tanh, 1.0),
    "tanh, 0.01": (np.tanh, 0.01),
    "tanh, Xavier": (np.tanh, np.sqrt(1 / 100)),
    "ReLU, Xavier": (relu, np.sqrt(1 / 100)),
    "ReLU, He": (relu, np.sqrt(2 / 100)),
}
for name, start in starts.items():
    spread = [round(float(layer.std()), 3) for layer in outputs(*start)]
    print(f"{name:13} standard deviation layer by layer: {spread}")

# %%
import matplotlib.pyplot as plt

figure, places = plt.subplots(len(starts), 5, figsize=(8, 7), layout="constrained")
for row, (name, start) in zip(places, starts.items()):
    for place, layer in zip(row, outputs(*start)):
        place.hist(layer.ravel(), 40, range=(-1, 1) if start[0] is np.tanh else (0, 3))
        place.set_yticks([])
    row[0].set_ylabel(name)
plt.show()

# %% [markdown]
# * 太大，tanh 就停在两端（-1 和 1），导数为 0。
# * 太小，一切都缩向 0：向前的值如此，回来的梯度也如此。
# * **Xavier**（Glorot 和 Bengio，2010）：n 个输入用 `1/√n`，使 tanh 和 sigmoid 的分布保持不变。
# * **He**（He 等，2015）：ReLU 丢掉一半，所以用 `√(2/n)`。
#
# 在数字识别上，同一个网络走 200 步：

# %%
from chainrule.scratch.dataset.mnist import load_mnist
from chainrule.scratch.multi_layer_net import MultiLayerNet
from chainrule.scratch.optimizer import SGD

(x_train, t_train), _ = load_mnist()
for name in (0.01, "xavier", "he"):
    np.random.seed(0)
    net, optimizer = MultiLayerNet(784, [100, 100, 100, 100], 10, weight_init_std=name), SGD(lr=0.01)
    for _ in range(200):
        chosen = np.random.choice(len(x_train), 128)
        optimizer.update(net.params, net.gradient(x_train[chosen], t_train[chosen]))
    print(f"{name!s:7} loss {net.loss(x_train[:2000], t_train[:2000]):.3f}")

# %% [markdown]
# ## 练习
#
# 再也得不到正数的 ReLU 单元就不再学习：它“死”了。Leaky ReLU（Maas 等，2013）让负数的百分之一通过。写出 `backward`。


# %% exercise="leaky"
class LeakyRelu:
    def forward(self, x):
        self.mask = x <= 0
        return np.where(self.mask, 0.01 * x, x)

    def backward(self, dout):
        pass  # your lines


# %%
from chainrule.lessons import check

check("leaky", LeakyRelu, language="zh")
