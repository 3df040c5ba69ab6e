import sys
sys.path.append('..')
from dataset import sequence
from common.optimizer import Adam
from common.trainer import Trainer
from common.util import eval_seq2seq
from seq2seq import Seq2seq

(x_train, t_train), (x_test, t_test) = sequence.load_data('addition.txt', seed=1984)
char_to_id, id_to_char = sequence.get_vocab()
print(x_train.shape, t_train.shape, x_test.shape, t_test.shape, len(char_to_id))
sums = [''.join(id_to_char[c] for c in line) for line in list(x_train[:99]) + list(t_train[:99])]
print(all(eval(q) == int(a[1:]) for q, a in zip(sums[:99], sums[99:])))
model = Seq2seq(len(char_to_id), 8, 16)
trainer = Trainer(model, Adam(0.01))
trainer.fit(x_train[:4000], t_train[:4000], max_epoch=1, batch_size=100, max_grad=5.0, eval_interval=13)
print(trainer.loss_list[-1] < trainer.loss_list[0])
right = sum(eval_seq2seq(model, x_test[[i]], t_test[[i]], id_to_char, i < 2) for i in range(20))
print(0 <= right <= 20)
