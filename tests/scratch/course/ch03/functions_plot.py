import sys, os
sys.path.append(os.pardir)
import matplotlib.pylab as plt
from common.functions import *

X = np.arange(-5.0, 5.0, 0.1)
for f in (identity_function, step_function, sigmoid, sigmoid_grad, relu, relu_grad):
    plt.plot(X, f(X), label=f.__name__)
plt.ylim(-0.1, 1.1)
plt.legend()
plt.show()
y, t = np.array([0.1, 0.05, 0.6, 0.0, 0.05, 0.1, 0.0, 0.1, 0.0, 0.0]), np.array([0, 0, 1, 0, 0, 0, 0, 0, 0, 0])
print(round(sum_squared_error(y, t), 4), round(mean_squared_error(y, t), 4), round(cross_entropy_error(y, t), 4))
print(softmax(np.array([0.3, 2.9, 4.0])).round(3), round(softmax_loss(np.array([[0.3, 2.9, 4.0]]), np.array([2])), 3))
