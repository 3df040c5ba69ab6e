import sys
sys.path.append('..')
from common.optimizer import SGD
from common.trainer import RnnlmTrainer
from common.util import eval_perplexity
from dataset import ptb
from lm import *

np.random.seed(0)
corpus, _, _ = ptb.load_data('train')
corpus_test, _, _ = ptb.load_data('test')
corpus, corpus_test = np.minimum(corpus[:6000], 59), np.minimum(corpus_test[:2000], 59)
model = TiedLm()
trainer = RnnlmTrainer(model, SGD(2.0))
trainer.fit(corpus[:-1], corpus[1:], max_epoch=2, batch_size=20, time_size=15, max_grad=0.25, eval_interval=10)
model.reset_state()
ppl = eval_perplexity(model, corpus_test)
print('better than chance:', ppl < 50)
model.save_params()
again = TiedLm()
again.load_params()
print('rounded alike:', np.abs(eval_perplexity(again, corpus_test) - ppl) < 0.05)
