"""Your own layer in ten lines: checked by the gradient check, then trained. Reads more than 94 % of the test digits."""

import numpy as np

import chainrule as cr


class SiLU(cr.Layer):
    """y = x * sigmoid(x)  (Elfwing et al. 2017, arXiv:1702.03118)."""

    def forward(self, x, *, train=False, rng=None):
        s = 1 / (1 + np.exp(-x))
        return x * s, (x, s)

    def backward(self, dy, cache, *, input_gradient=True):
        x, s = cache
        # y = x * s, and ds/dx = s * (1 - s)
        return dy * s * (1 + x * (1 - s))


report = cr.gradcheck(SiLU(), shape=(3,), batch=4)
print(report)
assert report.ok

train, test = cr.data.mnist()
net = cr.Sequential(cr.Flatten(), cr.Scale(1 / 255), cr.Affine(50), SiLU(), cr.Affine(10)).build((1, 28, 28), seed=0)
trainer = cr.Trainer(net, loss=cr.SoftmaxCrossEntropy(), optimizer=cr.SGD(0.1, momentum=0.9), seed=0)
for epoch in trainer.fit(train, validation=test, epochs=2):
    print(epoch)
assert epoch.validation_accuracy > 0.94
