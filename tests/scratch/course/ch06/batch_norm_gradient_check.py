import sys, os
sys.path.append(os.pardir)
import numpy as np
from dataset.mnist import load_mnist
from common.multi_layer_net_extend import MultiLayerNetExtend

np.random.seed(0)

(x_train, t_train), (x_test, t_test) = load_mnist(one_hot_label=True)
network = MultiLayerNetExtend(input_size=40, hidden_size_list=[6, 5], output_size=10, use_batchnorm=True)
x_batch, t_batch = x_train[:4, 400:440], t_train[:4]
grad_backprop = network.gradient(x_batch, t_batch)
grad_numerical = network.numerical_gradient(x_batch, t_batch)
for key in grad_numerical.keys():
    print(key + ":" + str(np.average(np.abs(grad_backprop[key] - grad_numerical[key]))))
