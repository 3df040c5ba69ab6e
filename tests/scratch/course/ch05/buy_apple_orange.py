from layer_naive import *

apple, orange, add, tax = MulLayer(), MulLayer(), AddLayer(), MulLayer()
price = tax.forward(add.forward(apple.forward(100, 2), orange.forward(150, 3)), 1.1)
dall, dtax = tax.backward(1)
dapple_price, dorange_price = add.backward(dall)
dapple, dapple_num = apple.backward(dapple_price)
print("price:", int(price))
print("dApple:", dapple)
print("dApple_num:", int(dapple_num))
print("dTax:", dtax)
