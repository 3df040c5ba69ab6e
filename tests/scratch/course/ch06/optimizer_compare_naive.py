import sys, os
sys.path.append(os.pardir)
import numpy as np
import matplotlib.pyplot as plt
from collections import OrderedDict
from common.optimizer import *


def df(x, y):
    return x / 10.0, 2.0 * y


params, grads = {'x': -7.0, 'y': 2.0}, {'x': 0, 'y': 0}
optimizers = OrderedDict()
optimizers["SGD"] = SGD(lr=0.95)
optimizers["Momentum"] = Momentum(lr=0.1)
optimizers["Nesterov"] = Nesterov(lr=0.1, momentum=0.9)
optimizers["AdaGrad"] = AdaGrad(lr=1.5)
optimizers["RMSprop"] = RMSprop(lr=0.3, decay_rate=0.9)
optimizers["RMSProp"] = RMSProp(lr=0.3, alpha=0.9)
optimizers["Adam"] = Adam(lr=0.3)
for idx, key in enumerate(optimizers, 1):
    optimizer = optimizers[key]
    x_history = []
    params['x'], params['y'] = -7.0, 2.0
    for i in range(30):
        x_history.append(params['x'])
        grads['x'], grads['y'] = df(params['x'], params['y'])
        optimizer.update(params, grads)
    print(key, params['x'] ** 2 / 20 + params['y'] ** 2 < 0.5)
    plt.subplot(2, 4, idx)
    plt.plot(x_history, 'o-', color="red")
    plt.title(key)
print(sorted(optimizers["Momentum"].v), sorted(optimizers["AdaGrad"].h), optimizers["Adam"].iter)
plt.show()
