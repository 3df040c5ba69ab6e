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
# # 1. 计算图
#
# 太郎买了 2 个苹果，每个 100 元，消费税 10 %。要付多少钱？**苹果的单价变动一点点，总价会变多少？** 计算图能同时回答这两个问题。
# 数字从左流向右（正向传播），每个节点只做一件简单的事：
#
# ```
# 苹果单价 100 ──┐
#                × ── 200 ──┐
# 苹果个数   2 ──┘          × ── 220
# 消费税   1.1 ─────────────┘
# ```

# %%
price, count, tax = 100.0, 2.0, 1.1
apples = price * count
total = apples * tax
print("total", round(total, 6))

# %% [markdown]
# 第二个问题就是导数：让单价变动一点点，看总价变动多少。这叫**数值微分**。它很简单，但每问一个数，就要多做一次正向计算。

# %%
h = 1e-4
for name, moved in (
    ("price", (price + h) * count * tax),
    ("count", price * (count + h) * tax),
    ("tax", price * count * (tax + h)),
):
    print("d total / d", name, "=", round((moved - total) / h, 4))

# %% [markdown]
# 反向传播只需从右向左走**一遍**（反向），就能得到同样的三个数。它从末端的 1 出发（总价变 1，总价当然变 1）。每个节点把收到的数乘上
# 自己的局部导数再传下去。对乘法节点来说，局部导数就是*另一个*数：
#
# ```
# 苹果单价 <── 2.2 ──┐
#                    × <── 1.1 ──┐
# 苹果个数 <── 110 ──┘           × <── 1
# 消费税   <── 200 ──────────────┘
# ```
#
# 左边的节点不知道什么是消费税：它只收到了上游的 1.1，而这就够了。正是这种“局部性”，使任意深的网络都能求导。

# %% [markdown]
# ## 练习
#
# 写出 `backward`：它收到 `dout`（后面某个量对本层输出的导数），按顺序返回对单价、个数和税率的导数。


# %% exercise="graph"
class Shop:
    def forward(self, price, count, tax):
        self.price, self.count, self.tax = price, count, tax
        return price * count * tax

    def backward(self, dout):
        pass  # your lines


# %%
from chainrule.lessons import check

check("graph", Shop, language="zh")
