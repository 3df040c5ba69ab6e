import sys, os
sys.path.append(os.pardir)
import numpy as np
from dataset.mnist import load_mnist
from common.multi_layer_net_extend import MultiLayerNetExtend
from common.trainer import Trainer
from common.util import shuffle_dataset

(x, t), _ = load_mnist(flatten=False)
np.random.seed(0)
x, t = shuffle_dataset(x[:1500], t[:1500])
x = x.reshape(len(x), -1)
for name, lr in [('SGD', 0.1), ('Momentum', 0.01), ('Nesterov', 0.01), ('AdaGrad', 0.01), ('RMSprop', 0.001),
                 ('Adam', 0.001)]:
    network = MultiLayerNetExtend(784, [50], 10, activation='sigmoid', weight_init_std='xavier', use_dropout=True,
                                  dropout_ration=0.1, use_batchnorm=True)
    trainer = Trainer(network, x[:1000], t[:1000], x[1000:], t[1000:], epochs=8, mini_batch_size=50, optimizer=name,
                      optimizer_param={'lr': lr}, evaluate_sample_num_per_epoch=300, verbose=False)
    trainer.train_step()
    assert (trainer.current_iter, trainer.current_epoch) == (1, 1)
    trainer.train()
    print(name, trainer.max_iter, trainer.iter_per_epoch, len(trainer.train_loss_list), len(trainer.test_acc_list),
          trainer.train_acc_list[-1] > 0.8, type(network.last_layer).__name__, list(network.layers)[:4])
