"""The benchmark's PyTorch networks do the same work: equal outputs, and equal weights after a step."""

import numpy as np
import pytest
import torch

import chainrule as cr
from chainrule.bench.dense import DENSE
from chainrule.bench.peers import pytorch, torch_sequences
from chainrule.bench.sequences import SEQUENCES
from chainrule.bench.work import RATE, Goal, Work, data, network

torch.set_num_threads(1)  # the test processes share the cores


@pytest.mark.parametrize("name", ["two-layer", "simple-conv", "lenet", "resnet-mini", *DENSE])
def test_outputs_and_a_step(name):
    net, train = network(Work(name, 1)), data(Work(name, 1))
    x, t = train.x[:32], train.y[:32].astype(np.int64)
    module = pytorch.convert(net)
    logits, cache = net.forward(x, train=True)
    theirs = module(torch.tensor(x))
    np.testing.assert_allclose(theirs.detach().numpy(), logits, rtol=1e-3, atol=1e-4)
    _, dlogits = cr.SoftmaxCrossEntropy()(logits, t)
    net.backward(dlogits, cache, input_gradient=False)
    cr.SGD(RATE).step(net)
    optimizer = torch.optim.SGD(module.parameters(), lr=RATE)
    torch.nn.CrossEntropyLoss()(theirs, torch.tensor(t)).backward()
    optimizer.step()
    after = module(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(after, net.forward(x, train=True)[0], rtol=2e-3, atol=2e-3)


def test_ways_run(small):
    train, test = small
    work = Work("two-layer", 2)
    runs = pytorch.training(network(work), work, train)
    assert "PyTorch, eager" in runs
    assert all(run() > 0 for run in runs.values())
    assert set(pytorch.inference(network(work), test.x, 2)) == {"PyTorch, eager"}
    goal = Goal("two-layer", 0.3, adam=True, most_epochs=30)
    assert 0 < pytorch.time_to(goal, network(work), train, test, 0) < 60


@pytest.mark.parametrize("work", SEQUENCES)
def test_networks_that_write(work):
    """They compute the same, which the module checks itself, and run."""
    short = work._replace(batch=2, steps=1)
    assert all(run() > 0 for run in (torch_sequences.training(short) | torch_sequences.writing(short)).values())
