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
# # 3. 把节点写成层
#
# 现在把每个节点写成一个有两个方法的类。`forward` 做计算，并记住 `backward` 需要的东西；`backward` 接收上游传来的梯度 `dout`，
# 返回各个输入的梯度。加法节点把 `dout` 原样传给两边；乘法节点则乘上另一个数再传。

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
# 两个苹果（每个 100 元）、三个橘子（每个 150 元），加上消费税。层像积木一样拼起来：正向按一个次序，反向按相反的次序。

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
# ## 练习
#
# 除法节点 `x / y`。写出 `backward`。（对 y 的导数是 `-x / y²`。）


# %% exercise="divide"
class Divide:
    def forward(self, x, y):
        self.x, self.y = x, y
        return x / y

    def backward(self, dout):
        pass  # your lines


# %%
from chainrule.lessons import check

check("divide", Divide, language="zh")
