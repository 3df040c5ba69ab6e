import matplotlib.pyplot as plt
from matplotlib.image import imread

img = imread('../dataset/lena.png')
plt.imshow(img)
plt.show()
