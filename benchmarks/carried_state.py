"""Does char-lstm learn more where its state is carried from batch to batch? Bits a character at equal steps.

    python benchmarks/carried_state.py [STEPS] [SEEDS]

`windows` are drawn anywhere and begin with a state of zeros, as `chainrule train` has them; `carried` go on where the
last batch ended, with its state; `in order` go on likewise, but begin with zeros. Each is measured on the last tenth of
the text in windows that begin with zeros, and with the state carried through all of it.
"""

import sys

import numpy as np

import chainrule as cr

STEPS = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
SEEDS = int(sys.argv[2]) if len(sys.argv) > 2 else 3
BATCH, CONTEXT = 32, 64
loss = cr.SequenceCrossEntropy()


def measured(net: cr.Sequential, text: np.ndarray, carried: bool) -> float:
    """Bits a character of a text, read as `BATCH` stretches side by side."""
    begins, state, losses = np.arange(BATCH)[:, np.newaxis] * ((len(text) - 1) // BATCH), None, []
    for start in range(0, (len(text) - 1) // BATCH - CONTEXT + 1, CONTEXT):
        places = begins + start + np.arange(CONTEXT)
        logits, state, _ = net.run(text[places], state if carried else None)
        losses.append(loss(logits, text[places + 1])[0])
    return float(np.mean(losses) / np.log(2))


def trained(way: str, text: np.ndarray, tokens: int, seed: int) -> cr.Sequential:
    rng, state = np.random.default_rng(seed), None
    net, optimizer = cr.models.char_lstm(tokens).build((CONTEXT,), seed=seed), cr.Adam(0.003)
    begins = rng.integers(0, len(text), BATCH)
    for _ in range(STEPS):
        if way == "windows":
            begins = rng.integers(0, len(text), BATCH)
        places = (begins[:, np.newaxis] + np.arange(CONTEXT)) % (len(text) - 1)
        logits, state, cache = net.run(text[places], state if way == "carried" else None, train=True)
        net.backward(loss(logits, text[places + 1])[1], cache, input_gradient=False)
        optimizer.step(net)
        begins = begins + CONTEXT
    return net


train, test = cr.data.load("shakespeare", context=CONTEXT)
learned, rest = (np.asarray(part.tokens, np.int64) for part in (train, test))
for way in ("windows", "carried", "in order"):
    nets = [trained(way, learned, train.preparation.tokenizer.size, seed) for seed in range(SEEDS)]
    bits = np.array([[measured(net, rest, carried) for carried in (False, True)] for net in nets])
    spread = bits.std(axis=0, ddof=1) / np.sqrt(SEEDS) if SEEDS > 1 else np.full(2, np.nan)
    print(f"{way:9} " + "  ".join(f"{m:.3f} ({s:.3f})" for m, s in zip(bits.mean(axis=0), spread, strict=True)))
