"""Layers as different people write them, each in its own style, all of them correct."""

import numpy as np

from chainrule.scratch.util import col2im, im2col

__all__ = ["HANDMADE"]


class ReluByMask:
    def forward(self, x):
        self.mask = x <= 0
        out = x.copy()
        out[self.mask] = 0
        return out

    def backward(self, dout):
        dout[self.mask] = 0
        return dout


class ReluByMaximum:
    def forward(self, x):
        self.x = x
        return np.maximum(0, x)

    def backward(self, dout):
        return dout * (self.x > 0)


class LeakyRelu:
    def __init__(self, slope=0.1):
        self.slope = slope

    def forward(self, x):
        self.factor = np.where(x > 0, 1.0, self.slope)
        return x * self.factor

    def backward(self, dout):
        return dout * self.factor


class Elu:
    def forward(self, x):
        self.x, self.e = x, np.exp(np.minimum(x, 0))
        return np.where(x > 0, x, self.e - 1)

    def backward(self, dout):
        return np.where(self.x > 0, dout, dout * self.e)


class Swish:
    def forward(self, x):
        self.x = x
        self.s = 0.5 * (1 + np.tanh(0.5 * x))
        return x * self.s

    def backward(self, dout):
        return dout * (self.s + self.x * self.s * (1 - self.s))


class Sigmoid:
    def forward(self, x):
        out = 1 / (1 + np.exp(-np.clip(x, -500, 500)))
        self.out = out
        return out

    def backward(self, dout):
        return dout * (1.0 - self.out) * self.out


class Tanh:
    def forward(self, x):
        self.out = np.tanh(x)
        return self.out

    def backward(self, dout):
        return dout * (1 - self.out * self.out)


class Softmax:
    def forward(self, x):
        e = np.exp(x - x.max(axis=-1, keepdims=True))
        self.out = e / e.sum(axis=-1, keepdims=True)
        return self.out

    def backward(self, dout):
        dx = self.out * dout
        dx -= self.out * dx.sum(axis=-1, keepdims=True)
        return dx


class Affine:
    def __init__(self, W, b):
        self.W = W
        self.b = b

    def forward(self, x):
        self.x = x
        return np.dot(x, self.W) + self.b

    def backward(self, dout):
        self.dW = np.dot(self.x.T, dout)
        self.db = np.sum(dout, axis=0)
        return np.dot(dout, self.W.T)


class AffineOfLists:
    def __init__(self, W, b):
        self.params = [W, b]
        self.grads = [np.zeros_like(W), np.zeros_like(b)]

    def forward(self, x):
        self.x = x
        W, b = self.params
        return x @ W + b

    def backward(self, dout):
        W, _ = self.params
        self.grads[0][...] = np.einsum("nd,nh->dh", self.x, dout)
        self.grads[1][...] = dout.sum(0)
        return dout @ W.T


class AffineByLoops:
    def __init__(self, W, b):
        self.weights = W
        self.bias = b

    def forward(self, x):
        self.x = x
        return np.array([self.weights.T @ row + self.bias for row in x])

    def backward(self, dout):
        self.grad_weights = sum(np.outer(row, d) for row, d in zip(self.x, dout, strict=True))
        self.grad_bias = sum(dout)
        return np.array([self.weights @ d for d in dout])


class BatchNormalization:
    def __init__(self, gamma, beta):
        self.gamma = gamma
        self.beta = beta

    def forward(self, x):
        mu = x.mean(axis=0)
        self.xc = x - mu
        self.std = np.sqrt(np.mean(self.xc**2, axis=0) + 1e-5)
        self.xn = self.xc / self.std
        return self.gamma * self.xn + self.beta

    def backward(self, dout):
        N = dout.shape[0]
        self.dbeta = dout.sum(axis=0)
        self.dgamma = np.sum(self.xn * dout, axis=0)
        dxn = self.gamma * dout
        dxc = dxn / self.std
        dstd = -np.sum((dxn * self.xc) / (self.std * self.std), axis=0)
        dvar = 0.5 * dstd / self.std
        dxc += (2.0 / N) * self.xc * dvar
        dmu = np.sum(dxc, axis=0)
        return dxc - dmu / N


class LayerNormalization:
    def __init__(self, gamma, beta):
        self.gamma = gamma
        self.beta = beta

    def forward(self, x):
        self.inverse = 1 / np.sqrt(x.var(axis=1, keepdims=True) + 1e-5)
        self.h = (x - x.mean(axis=1, keepdims=True)) * self.inverse
        return self.gamma * self.h + self.beta

    def backward(self, dout):
        self.dgamma = (dout * self.h).sum(axis=0)
        self.dbeta = dout.sum(axis=0)
        dh = dout * self.gamma
        centered = dh - dh.mean(axis=1, keepdims=True)
        return self.inverse * (centered - self.h * (dh * self.h).mean(axis=1, keepdims=True))


class Convolution:
    def __init__(self, W, b):
        self.W = W
        self.b = b

    def forward(self, x):
        FN, _, FH, FW = self.W.shape
        N, _, H, W = x.shape
        self.x_shape = x.shape
        self.col = im2col(x, FH, FW, 1, 1)
        out = self.col @ self.W.reshape(FN, -1).T + self.b
        return out.reshape(N, H + 3 - FH, W + 3 - FW, FN).transpose(0, 3, 1, 2)

    def backward(self, dout):
        FN, _, FH, FW = self.W.shape
        rows = dout.transpose(0, 2, 3, 1).reshape(-1, FN)
        self.db = rows.sum(axis=0)
        self.dW = (self.col.T @ rows).T.reshape(self.W.shape)
        return col2im(rows @ self.W.reshape(FN, -1), self.x_shape, FH, FW, 1, 1)


class Pooling:
    def forward(self, x):
        N, C, H, W = x.shape
        self.shape = N, C, H // 2, 2, W // 2, 2
        blocks = x[:, :, : H // 2 * 2, : W // 2 * 2].reshape(self.shape)
        windows = blocks.transpose(0, 1, 2, 4, 3, 5).reshape(N, C, H // 2, W // 2, 4)
        self.x_shape, self.place = x.shape, windows.argmax(axis=-1)
        return windows.max(axis=-1)

    def backward(self, dout):
        N, C, H, _, W, _ = self.shape
        dx = np.zeros(self.x_shape)
        n, c, h, w = np.ogrid[:N, :C, :H, :W]
        dx[n, c, 2 * h + self.place // 2, 2 * w + self.place % 2] = dout
        return dx


class Embedding:
    def __init__(self, W):
        self.W = W

    def forward(self, x):
        self.x = x
        return self.W[x]

    def backward(self, dout):
        self.dW = np.zeros_like(self.W)
        np.add.at(self.dW, self.x, dout)


class Multiply:
    def forward(self, x, y):
        self.x, self.y = x, y
        return x * y

    def backward(self, dout):
        return dout * self.y, dout * self.x


class Residual:
    def __init__(self, W, b):
        self.inner = Affine(W, b)
        self.activation = Tanh()

    def forward(self, x):
        return x + self.activation.forward(self.inner.forward(x))

    def backward(self, dout):
        dx = dout + self.inner.backward(self.activation.backward(dout))
        self.dW, self.db = self.inner.dW, self.inner.db
        return dx


class SoftmaxWithLoss:
    def forward(self, x, t):
        self.t = t
        e = np.exp(x - x.max(axis=1, keepdims=True))
        self.y = e / e.sum(axis=1, keepdims=True)
        return -np.sum(np.log(self.y[np.arange(len(t)), t] + 1e-7)) / len(t)

    def backward(self, dout=1):
        batch_size = self.t.shape[0]
        dx = self.y.copy()
        dx[np.arange(batch_size), self.t] -= 1
        return dx * dout / batch_size


class MeanSquaredError:
    def forward(self, y, t):
        self.difference = y - t
        return np.mean(self.difference**2)

    def backward(self, dout=1):
        return dout * 2 * self.difference / self.difference.size


HANDMADE = {
    "elementwise": [ReluByMask, ReluByMaximum, LeakyRelu, Elu, Swish, Sigmoid, Tanh, Softmax],
    "affine": [Affine, AffineOfLists, AffineByLoops],
    "normalization": [BatchNormalization, LayerNormalization],
    "images": [Convolution, Pooling],
    "other": [Embedding, Multiply, Residual],
    "losses": [SoftmaxWithLoss, MeanSquaredError],
}
