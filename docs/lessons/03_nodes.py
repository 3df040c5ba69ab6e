# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 3. Nodes as layers
#
# We now make each node a class with two methods. `forward` computes, and remembers what `backward` will need. `backward` takes
# `dout`, the upstream gradient, and returns the gradients of its inputs. An addition passes `dout` on to both sides; a
# multiplication passes it on multiplied by the other number.

# %%
class Add:
    def forward(self, x, y):
        return x + y

    def backward(self, dout):
        return dout, dout


class Multiply:
    def forward(self, x, y):
        self.x, self.y = x, y
        return x * y

    def backward(self, dout):
        return dout * self.y, dout * self.x


# %% [markdown]
# Two apples at 100 and three oranges at 150, with tax. Layers are combined like bricks: forward in one order, backward in
# reverse.

# %%
apples, oranges, fruit, taxed = Multiply(), Multiply(), Add(), Multiply()
total = taxed.forward(fruit.forward(apples.forward(100, 2), oranges.forward(150, 3)), 1.1)

dfruit, dtax = taxed.backward(1)
dapples, doranges = fruit.backward(dfruit)
dapple_price, dapple_count = apples.backward(dapples)
dorange_price, dorange_count = oranges.backward(doranges)
print("total", round(total))
print("apple: price", round(dapple_price, 1), "count", round(dapple_count))
print("orange: price", round(dorange_price, 1), "count", round(dorange_count), "tax", dtax)

# %% [markdown]
# ## Exercise
#
# A division, `x / y`. Write `backward`. (With respect to y the derivative is `-x / y²`.)


# %% exercise="divide"
class Divide:
    def forward(self, x, y):
        self.x, self.y = x, y
        return x / y

    def backward(self, dout):
        pass  # your lines


# %%
from chainrule.lessons import check

check("divide", Divide)
