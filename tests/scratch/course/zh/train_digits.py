# 手写数字识别：中文课程的写法
from common.load_data import get_data
from common.functions import sigmoid, softmax, cross_entropy, identity, mean_squared_error
from common.gradient import numerical_diff
from common.layers import *
from common.optimizer import RMSProp, Adam

x_train, x_test, t_train, t_test = get_data()
print(x_train.shape, x_test.shape, t_train.shape, identity(3), numerical_diff(lambda x: x ** 2, 3.0))
np.random.seed(0)
W1, b1 = 0.01 * np.random.randn(784, 50), np.zeros(50)
W2, b2 = 0.01 * np.random.randn(50, 10), np.zeros(10)
params = {'W1': W1, 'b1': b1, 'W2': W2, 'b2': b2}
affine1, act, affine2, last = Affine(W1, b1), Sigmoid(), Affine(W2, b2), SoftmaxWithLoss()


def predict(x):
    return affine2.forward(act.forward(affine1.forward(x)))


for optimizer, steps in ((RMSProp(lr=0.001, decay=0.9), 300), (Adam(lr=0.001, alpha1=0.9, alpha2=0.999), 300)):
    for i in range(steps):
        chosen = np.random.choice(x_train.shape[0], 100)
        loss = last.forward(predict(x_train[chosen]), t_train[chosen])
        affine1.backward(act.backward(affine2.backward(last.backward())))
        optimizer.update(params, {'W1': affine1.dW, 'b1': affine1.db, 'W2': affine2.dW, 'b2': affine2.db})
print("accuracy", np.mean(np.argmax(predict(x_test), axis=1) == t_test))
print(cross_entropy(softmax(predict(x_test[:5])), t_test[:5]) < 2.3, mean_squared_error(np.ones(2), np.zeros(2)))
