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
# # 19. 注意力
#
# 翻译句子时，编码器读，解码器写。如果只把编码器的最后一个状态传过去，整个句子就得塞进一个向量。有了**注意力**（Bahdanau、Cho 和 Bengio 2014），解码器看着全部状态 hs (N, T, H)，从中选择：
#
# ```
# s = hs · h        每个状态与解码器的状态 h 有多相配：(N, T)，向量的内积
# a = softmax(s)    权重，加起来是 1
# c = a_t hs_t 之和                                 按权重的平均：(N, H)
# ```
#
# 只选一个是不可导的；每个都取一点是可导的。

# %%
import numpy as np

from chainrule.scratch.functions import softmax

rng = np.random.default_rng(0)
hs = rng.standard_normal((1, 5, 4))
h = 2 * hs[:, 3]  # the decoder asks for what resembles the fourth state
s = (hs * h[:, None]).sum(axis=2)
a = softmax(s)
print("scores ", np.round(s[0], 2))
print("weights", np.round(a[0], 2), "sum", round(float(a.sum()), 6))
print("context", np.round((a[:, :, None] * hs).sum(axis=1)[0], 2))
print("4th    ", np.round(hs[0, 3], 2))

# %% [markdown]
# 反向依次经过这三行，次序相反，每条规则都学过：
#
# * `c = a_t hs_t 之和`：`dhs_t = a_t dc`，`da_t = hs_t · dc`（向量内积）。
# * softmax：`ds = a (da - a da 之和)`。每个得分也会压低其他权重，所以要减去这个和。
# * `s_t = hs_t · h`：`dhs_t += ds_t h`（hs 用了**两次**），`dh = ds_t hs_t 之和`。
#
# 最容易写错的是 softmax。与差分并排：

# %%
from chainrule.scratch.gradient import numerical_gradient

s, da = rng.standard_normal(5), rng.standard_normal(5)
a = softmax(s)
print("by the rule   ", np.round(a * (da - np.sum(a * da)), 6))
print("by differences", np.round(numerical_gradient(lambda s: float(np.sum(softmax(s) * da)), s), 6))
print("without the sum", np.round(a * da, 6))

# %% [markdown]
# 把权重画出来，就能看到它在看哪里。一个照抄的解码器依次看每个位置：

# %%
import matplotlib.pyplot as plt

encoder = np.eye(8)[None] * 4
weights = softmax((encoder[:, None] * encoder[:, :, None]).sum(axis=3))
plt.imshow(weights[0])
plt.xlabel("read")
plt.ylabel("written")
plt.show()

# %% [markdown]
# ## 练习
#
# 写出 `backward`：返回 `dhs` 和 `dh`。


# %% exercise="attention"
class Attention:
    def forward(self, hs, h):
        s = (hs * h[:, None]).sum(axis=2)
        e = np.exp(s - s.max(axis=1, keepdims=True))
        self.hs, self.h, self.a = hs, h, e / e.sum(axis=1, keepdims=True)
        return (self.a[:, :, None] * hs).sum(axis=1)

    def backward(self, dc):
        pass  # your lines


# %%
from chainrule.lessons import check

check("attention", Attention, language="zh")
