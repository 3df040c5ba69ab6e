from and_gate import AND


def XOR(x1, x2):
    nand, either = 1 - AND(x1, x2), int(x1 + x2 > 0.5)
    return AND(nand, either)


if __name__ == '__main__':
    for xs in [(0, 0), (1, 0), (0, 1), (1, 1)]:
        print(str(xs) + " -> " + str(XOR(xs[0], xs[1])))
