import sys, os
sys.path.append(os.pardir)
import numpy as np
import matplotlib.pyplot as plt
from simple_convnet import SimpleConvNet
from matplotlib.image import imread
from common.layers import Convolution
from common.util import im2col, col2im, conv_output_size

network = SimpleConvNet(input_dim=(1, 28, 28), conv_param={'filter_num': 30, 'filter_size': 5, 'pad': 0, 'stride': 1},
                        hidden_size=100, output_size=10, weight_init_std=0.01)
network.load_params("params.pkl")
img = imread('../dataset/lena_gray.png')
if img.ndim == 3:
    img = img[:, :, 0]
img = img.reshape(1, 1, *img.shape)
fig = plt.figure()
for i in range(16):
    w = network.params['W1'][i]
    w = w.reshape(1, *w.shape)
    conv_layer = Convolution(w, 0)
    out = conv_layer.forward(img)
    out = out.reshape(out.shape[2], out.shape[3])
    ax = fig.add_subplot(4, 4, i + 1, xticks=[], yticks=[])
    ax.imshow(out, cmap=plt.cm.gray_r, interpolation='nearest')
print(out.shape, conv_output_size(img.shape[2], 5, stride=1, pad=0))
col = im2col(img, 5, 5)
print(col.dtype, col2im(col, img.shape, 5, 5).shape, conv_layer.col.shape, conv_layer.col_W.shape)
plt.show()
