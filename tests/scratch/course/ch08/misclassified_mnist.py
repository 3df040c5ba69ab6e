import sys, os
sys.path.append(os.pardir)
import numpy as np
import matplotlib.pyplot as plt
from deep_convnet import DeepConvNet
from dataset.mnist import load_mnist

(x_train, t_train), (x_test, t_test) = load_mnist(flatten=False)
network = DeepConvNet()
network.load_params("deep_convnet_params.pkl")
print("calculating test accuracy ... ")
classified_ids = []
acc, batch_size = 0.0, 100
for i in range(int(x_test.shape[0] / batch_size)):
    tx, tt = x_test[i * batch_size:(i + 1) * batch_size], t_test[i * batch_size:(i + 1) * batch_size]
    y = np.argmax(network.predict(tx, train_flg=False), axis=1)
    classified_ids.append(y)
    acc += np.sum(y == tt)
acc = acc / x_test.shape[0]
print("test accuracy:" + str(acc))
classified_ids = np.array(classified_ids).flatten()
fig = plt.figure()
current_view = 1
mis_pairs = {}
for i, val in enumerate(classified_ids == t_test):
    if not val:
        ax = fig.add_subplot(4, 5, current_view, xticks=[], yticks=[])
        ax.imshow(x_test[i].reshape(28, 28), cmap=plt.cm.gray_r, interpolation='nearest')
        mis_pairs[current_view] = (t_test[i], classified_ids[i])
        current_view += 1
        if current_view > 20:
            break
print("======= misclassified result =======")
print(mis_pairs)
plt.show()
