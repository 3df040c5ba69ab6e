import numpy as np
import matplotlib.pyplot as plt


class Man:
    def __init__(self, name):
        self.name = name
        print("Initialized!")

    def hello(self):
        print("Hello " + self.name + "!")


m = Man("David")
m.hello()
x = np.arange(0, 6, 0.1)
plt.plot(x, np.sin(x), label="sin")
plt.plot(x, np.cos(x), linestyle="--", label="cos")
plt.xlabel("x")
plt.title("sin & cos")
plt.legend()
plt.show()
