import sys, os
sys.path.append(os.pardir)
import numpy as np
import matplotlib.pylab as plt
from common.gradient import numerical_gradient_2d, _numerical_gradient_1d, numerical_gradient, numerical_diff


def function_2(x):
    return np.sum(x ** 2)


print(numerical_diff(lambda x: 0.01 * x ** 2 + 0.1 * x, 5))
print(_numerical_gradient_1d(function_2, np.array([3.0, 4.0])))
X, Y = np.meshgrid(np.arange(-2, 2.5, 0.25), np.arange(-2, 2.5, 0.25))
X, Y = X.flatten(), Y.flatten()
grad = numerical_gradient_2d(function_2, np.array([X, Y]).T).T
plt.figure()
plt.quiver(X, Y, -grad[0], -grad[1], angles="xy", color="#666666")
plt.grid()
plt.draw()
plt.show()
x = np.array([-3.0, 4.0])
for i in range(100):
    x -= 0.1 * numerical_gradient(function_2, x)
print(x)
