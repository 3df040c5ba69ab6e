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
# # 21. 手写一个语言模型
#
# **语言模型**猜下一个字符。需要的零件都有了：
#
# ```
# 字符 (N, T) ── Embedding ── RNN ── Affine ── softmax 加损失 ── 损失
# ```
#
# **Embedding** 是一张表 W (V, D)：字符就是行号。它相当于输入为 one-hot 向量的 Affine 层，只是省去了与零相乘。反向把每个梯度加到对应的行；用了两次的行，两个都要加。`dW[x] += dout` 只会留下其中一个；`np.add.at(dW, x, dout)` 全都加上。

# %%
import numpy as np

x, dout = np.array([2, 0, 2]), np.array([[1.0], [10.0], [100.0]])
once, all_of_them = np.zeros((3, 1)), np.zeros((3, 1))
once[x] += dout
np.add.at(all_of_them, x, dout)
print("dW[x] += dout ", once.ravel())
print("np.add.at     ", all_of_them.ravel())

# %% [markdown]
# 用 `common.time_layers` 的层搭成模型，再找一段要背下来的文字：

# %%
from chainrule.scratch.time_layers import TimeAffine, TimeEmbedding, TimeRNN, TimeSoftmaxWithLoss

np.random.seed(0)
text = "the cat sat on the mat, the dog sat on the log. " * 8
characters = sorted(set(text))
corpus = np.array([characters.index(character) for character in text])
V, D, H = len(characters), 8, 32
embedding = TimeEmbedding(0.1 * np.random.randn(V, D))
rnn = TimeRNN(np.random.randn(D, H) / D**0.5, np.random.randn(H, H) / H**0.5, np.zeros(H), stateful=True)
affine, last = TimeAffine(np.random.randn(H, V) / H**0.5, np.zeros(V)), TimeSoftmaxWithLoss()
layers = [embedding, rnn, affine]


def loss_of(xs, ts):
    for layer in layers:
        xs = layer.forward(xs)
    return last.forward(xs, ts)


def backward():
    dout = last.backward()
    for layer in reversed(layers):
        dout = layer.backward(dout)


# %% [markdown]
# 先做这门课一开始就做的检查：数值梯度与反向传播的梯度并排，这次穿过时间和整个模型。（每次前向之前重置状态，否则第二次会从第一次结束的地方开始。）

# %%
from chainrule.scratch.gradient import numerical_gradient

xs, ts = corpus[:12].reshape(2, 6), corpus[1:13].reshape(2, 6)


def loss(_):
    rnn.reset_state()
    return loss_of(xs, ts)


loss(None)
backward()
for layer in layers:
    for array, gradient in zip(layer.params, layer.grads, strict=True):
        numerical = numerical_gradient(loss, array)
        print(
            f"{type(layer).__name__:14} {array.shape!s:9} largest difference {np.abs(numerical - gradient).max():.1e}"
        )

# %% [markdown]
# 然后训练：八段文字并排，每次十二步，从上次的状态接着走；梯度要裁剪。

# %%
from chainrule.scratch.optimizer import Adam
from chainrule.scratch.util import clip_grads

params = [param for layer in layers for param in layer.params]
grads = [grad for layer in layers for grad in layer.grads]
optimizer = Adam(lr=0.01)
rnn.reset_state()
begins = np.arange(8)[:, None] * (len(corpus) // 8)
for step in range(161):
    places = (begins + 12 * step + np.arange(12)) % len(corpus)
    value = loss_of(corpus[places], corpus[(places + 1) % len(corpus)])
    backward()
    clip_grads(grads, 1.0)
    optimizer.update(params, grads)
    if step % 40 == 0:
        print(f"step {step:3}: perplexity {np.exp(value):.2f}")

# %%
rnn.reset_state()
written = "t"
for _ in range(40):
    scores = np.array([[characters.index(written[-1])]])
    for layer in layers:
        scores = layer.forward(scores)
    written += characters[int(scores.argmax())]
print(written)

# %% [markdown]
# ## 练习
#
# 整个模型写在一个类里，不用层。`gradient` 要返回全部六个数组的梯度：先穿过得分，再沿时间从最后一步回到第一步。前向留下的都在：`self.hs[t]` 是第 t 步之后的状态（`self.hs[-1]` 是第一步之前的零），`self.y` 是概率 (N, T, V)。


# %% exercise="language_model"
class LanguageModel:
    def __init__(self, V, D, H):
        shapes = {"E": (V, D), "Wx": (D, H), "Wh": (H, H), "b": (H,), "W": (H, V), "c": (V,)}
        self.params = {name: 0.1 * np.random.randn(*shape) for name, shape in shapes.items()}

    def loss(self, x, t):
        p = self.params
        T = x.shape[1]
        self.hs = {-1: np.zeros((len(x), len(p["b"])))}
        for step in range(T):
            self.hs[step] = np.tanh(p["E"][x[:, step]] @ p["Wx"] + self.hs[step - 1] @ p["Wh"] + p["b"])
        scores = np.stack([self.hs[step] @ p["W"] + p["c"] for step in range(T)], axis=1)
        e = np.exp(scores - scores.max(axis=2, keepdims=True))
        self.y = e / e.sum(axis=2, keepdims=True)
        return -np.mean(np.log(np.take_along_axis(self.y, t[:, :, None], axis=2)))

    def gradient(self, x, t):
        self.loss(x, t)
        p, grads = self.params, {name: np.zeros_like(value) for name, value in self.params.items()}
        dscores = (self.y - np.eye(len(p["c"]))[t]) / t.size
        dh = np.zeros_like(self.hs[-1])
        for step in reversed(range(x.shape[1])):
            pass  # your lines
        return grads


# %%
from chainrule.lessons import check

check("language_model", LanguageModel, language="zh")
