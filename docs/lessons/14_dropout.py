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
# A network with many parameters and few samples memorizes them. Dropout (Srivastava et al. 2014) switches off a random fraction
# of the units at every training step, so no unit can rely on its neighbors. At test time all units are on, and the outputs are
# multiplied by the fraction that was on in training.

# %%
import numpy as np

x = np.ones((2, 8))
np.random.seed(0)
mask = np.random.rand(*x.shape) > 0.5
print("training", (x * mask).tolist())
print("test    ", (x * 0.5).tolist())

# %% [markdown]
# 300 digits, 90,000 weights: enough to memorize all of them. With dropout that takes longer (see the training accuracy after 100
# steps), and the network generalizes a little better to new digits. The gain is small here; larger networks gain more.

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
# ## Exercise
#
# Write `backward`. A unit that was off in the forward pass does not affect the loss.


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

check("dropout", Dropout)
