"""The training loop with nothing hidden: forward, loss, backward, step. Reads more than 94 % of the test digits."""

import numpy as np

import chainrule as cr

train, test = cr.data.mnist()
rng = np.random.default_rng(0)
net = cr.Sequential(
    cr.Flatten(),
    cr.Scale(1 / 255),
    cr.Affine(50),
    cr.ReLU(),
    cr.Affine(10),
).build((1, 28, 28), seed=0)
loss = cr.SoftmaxCrossEntropy()
optimizer = cr.SGD(learning_rate=0.1)

for epoch in range(4):
    for x, labels in train.batches(100, rng):
        logits, cache = net.forward(x, train=True, rng=rng)
        value, dlogits = loss(logits, labels)
        net.backward(dlogits, cache, input_gradient=False)
        optimizer.step(net)  # uses the gradients and clears them
    print(f"epoch {epoch + 1}: {cr.evaluate(net, test)}")

accuracy = cr.evaluate(net, test).accuracy
assert accuracy > 0.94, f"only {accuracy:.2%} of the test digits are read correctly"
