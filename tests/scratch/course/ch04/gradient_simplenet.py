import sys, os
sys.path.append(os.pardir)
import numpy as np
from common.functions import softmax, cross_entropy_error
from common.gradient import numerical_gradient

np.random.seed(0)


class simpleNet:
    def __init__(self):
        self.W = np.random.randn(2, 3)

    def predict(self, x):
        return np.dot(x, self.W)

    def loss(self, x, t):
        return cross_entropy_error(softmax(self.predict(x)), t)


x, t = np.array([0.6, 0.9]), np.array([0, 0, 1])
net = simpleNet()
dW = numerical_gradient(lambda w: net.loss(x, t), net.W)
print(dW.shape, np.allclose(dW.sum(axis=1), 0, atol=1e-5))
