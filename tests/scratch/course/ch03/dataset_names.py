import sys, os
sys.path.append(os.pardir)
from dataset.mnist import *
from dataset.mnist import _change_one_hot_label, _convert_numpy, _download, _load_img, _load_label

init_mnist()
download_mnist()
_download(key_file['train_img'])
print(url_base.startswith('https://'), os.path.isdir(dataset_dir), os.path.basename(save_file))
print(train_num, test_num, img_dim, img_size, sorted(key_file))
dataset = _convert_numpy()
print({key: (value.shape, str(value.dtype)) for key, value in dataset.items()})
print(np.array_equal(_load_img(key_file['test_img']), dataset['test_img']), _load_label(key_file['test_label'])[:5])
print(_change_one_hot_label(dataset['test_label'][:2]))
