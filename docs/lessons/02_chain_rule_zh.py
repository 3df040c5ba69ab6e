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
# # 2. 链式法则
#
# 复合函数就是函数的函数：`z = t²`，其中 `t = x + y`。**链式法则**说，它的导数等于各部分导数的乘积：
#
# ```
# dz/dx = dz/dt · dt/dx = 2t · 1 = 2(x + y)
# ```
#
# 在计算图中，这个乘积从右边开始，逐个节点地乘出来：
#
# ```
# x <── 2t·1 ──┐
#              + <── 2t ── ( )² <── 1
# y <── 2t·1 ──┘
# ```

# %%
x, y = 3.0, 4.0
t = x + y
z = t**2
dz = 1.0
dt = dz * 2 * t  # z = t ** 2
dx = dt * 1  # t = x + y
dy = dt * 1
print("z =", z, " dz/dx =", dx, " dz/dy =", dy)

# %% [markdown]
# 对不对？让数字来回答。**中心差分** `(f(x + h) - f(x - h)) / 2h` 比上一课的单侧差分更精确：它的误差随 h² 缩小，而不是随 h。


# %%
def f(x):
    return (x + y) ** 3


exact = 3 * (x + y) ** 2
for h in (1e-1, 1e-2, 1e-3):
    one_sided = (f(x + h) - f(x)) / h
    central = (f(x + h) - f(x - h)) / (2 * h)
    print(f"h = {h}: one-sided off by {abs(one_sided - exact):.1e}, central by {abs(central - exact):.1e}")

# %% [markdown]
# 如果一个数用在两个地方，来自两处的导数要**相加**：`w = x · x` 的导数是 `dw/dx = x + x`。记住这一点，层的偏置会用到它。

# %%
x = 3.0
first, second = x, x  # the same number in two places
dfirst, dsecond = second, first
print("dw/dx =", dfirst + dsecond)

# %% [markdown]
# ## 练习
#
# `forward` 计算 `(x + y)² · y`，这里 y 用了两次。写出 `backward`，返回对 x 和 y 的导数。


# %% exercise="chain"
class Composite:
    def forward(self, x, y):
        self.t, self.y = x + y, y
        return self.t**2 * y

    def backward(self, dout):
        pass  # your lines


# %%
from chainrule.lessons import check

check("chain", Composite, language="zh")
