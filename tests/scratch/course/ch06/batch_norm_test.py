import sys, os
sys.path.append(os.pardir)
import numpy as np
import matplotlib.pyplot as plt
from dataset.mnist import load_mnist
from common.multi_layer_net_extend import MultiLayerNetExtend
from common.optimizer import SGD, Adam

np.random.seed(0)

(x_train, t_train), (x_test, t_test) = load_mnist(normalize=True)
x_train, t_train = x_train[:1000], t_train[:1000]
max_epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 20
train_size, batch_size, learning_rate = x_train.shape[0], 100, 0.01


def __train(weight_init_std):
    bn_network = MultiLayerNetExtend(input_size=784, hidden_size_list=[100, 100, 100, 100, 100], output_size=10,
                                     weight_init_std=weight_init_std, use_batchnorm=True)
    network = MultiLayerNetExtend(input_size=784, hidden_size_list=[100, 100, 100, 100, 100], output_size=10,
                                  weight_init_std=weight_init_std)
    optimizer = SGD(lr=learning_rate)
    train_acc_list, bn_train_acc_list = [], []
    iter_per_epoch = max(train_size / batch_size, 1)
    epoch_cnt = 0
    for i in range(1000000000):
        batch_mask = np.random.choice(train_size, batch_size)
        x_batch, t_batch = x_train[batch_mask], t_train[batch_mask]
        for _network in (bn_network, network):
            optimizer.update(_network.params, _network.gradient(x_batch, t_batch))
        if i % iter_per_epoch == 0:
            train_acc_list.append(network.accuracy(x_train, t_train))
            bn_train_acc_list.append(bn_network.accuracy(x_train, t_train))
            epoch_cnt += 1
            if epoch_cnt >= max_epochs:
                break
    return train_acc_list, bn_train_acc_list


for i, w in enumerate(np.logspace(0, -4, num=16)[4:10:5]):
    train_acc_list, bn_train_acc_list = __train(w)
    print(round(float(w), 3), train_acc_list[-1], bn_train_acc_list[-1])
    plt.subplot(1, 2, i + 1)
    plt.plot(np.arange(max_epochs), bn_train_acc_list, label='Batch Normalization', markevery=2)
    plt.plot(np.arange(max_epochs), train_acc_list, linestyle="--", label='Normal', markevery=2)
plt.show()
