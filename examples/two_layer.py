"""The course's network: checked by numerical differentiation, trained by backpropagation. Reaches more than 95 %."""

import numpy as np

import chainrule as cr

train, test = cr.data.mnist()
x_train, x_test = (part.x.reshape(len(part), -1) / 255 for part in (train, test))

# both ways of computing the gradient agree, here for all of the roughly 4,000 parameters of a small network
small = cr.TwoLayerNet(input_size=784, hidden_size=5, output_size=10, seed=0, dtype="float64")
numerical = small.numerical_gradient(x_train[:3], train.y[:3])
backpropagated = small.gradient(x_train[:3], train.y[:3])
for key, gradient in backpropagated.items():
    difference = np.abs(gradient - numerical[key]).max() / np.abs(gradient).max()
    print(f"{key}: largest relative difference {difference:.0e}")
    assert difference < 1e-6

# so we train with the fast one
net = cr.TwoLayerNet(input_size=784, hidden_size=50, output_size=10, seed=0)
rng = np.random.default_rng(0)
for step in range(1, 4001):
    chosen = rng.choice(len(x_train), 100)
    gradients = net.gradient(x_train[chosen], train.y[chosen])
    for key in ("W1", "b1", "W2", "b2"):
        net.params[key] -= 0.1 * gradients[key]
    if step % 1000 == 0:
        print(f"step {step}: test accuracy {net.accuracy(x_test, test.y):.2%}")

assert net.accuracy(x_test, test.y) > 0.95
