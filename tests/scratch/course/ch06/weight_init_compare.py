import os, sys
sys.path.append(os.pardir)
import numpy as np
from dataset.mnist import load_mnist
from common.multi_layer_net import MultiLayerNet
from common.optimizer import SGD

np.random.seed(0)

(x_train, t_train), _ = load_mnist(normalize=True)
weight_init_types = {'std=0.01': 0.01, 'Xavier': 'sigmoid', 'He': 'relu'}
optimizer = SGD(lr=0.01)
networks = {key: MultiLayerNet(input_size=784, hidden_size_list=[100, 100, 100, 100], output_size=10,
                               activation='relu', weight_init_std=std) for key, std in weight_init_types.items()}
for i in range(int(sys.argv[1]) if len(sys.argv) > 1 else 2000):
    batch_mask = np.random.choice(len(x_train), 128)
    for key in weight_init_types.keys():
        optimizer.update(networks[key].params, networks[key].gradient(x_train[batch_mask], t_train[batch_mask]))
for key, net in networks.items():
    print(key + ":" + str(net.loss(x_train[:2000], t_train[:2000])))
