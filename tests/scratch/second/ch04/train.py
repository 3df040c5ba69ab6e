import sys
sys.path.append('..')
from common import config
import pickle
from common.np import *
from common.layers import *
from common.trainer import Trainer
from common.optimizer import Adam
from common.util import create_contexts_target, to_cpu, to_gpu, analogy, normalize
from dataset import ptb
from ch04.negative_sampling_layer import NegativeSamplingLoss


class CBOW:
    def __init__(self, vocab_size, hidden_size, window_size, corpus):
        W_in = 0.01 * np.random.randn(vocab_size, hidden_size).astype('f')
        W_out = 0.01 * np.random.randn(vocab_size, hidden_size).astype('f')
        self.in_layers = [Embedding(W_in) for _ in range(2 * window_size)]
        self.ns_loss = NegativeSamplingLoss(W_out, corpus)
        self.params, self.grads = [], []
        for layer in self.in_layers + [self.ns_loss]:
            self.params += layer.params
            self.grads += layer.grads
        self.word_vecs = W_in

    def forward(self, contexts, target):
        h = sum(layer.forward(contexts[:, i]) for i, layer in enumerate(self.in_layers)) / len(self.in_layers)
        return self.ns_loss.forward(h, target)

    def backward(self, dout=1):
        dout = self.ns_loss.backward(dout) / len(self.in_layers)
        for layer in self.in_layers:
            layer.backward(dout)


corpus, word_to_id, id_to_word = ptb.load_data('train')
corpus = np.minimum(corpus[:3000], 50)
contexts, target = create_contexts_target(corpus, 2)
if config.GPU:
    contexts, target = to_gpu(contexts), to_gpu(target)
model = CBOW(51, 8, 2, corpus)
trainer = Trainer(model, Adam(lr=0.01))
trainer.fit(contexts, target, max_epoch=3, batch_size=100, eval_interval=25)
print(trainer.loss_list[-1] < trainer.loss_list[0])
params = {'word_vecs': to_cpu(model.word_vecs).astype(np.float16), 'word_to_id': word_to_id, 'id_to_word': id_to_word}
with open('cbow_params.pkl', 'wb') as f:
    pickle.dump(params, f, -1)
with open('cbow_params.pkl', 'rb') as f:
    again = pickle.load(f)
print(again['word_vecs'].shape, type(again['word_to_id']).__name__, again['word_to_id'] == word_to_id)
a, b, c, answer = [id_to_word[i] for i in (1, 2, 3, 4)]
analogy(a, b, c, word_to_id, {i: id_to_word[i] for i in range(51)}, normalize(model.word_vecs), top=3, answer=answer)
