import os, sys
sys.path.append(os.pardir)
import numpy as np
from dataset.mnist import load_mnist
from common.multi_layer_net import MultiLayerNet
from common.optimizer import SGD

(x_train, t_train), (x_test, t_test) = load_mnist(normalize=True)
x_train, t_train = x_train[:300], t_train[:300]
np.random.seed(0)
for weight_decay_lambda in (0, 0.1):
    network = MultiLayerNet(input_size=784, hidden_size_list=[100, 100, 100, 100, 100, 100], output_size=10,
                            weight_decay_lambda=weight_decay_lambda)
    optimizer = SGD(lr=0.01)
    for i in range(603):  # 201 epochs of 3 steps
        batch_mask = np.random.choice(300, 100)
        optimizer.update(network.params, network.gradient(x_train[batch_mask], t_train[batch_mask]))
    print(weight_decay_lambda, network.accuracy(x_train, t_train), network.accuracy(x_test, t_test))
