import sys
sys.path.append('..')
from common.np import *  # np, and GPU
from common.layers import MatMul, SoftmaxWithLoss
from common.trainer import Trainer
from common.optimizer import Adam
from common.util import preprocess, create_contexts_target, convert_one_hot


class SimpleCBOW:
    def __init__(self, vocab_size, hidden_size):
        W_in = 0.01 * np.random.randn(vocab_size, hidden_size).astype('f')
        W_out = 0.01 * np.random.randn(hidden_size, vocab_size).astype('f')
        self.in_layer0, self.in_layer1, self.out_layer = MatMul(W_in), MatMul(W_in), MatMul(W_out)
        self.loss_layer = SoftmaxWithLoss()
        self.params, self.grads = [], []
        for layer in (self.in_layer0, self.in_layer1, self.out_layer):
            self.params += layer.params
            self.grads += layer.grads
        self.word_vecs = W_in

    def forward(self, contexts, target):
        h = (self.in_layer0.forward(contexts[:, 0]) + self.in_layer1.forward(contexts[:, 1])) * 0.5
        return self.loss_layer.forward(self.out_layer.forward(h), target)

    def backward(self, dout=1):
        da = self.out_layer.backward(self.loss_layer.backward(dout))
        da *= 0.5
        self.in_layer1.backward(da)
        self.in_layer0.backward(da)


corpus, word_to_id, id_to_word = preprocess('You say goodbye and I say hello.')
contexts, target = create_contexts_target(corpus, window_size=1)
contexts, target = convert_one_hot(contexts, len(word_to_id)), convert_one_hot(target, len(word_to_id))
model = SimpleCBOW(len(word_to_id), 5)
trainer = Trainer(model, Adam())
trainer.fit(contexts, target, 700, batch_size=3)
print(GPU, contexts.shape, target.dtype, model.word_vecs.dtype, trainer.loss_list[-1] < 0.5 * trainer.loss_list[0])
