import collections
from common.np import *
from common.layers import Embedding, SigmoidWithLoss


class EmbeddingDot:
    def __init__(self, W):
        self.embed = Embedding(W)
        self.params, self.grads = self.embed.params, self.embed.grads

    def forward(self, h, idx):
        target_W = self.embed.forward(idx)
        self.cache = (h, target_W)
        return np.sum(target_W * h, axis=1)

    def backward(self, dout):
        h, target_W = self.cache
        dout = dout.reshape(-1, 1)
        self.embed.backward(dout * h)
        return dout * target_W


class NegativeSamplingLoss:
    def __init__(self, W, corpus, power=0.75, sample_size=5):
        self.sample_size = sample_size
        counts = collections.Counter(corpus.tolist())
        self.word_p = np.array([counts[i] for i in range(len(W))]) ** power
        self.loss_layers = [SigmoidWithLoss() for _ in range(sample_size + 1)]
        self.embed_dot_layers = [EmbeddingDot(W) for _ in range(sample_size + 1)]
        self.params, self.grads = [], []
        for layer in self.embed_dot_layers:
            self.params += layer.params
            self.grads += layer.grads

    def forward(self, h, target):
        p = self.word_p / self.word_p.sum()
        negative = np.random.choice(len(p), size=(len(target), self.sample_size), replace=True, p=p)
        labels = np.ones(len(target), dtype=np.int32)
        loss = self.loss_layers[0].forward(self.embed_dot_layers[0].forward(h, target), labels)
        for i in range(self.sample_size):
            score = self.embed_dot_layers[1 + i].forward(h, negative[:, i])
            loss += self.loss_layers[1 + i].forward(score, np.zeros(len(target), dtype=np.int32))
        return loss

    def backward(self, dout=1):
        return sum(l1.backward(l0.backward(dout)) for l0, l1 in zip(self.loss_layers, self.embed_dot_layers))
