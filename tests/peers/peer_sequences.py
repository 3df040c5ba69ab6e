"""Sequence layers and sequence losses compared with PyTorch: values, states and all gradients."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import chainrule as cr
from peers.oracle import agree, compare, tensor

settings.register_profile("peers", deadline=None, max_examples=60)
settings.load_profile("peers")

SEED = st.integers(0, 2**32 - 1)
SIZE = st.integers(1, 5)
KINDS = [(cr.RNN, torch.nn.RNN), (cr.LSTM, torch.nn.LSTM), (cr.GRU, torch.nn.GRU)]


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def built(layer: cr.Layer, *shape: int, seed: int) -> cr.Layer:
    rng = np.random.default_rng(seed)
    layer.build(shape, rng)
    layer = layer.astype("float64")
    for parameter in layer.parameters.values():
        parameter.value += rng.standard_normal(parameter.shape)
    return layer


def suffixes(layer):
    """Yield the parameters of each direction of each layer: ours, and theirs."""
    for index in range(layer.layers):
        for back in range(1 + layer.bidirectional):
            yield f"_{index + 1}" * (index > 0) + "_back" * back, f"_l{index}" + "_reverse" * back


def copied(layer, theirs) -> None:
    """Copy our parameters into theirs; their second bias becomes zero where we have none."""
    own, size = layer.parameters, layer.hidden_size
    with torch.no_grad():
        for suffix, their in suffixes(layer):
            getattr(theirs, f"weight_ih{their}").copy_(torch.tensor(own[f"W{suffix}"].value.T))
            getattr(theirs, f"weight_hh{their}").copy_(torch.tensor(own[f"U{suffix}"].value.T))
            getattr(theirs, f"bias_ih{their}").copy_(torch.tensor(own[f"b{suffix}"].value))
            second = getattr(theirs, f"bias_hh{their}").zero_()
            if f"b_hidden{suffix}" in own:
                second[2 * size :] = torch.tensor(own[f"b_hidden{suffix}"].value)


@pytest.mark.parametrize(("ours", "theirs"), KINDS)
@given(SEED, SIZE, SIZE, SIZE, st.integers(1, 3), st.booleans(), st.booleans(), st.booleans())
def test_recurrent_layers(ours, theirs, seed, samples, length, size, layers, both, sequence, padded):
    layer = built(ours(size, layers, both, sequence), length, 3, seed=seed)
    module = theirs(3, size, layers, batch_first=True, bidirectional=both, dtype=torch.float64)
    copied(layer, module)
    x, places = normal(seed + 1, samples, length, 3), layers * (1 + both)
    begin = tuple(normal(seed + 2 + i, places, samples, size) for i in range(len(layer.held)))
    lengths = np.random.default_rng(seed).integers(1, length + 1, samples)
    lengths[0] = length
    mask = np.arange(length) < lengths[:, np.newaxis] if padded else None
    y, after, cache = layer.run(x, begin, mask)

    x_theirs, begin_theirs = tensor(x), tuple(map(tensor, begin))
    read = x_theirs
    if padded:
        read = torch.nn.utils.rnn.pack_padded_sequence(x_theirs, lengths, batch_first=True, enforce_sorted=False)
    y_theirs, after_theirs = module(read, begin_theirs if len(begin) > 1 else begin_theirs[0])
    after_theirs = after_theirs if len(begin) > 1 else (after_theirs,)
    if padded:
        y_theirs = torch.nn.utils.rnn.pad_packed_sequence(y_theirs, batch_first=True)[0]
    if not sequence:
        top = after_theirs[0][-1 - both :]
        y_theirs = top.swapaxes(0, 1).reshape(samples, -1)
    agree(y, y_theirs)
    for own, their in zip(after, after_theirs, strict=True):
        agree(own, their)

    dy, dafter = normal(seed + 5, *y.shape), [normal(seed + 6 + i, *part.shape) for i, part in enumerate(after)]
    down = [torch.tensor(d) for d in (dy, *dafter)]
    torch.autograd.backward([y_theirs, *after_theirs], down)
    dx, dbegin = layer.run_backward(dy, cache, tuple(dafter))
    agree(dx, x_theirs.grad)
    for own, their in zip(dbegin, begin_theirs, strict=True):
        agree(own, their.grad)
    for suffix, their in suffixes(layer):
        agree(layer.parameters[f"W{suffix}"].grad.T, getattr(module, f"weight_ih{their}").grad)
        agree(layer.parameters[f"U{suffix}"].grad.T, getattr(module, f"weight_hh{their}").grad)
        agree(layer.parameters[f"b{suffix}"].grad, getattr(module, f"bias_ih{their}").grad)
        if f"b_hidden{suffix}" in layer.parameters:
            agree(layer.parameters[f"b_hidden{suffix}"].grad, getattr(module, f"bias_hh{their}").grad[2 * size :])


@given(SEED, SIZE, SIZE, st.integers(1, 3), st.integers(1, 3), st.booleans(), st.booleans())
def test_attention(seed, samples, length, heads, each, causal, padded):
    features = heads * each
    layer, x = (
        built(cr.Attention(heads, causal), length, features, seed=seed),
        normal(seed + 1, samples, length, features),
    )
    module = torch.nn.MultiheadAttention(features, heads, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        module.in_proj_weight.copy_(torch.tensor(layer.W_in.value.T))
        module.in_proj_bias.copy_(torch.tensor(layer.b_in.value))
        module.out_proj.weight.copy_(torch.tensor(layer.W_out.value.T))
        module.out_proj.bias.copy_(torch.tensor(layer.b_out.value))
    lengths = np.random.default_rng(seed).integers(1, length + 1, samples)
    mask = np.arange(length) < lengths[:, np.newaxis] if padded else np.ones((samples, length), bool)
    hidden = torch.tensor(np.triu(np.ones((length, length), bool), 1)) if causal else None
    x_theirs = tensor(x)
    y_theirs, shares = module(
        x_theirs, x_theirs, x_theirs, key_padding_mask=torch.tensor(~mask), attn_mask=hidden, average_attn_weights=False
    )
    y_theirs = y_theirs * torch.tensor(mask)[:, :, None]
    y, _, cache = layer.run(x, None, mask if padded else None)
    agree(y, y_theirs)
    agree(cache[3][3], shares)
    dy = normal(seed + 2, *y.shape)
    y_theirs.backward(torch.tensor(dy))
    agree(layer.backward(dy, cache), x_theirs.grad)
    for parameter, their in (
        (layer.W_in.grad.T, module.in_proj_weight),
        (layer.b_in.grad, module.in_proj_bias),
        (layer.W_out.grad.T, module.out_proj.weight),
        (layer.b_out.grad, module.out_proj.bias),
    ):
        agree(parameter, their.grad)


@given(SEED, SIZE, SIZE, SIZE, st.integers(1, 3), st.integers(1, 3))
def test_cross_attention(seed, samples, queries, keys, heads, each):
    features = heads * each
    layer = built(cr.Attention(heads), 2, features, seed=seed)
    x, memory = normal(seed + 1, samples, queries, features), normal(seed + 2, samples, keys, features)
    x_theirs, memory_theirs = tensor(x), tensor(memory)
    W, b, V, c = (torch.tensor(p.value) for p in (layer.W_in, layer.b_in, layer.W_out, layer.b_out))
    y_theirs, _ = torch.nn.functional.multi_head_attention_forward(
        *(part.swapaxes(0, 1) for part in (x_theirs, memory_theirs, memory_theirs)),
        features, heads, W.T, b, None, None, False, 0.0, V.T, c,
    )  # fmt: skip
    y, cache = layer.attend(x, memory)
    agree(y, y_theirs.swapaxes(0, 1).contiguous())
    dy = normal(seed + 3, *y.shape)
    y_theirs.swapaxes(0, 1).backward(torch.tensor(dy))
    dx, dmemory = layer.attend_backward(dy, cache)
    agree(dx, x_theirs.grad)
    agree(dmemory, memory_theirs.grad)


@given(SEED, SIZE, SIZE, st.integers(1, 3), st.integers(1, 3), st.booleans())
def test_rotary_attention(seed, samples, length, heads, pairs, causal):
    """Queries and keys as complex numbers, times e to the i angle of their position."""
    features, d = heads * 2 * pairs, 2 * pairs
    x = normal(seed, samples, length, features)
    turn = torch.polar(
        torch.ones(length, pairs, dtype=torch.float64),
        torch.outer(torch.arange(length), 10000.0 ** (-2 * torch.arange(pairs, dtype=torch.float64) / d)),
    )

    def turned(z):
        z = torch.complex(z[..., :pairs], z[..., pairs:]) * turn
        return torch.cat((z.real, z.imag), dim=-1)

    def theirs(x, W_in, b_in, W_out, b_out):
        q, k, v = (z.unflatten(2, (heads, d)).swapaxes(1, 2) for z in (x @ W_in + b_in).chunk(3, dim=2))
        a = torch.nn.functional.scaled_dot_product_attention(turned(q), turned(k), v, is_causal=causal)
        return a.swapaxes(1, 2).flatten(2) @ W_out + b_out

    compare(cr.Attention(heads, causal, rotary=True), theirs, x, seed=seed)


@given(SEED, st.integers(1, 4), st.integers(1, 3), st.integers(1, 3))
def test_transformer_block(seed, length, heads, each):
    size = heads * each
    block = built(cr.TransformerBlock(size, heads), length, size, seed=seed)
    first, second = block.layers
    module = torch.nn.TransformerEncoderLayer(
        size, heads, 4 * size, 0.0, "gelu", batch_first=True, norm_first=True, dtype=torch.float64
    )
    attention, up, down = first.layers[1], second.layers[1], second.layers[3]
    pairs = [
        (module.self_attn.in_proj_weight, attention.W_in),
        (module.self_attn.in_proj_bias, attention.b_in),
        (module.self_attn.out_proj.weight, attention.W_out),
        (module.self_attn.out_proj.bias, attention.b_out),
        (module.linear1.weight, up.W),
        (module.linear1.bias, up.b),
        (module.linear2.weight, down.W),
        (module.linear2.bias, down.b),
        (module.norm1.weight, first.layers[0].gamma),
        (module.norm1.bias, first.layers[0].beta),
        (module.norm2.weight, second.layers[0].gamma),
        (module.norm2.bias, second.layers[0].beta),
    ]
    with torch.no_grad():
        for their, own in pairs:
            their.copy_(torch.tensor(own.value.T))
    x = normal(seed + 1, 2, length, size)
    x_theirs = tensor(x)
    y_theirs = module(x_theirs)
    y, cache = block.forward(x)
    agree(y, y_theirs, 1e-9)
    dy = normal(seed + 2, *y.shape)
    y_theirs.backward(torch.tensor(dy))
    agree(block.backward(dy, cache), x_theirs.grad, 1e-8)
    for their, own in pairs:
        agree(np.ascontiguousarray(own.grad.T), their.grad, 1e-8)


@given(SEED, SIZE, SIZE, st.integers(0, 3))
def test_positions(seed, length, features, more):
    x = normal(seed, 2, length, features)
    compare(cr.Positions(length=length + more), lambda x, P: x + P[: x.shape[1]], x, seed=seed)


@given(SEED, st.integers(1, 3), SIZE, st.integers(1, 4))
def test_tied_weights(seed, length, entries, size):
    words = cr.Embedding(entries, size)
    x = np.random.default_rng(seed).integers(0, entries, (2, length))
    net = cr.Sequential(words, cr.Tanh(), cr.Unembedding(words))
    compare(net, lambda x, W: torch.tanh(torch.nn.functional.embedding(x, W)) @ W.T, x, seed=seed)


@given(SEED, SIZE, SIZE, st.integers(2, 5), st.sampled_from([-100, 0, 1]))
def test_cross_entropy_over_sequences(seed, samples, length, classes, padding):
    rng = np.random.default_rng(seed)
    logits, labels = 5 * normal(seed, samples, length, classes), rng.integers(0, classes, (samples, length))
    if padding < 0:
        labels = np.where(rng.random(labels.shape) < 0.3, padding, labels)
    labels[0, 0] = classes - 1 if padding != classes - 1 else 0
    value, dlogits = cr.SequenceCrossEntropy(padding)(logits, labels)
    z = tensor(logits)
    expected = torch.nn.functional.cross_entropy(z.swapaxes(1, 2), torch.tensor(labels), ignore_index=padding)
    expected.backward()
    assert value == pytest.approx(expected.item(), rel=1e-11)
    agree(dlogits, z.grad)


@given(SEED, SIZE, st.integers(1, 12), st.integers(2, 5), st.data())
def test_ctc(seed, samples, steps, classes, data):
    rng = np.random.default_rng(seed)
    blank = data.draw(st.integers(0, classes - 1))
    lengths = rng.integers(1, steps + 1, samples)
    others = np.setdiff1d(np.arange(classes), [blank])
    labels = np.full((samples, steps), -1)
    for sample, length in enumerate(lengths):
        word = others[rng.integers(0, len(others), rng.integers(0, length + 1))]
        while len(word) + np.count_nonzero(word[1:] == word[:-1]) > length:
            word = word[:-1]
        labels[sample, : len(word)] = word
    logits, weights = 3 * normal(seed, samples, steps, classes), rng.random(samples) + 0.1
    value, dlogits = cr.CTC(blank)(logits, (labels, lengths), weights)
    z = tensor(logits)
    losses = torch.nn.functional.ctc_loss(
        z.log_softmax(2).swapaxes(0, 1),
        torch.tensor(np.where(labels < 0, others[0], labels)),
        torch.tensor(lengths),
        torch.tensor((labels >= 0).sum(axis=1)),
        blank,
        reduction="none",
    )
    expected = (losses * torch.tensor(weights / weights.sum())).sum()
    expected.backward()
    assert value == pytest.approx(expected.item(), rel=1e-9, abs=1e-10)
    agree(dlogits, z.grad, 1e-8)


@given(SEED, SIZE, st.integers(1, 5))
def test_negative_sampling(seed, samples, candidates):
    scores = 3 * normal(seed, samples, candidates)
    labels = np.random.default_rng(seed).integers(0, candidates, samples)
    value, dscores = cr.NegativeSampling()(scores, labels)
    z, signs = tensor(scores), torch.tensor(2.0 * np.eye(candidates)[labels] - 1)
    expected = -torch.nn.functional.logsigmoid(signs * z).sum() / samples
    expected.backward()
    assert value == pytest.approx(expected.item(), rel=1e-11)
    agree(dscores, z.grad)
