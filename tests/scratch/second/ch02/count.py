import sys
sys.path.append('..')
import numpy as np
from common.util import preprocess, create_co_matrix, cos_similarity, ppmi, most_similar
from dataset import ptb

text = 'The cat sat on the mat. The dog sat on the log.'
corpus, word_to_id, id_to_word = preprocess(text)
C = create_co_matrix(corpus, len(word_to_id), window_size=1)
W = ppmi(C)
print(corpus, C.dtype, W.dtype)
print('%.4f' % cos_similarity(C[word_to_id['cat']], C[word_to_id['dog']]))
most_similar('cat', word_to_id, id_to_word, C, top=2)
most_similar('bird', word_to_id, id_to_word, C)
corpus, word_to_id, id_to_word = ptb.load_data('train')
print('%d words, %d known' % (len(corpus), len(word_to_id)))
print(word_to_id['lexus'] == word_to_id['<unk>'], 'lexus' in word_to_id, id_to_word[0])
for part in 'val', 'test':
    print(part, max(ptb.load_data(part)[0]) < len(word_to_id))
