import sys
sys.path.append('..')
import numpy as np
from common.optimizer import SGD
from common.trainer import RnnlmTrainer
from common.time_layers import *
from dataset import ptb


class SimpleRnnlm:
    def __init__(self, V, D, H):
        rn = np.random.randn
        self.layers = [
            TimeEmbedding((rn(V, D) / 100).astype('f')),
            TimeRNN((rn(D, H) / np.sqrt(D)).astype('f'), (rn(H, H) / np.sqrt(H)).astype('f'), np.zeros(H).astype('f'), stateful=True),
            TimeAffine((rn(H, V) / np.sqrt(H)).astype('f'), np.zeros(V).astype('f')),
        ]
        self.loss_layer = TimeSoftmaxWithLoss()
        self.params, self.grads = [], []
        for layer in self.layers:
            self.params += layer.params
            self.grads += layer.grads

    def forward(self, xs, ts):
        for layer in self.layers:
            xs = layer.forward(xs)
        return self.loss_layer.forward(xs, ts)

    def backward(self, dout=1):
        dout = self.loss_layer.backward(dout)
        for layer in reversed(self.layers):
            dout = layer.backward(dout)
        return dout

    def reset_state(self):
        self.layers[1].reset_state()


corpus, word_to_id, id_to_word = ptb.load_data('train')
corpus = corpus[:1000]
model = SimpleRnnlm(int(max(corpus) + 1), 20, 20)
trainer = RnnlmTrainer(model, SGD(0.5))
trainer.fit(corpus[:-1], corpus[1:], max_epoch=10, batch_size=10, time_size=5)
trainer.plot(ylim=(0, 500))
print(len(trainer.ppl_list), trainer.ppl_list[-1] < 0.7 * trainer.ppl_list[0], model.layers[1].h.dtype)
