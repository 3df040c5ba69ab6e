import sys
sys.path.append('..')
import numpy as np
from dataset import sequence
from common.optimizer import Adam
from common.trainer import Trainer
from common.np import *
from common.layers import Softmax
from common.time_layers import *
from ch07.neighbor import Seq2seq
from ch07.seq2seq import Encoder, lstm_weights


class Attention:
    def __init__(self):
        self.params, self.grads, self.softmax = [], [], Softmax()

    def forward(self, hs, h):
        a = self.softmax.forward(np.sum(hs * h[:, None, :], axis=2))
        self.cache = (hs, h, a)
        return np.sum(hs * a[:, :, None], axis=1)

    def backward(self, dc):
        hs, h, a = self.cache
        ds = self.softmax.backward(np.sum(hs * dc[:, None, :], axis=2))
        return dc[:, None, :] * a[:, :, None] + ds[:, :, None] * h[:, None, :], np.sum(ds[:, :, None] * hs, axis=1)


class TimeAttention:
    def __init__(self):
        self.params, self.grads = [], []

    def forward(self, hs_enc, hs_dec):
        self.layers = [Attention() for _ in range(hs_dec.shape[1])]
        return np.stack([layer.forward(hs_enc, hs_dec[:, t, :]) for t, layer in enumerate(self.layers)], axis=1)

    def backward(self, dout):
        pairs = [layer.backward(dout[:, t, :]) for t, layer in enumerate(self.layers)]
        return sum(dhs for dhs, _ in pairs), np.stack([dh for _, dh in pairs], axis=1)


class AttentionEncoder(Encoder):
    def forward(self, xs):
        return self.lstm.forward(self.embed.forward(xs))

    def backward(self, dhs):
        return self.embed.backward(self.lstm.backward(dhs))


class AttentionDecoder:
    def __init__(self, V, D, H):
        self.embed = TimeEmbedding((np.random.randn(V, D) / 100).astype('f'))
        self.lstm = TimeLSTM(*lstm_weights(D, H), stateful=True)
        self.attention = TimeAttention()
        self.affine = TimeAffine((np.random.randn(2 * H, V) / np.sqrt(2 * H)).astype('f'), np.zeros(V).astype('f'))
        self.params, self.grads = [], []
        for layer in (self.embed, self.lstm, self.attention, self.affine):
            self.params += layer.params
            self.grads += layer.grads

    def forward(self, xs, enc_hs):
        self.lstm.set_state(enc_hs[:, -1])
        dec_hs = self.lstm.forward(self.embed.forward(xs))
        return self.affine.forward(np.concatenate((self.attention.forward(enc_hs, dec_hs), dec_hs), axis=2))

    def backward(self, dscore):
        dc, ddec_hs = np.split(self.affine.backward(dscore), 2, axis=2)
        denc_hs, ddec_hs1 = self.attention.backward(dc)
        self.embed.backward(self.lstm.backward(ddec_hs + ddec_hs1))
        denc_hs[:, -1] += self.lstm.dh
        return denc_hs


class AttentionSeq2seq(Seq2seq):
    def __init__(self, *sizes):
        self.encoder, self.decoder, self.softmax = AttentionEncoder(*sizes), AttentionDecoder(*sizes), TimeSoftmaxWithLoss()
        self.params = self.encoder.params + self.decoder.params
        self.grads = self.encoder.grads + self.decoder.grads


(x_train, t_train), (x_test, t_test) = sequence.load_data('date.txt')
char_to_id, id_to_char = sequence.get_vocab()
print(x_train.shape, t_train.shape, len(char_to_id))
model = AttentionSeq2seq(len(char_to_id), 8, 12)
trainer = Trainer(model, Adam(0.01))
trainer.fit(x_train[:1000, ::-1], t_train[:1000], max_epoch=1, batch_size=100, max_grad=5.0, eval_interval=3)
print(trainer.loss_list[-1] < trainer.loss_list[0])
