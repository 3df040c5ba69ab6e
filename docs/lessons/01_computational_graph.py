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
# # 1. The computational graph
#
# Tom buys 2 apples at 100 each, with 10 % tax. How much does he pay, and **how much does that change if the price of an apple
# changes a little?** A computational graph answers both. Numbers flow from left to right (forward), and every node does one
# simple thing:
#
# ```
# apple price 100 ──┐
#                   × ── 200 ──┐
# apples        2 ──┘          × ── 220
# tax         1.1 ─────────────┘
# ```

# %%
price, count, tax = 100.0, 2.0, 1.1
apples = price * count
total = apples * tax
print("total", round(total, 6))

# %% [markdown]
# The second question asks for a derivative: change the price a little, and see how much the total changes. This is **numerical
# differentiation**. It is simple, and it needs one more forward pass for every number that we ask about.

# %%
h = 1e-4
for name, moved in (
    ("price", (price + h) * count * tax),
    ("count", price * (count + h) * tax),
    ("tax", price * count * (tax + h)),
):
    print("d total / d", name, "=", round((moved - total) / h, 4))

# %% [markdown]
# Backpropagation gets the same three numbers in **one** pass from right to left (backward). It starts with 1 at the end,
# since the total changes by 1 when the total changes by 1. Each node multiplies what arrives by its own local derivative and
# passes it on. For a multiplication the local derivative is the *other* number:
#
# ```
# apple price  <── 2.2 ──┐
#                        × <── 1.1 ──┐
# apples       <── 110 ──┘           × <── 1
# tax          <── 200 ──────────────┘
# ```
#
# The left node knows nothing about taxes: it received 1.1, and that was all it needed. Because every node works locally,
# networks of any depth can be differentiated.

# %% [markdown]
# ## Exercise
#
# Write `backward`: it receives `dout`, the derivative of the final result with respect to this layer's output, and returns the
# derivatives with respect to price, count and tax, in this order.


# %% exercise="graph"
class Shop:
    def forward(self, price, count, tax):
        self.price, self.count, self.tax = price, count, tax
        return price * count * tax

    def backward(self, dout):
        pass  # your lines


# %%
from chainrule.lessons import check

check("graph", Shop)
