import os, sys
sys.path.append(os.pardir)
import numpy as np
from dataset.mnist import load_mnist
from common.multi_layer_net_extend import MultiLayerNetExtend
from common.trainer import Trainer

(x_train, t_train), (x_test, t_test) = load_mnist(normalize=True)
x_train, t_train = x_train[:300], t_train[:300]
np.random.seed(0)
epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 301
for use_dropout in (False, True):
    network = MultiLayerNetExtend(input_size=784, hidden_size_list=[100, 100, 100, 100, 100, 100], output_size=10,
                                  use_dropout=use_dropout, dropout_ration=0.2)
    trainer = Trainer(network, x_train, t_train, x_test, t_test, epochs=epochs, mini_batch_size=100,
                      optimizer='sgd', optimizer_param={'lr': 0.01}, verbose=False)
    trainer.train()
    print(use_dropout, len(trainer.train_acc_list), trainer.train_acc_list[-1], trainer.test_acc_list[-1])
