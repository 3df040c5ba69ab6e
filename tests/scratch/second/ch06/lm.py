import sys
sys.path.append('..')
from common.time_layers import *
from common.base_model import BaseModel


class TiedLm(BaseModel):
    def __init__(self, vocab_size=60, hidden_size=16, dropout_ratio=0.2):
        V, H = vocab_size, hidden_size
        rn = np.random.randn
        embed_W = (rn(V, H) / 100).astype('f')
        lstm = [(rn(H, 4 * H) / np.sqrt(H)).astype('f'), (rn(H, 4 * H) / np.sqrt(H)).astype('f'), np.zeros(4 * H).astype('f')]
        self.layers = [
            TimeEmbedding(embed_W),
            TimeDropout(dropout_ratio),
            TimeLSTM(*lstm, stateful=True),
            TimeAffine(embed_W.T, np.zeros(V).astype('f')),
        ]
        self.loss_layer = TimeSoftmaxWithLoss()
        self.params, self.grads = [], []
        for layer in self.layers:
            self.params += layer.params
            self.grads += layer.grads

    def predict(self, xs, train_flg=False):
        self.layers[1].train_flg = train_flg
        for layer in self.layers:
            xs = layer.forward(xs)
        return xs

    def forward(self, xs, ts, train_flg=True):
        return self.loss_layer.forward(self.predict(xs, train_flg), ts)

    def backward(self, dout=1):
        dout = self.loss_layer.backward(dout)
        for layer in reversed(self.layers):
            dout = layer.backward(dout)
        return dout

    def reset_state(self):
        self.layers[2].reset_state()
