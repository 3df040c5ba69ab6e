import sys
sys.path.append('..')
import numpy as np
import matplotlib.pyplot as plt
from common.optimizer import SGD
from common.trainer import Trainer
from common.layers import Affine, Sigmoid, SoftmaxWithLoss
from dataset import spiral


class TwoLayerNet:
    def __init__(self, input_size, hidden_size, output_size):
        rn = np.random.randn
        self.layers = [
            Affine(0.01 * rn(input_size, hidden_size), np.zeros(hidden_size)),
            Sigmoid(),
            Affine(0.01 * rn(hidden_size, output_size), np.zeros(output_size)),
        ]
        self.loss_layer = SoftmaxWithLoss()
        self.params, self.grads = [], []
        for layer in self.layers + [self.loss_layer]:
            self.params += layer.params
            self.grads += layer.grads

    def predict(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def forward(self, x, t):
        return self.loss_layer.forward(self.predict(x), t)

    def backward(self, dout=1):
        dout = self.loss_layer.backward(dout)
        for layer in reversed(self.layers):
            dout = layer.backward(dout)
        return dout


x, t = spiral.load_data(seed=1984)
model = TwoLayerNet(input_size=2, hidden_size=10, output_size=3)
trainer = Trainer(model, SGD(lr=1.0))
trainer.fit(x, t, max_epoch=300, batch_size=30, eval_interval=10)
trainer.plot()
print('accuracy %.2f' % np.mean(model.predict(x).argmax(axis=1) == t.argmax(axis=1)))
print(trainer.current_epoch, len(trainer.loss_list), trainer.eval_interval)
