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
# # 15. Convolution
#
# An Affine layer does not know that two pixels are neighbors. A convolution does: a small filter slides over every position of
# the image, and at each one the products are added up. It has few weights, and a pattern it finds in one corner it finds
# everywhere.
#
# ```
# image (1, 4, 4)        filter (1, 3, 3)        output (2, 2)
# ```
#
# The trick of this lesson is **im2col**: write each window as one row of a matrix. Then a convolution is a matrix product, and
# everything we know about the Affine layer applies again.

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
# So backward is: `dcol = dout · W`, and **col2im** adds each number back to the pixel that it came from. The pixels in the
# middle were in four windows, so they get the sum of four gradients: once more, gradients of repeated uses add up.

# %%
print(col2im(np.ones_like(col), x.shape, 3, 3).astype(int)[0, 0])

# %% [markdown]
# The filters of a trained network find strokes and edges. Here is one that finds vertical edges, applied to a digit:

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
# ## Exercise
#
# Write `backward`. `dout` is (N, FN, OH, OW); transposed and reshaped to (N · OH · OW, FN) it is the `dout` of an Affine layer
# whose input is `self.col` and whose weights are `self.col_W`. Set `self.dW` (with the shape of W) and `self.db`, and return dx
# from `col2im`.


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

check("convolution", Convolution)
