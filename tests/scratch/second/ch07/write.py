import sys
sys.path.append('..')
from common.functions import softmax
from ch06.lm import *


class TiedLmGen(TiedLm):
    def generate(self, start_id, skip_ids=None, sample_size=20):
        word_ids = [start_id]
        x = start_id
        while len(word_ids) < sample_size:
            p = softmax(self.predict(np.array(x).reshape(1, 1)).flatten())
            sampled = np.random.choice(len(p), size=1, p=p)
            if (skip_ids is None) or (sampled not in skip_ids):
                x = sampled
                word_ids.append(int(x))
        return word_ids


model = TiedLmGen()
model.load_params('../ch06/TiedLm.pkl')
words = model.generate(0, skip_ids=[59])
print(len(words), 59 in words, {type(word) for word in words} == {int})
