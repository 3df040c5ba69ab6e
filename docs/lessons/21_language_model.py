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
# # 21. A language model by hand
#
# A **language model** predicts the next character. We have all its parts:
#
# ```
# characters (N, T) ── Embedding ── RNN ── Affine ── softmax with loss ── loss
# ```
#
# The **Embedding** is a table W (V, D): a character is the index of a row. It is an Affine layer on one-hot vectors that skips the
# products with zero. Backward adds each gradient to its row; a row that was used twice gets both. `dW[x] += dout` would keep only
# one of them; `np.add.at(dW, x, dout)` adds all of them.

# %%
import numpy as np

x, dout = np.array([2, 0, 2]), np.array([[1.0], [10.0], [100.0]])
once, all_of_them = np.zeros((3, 1)), np.zeros((3, 1))
once[x] += dout
np.add.at(all_of_them, x, dout)
print("dW[x] += dout ", once.ravel())
print("np.add.at     ", all_of_them.ravel())

# %% [markdown]
# The model, built from the layers of `common.time_layers`, and a text to memorize:

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
# First the check that this course started with: numerical gradients next to backpropagated ones, now through time and the whole
# model. (The state is reset before each forward pass, otherwise the second would start where the first ended.)

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
# Then training: eight parts of the text side by side, twelve steps at a time, continuing from the last state; gradients are clipped.

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
# ## Exercise
#
# The whole model in one class, without layers. `gradient` must return the gradients of all six arrays: back through the scores,
# then through time from the last step to the first. Forward has kept what you need: `self.hs[t]` is the state after step t
# (`self.hs[-1]` the zeros before the first), `self.y` the probabilities (N, T, V).


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

check("language_model", LanguageModel)
