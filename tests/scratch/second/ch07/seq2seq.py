import sys
sys.path.append('..')
from common.time_layers import *
from common.base_model import BaseModel


def lstm_weights(D, H):
    rn = np.random.randn
    return (rn(D, 4 * H) / np.sqrt(D)).astype('f'), (rn(H, 4 * H) / np.sqrt(H)).astype('f'), np.zeros(4 * H).astype('f')


class Encoder:
    def __init__(self, V, D, H):
        self.embed = TimeEmbedding((np.random.randn(V, D) / 100).astype('f'))
        self.lstm = TimeLSTM(*lstm_weights(D, H), stateful=False)
        self.params = self.embed.params + self.lstm.params
        self.grads = self.embed.grads + self.lstm.grads

    def forward(self, xs):
        self.hs = self.lstm.forward(self.embed.forward(xs))
        return self.hs[:, -1, :]

    def backward(self, dh):
        dhs = np.zeros_like(self.hs)
        dhs[:, -1, :] = dh
        return self.embed.backward(self.lstm.backward(dhs))


class Decoder:
    def __init__(self, V, D, H):
        self.embed = TimeEmbedding((np.random.randn(V, D) / 100).astype('f'))
        self.lstm = TimeLSTM(*lstm_weights(D, H), stateful=True)
        self.affine = TimeAffine((np.random.randn(H, V) / np.sqrt(H)).astype('f'), np.zeros(V).astype('f'))
        self.params, self.grads = [], []
        for layer in (self.embed, self.lstm, self.affine):
            self.params += layer.params
            self.grads += layer.grads

    def forward(self, xs, h):
        self.lstm.set_state(h)
        return self.affine.forward(self.lstm.forward(self.embed.forward(xs)))

    def backward(self, dscore):
        self.embed.backward(self.lstm.backward(self.affine.backward(dscore)))
        return self.lstm.dh

    def generate(self, h, start_id, sample_size):
        sampled, sample_id = [], start_id
        self.lstm.set_state(h)
        for _ in range(sample_size):
            out = self.lstm.forward(self.embed.forward(np.array(sample_id).reshape((1, 1))))
            sample_id = np.argmax(self.affine.forward(out).flatten())
            sampled.append(int(sample_id))
        return sampled


class Seq2seq(BaseModel):
    def __init__(self, V, D, H):
        self.encoder, self.decoder, self.softmax = Encoder(V, D, H), Decoder(V, D, H), TimeSoftmaxWithLoss()
        self.params = self.encoder.params + self.decoder.params
        self.grads = self.encoder.grads + self.decoder.grads

    def forward(self, xs, ts):
        return self.softmax.forward(self.decoder.forward(ts[:, :-1], self.encoder.forward(xs)), ts[:, 1:])

    def backward(self, dout=1):
        return self.encoder.backward(self.decoder.backward(self.softmax.backward(dout)))

    def generate(self, xs, start_id, sample_size):
        return self.decoder.generate(self.encoder.forward(xs), start_id, sample_size)
