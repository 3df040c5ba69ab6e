"""Optimizers, clipping, averaging, schedules: five steps of a convolutional network match PyTorch's, in float64."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812 (its usual name)

import chainrule as cr
from peers.oracle import agree, tensor

STEPS = 5


def our_network() -> cr.Sequential:
    layers = (
        cr.Conv2D(3, 3, padding="same", bias=False),
        cr.BatchNorm(),
        cr.ReLU(),
        cr.MaxPool2D(2),
        cr.Flatten(),
        cr.Affine(4),
    )
    net = cr.Sequential(*layers).build((2, 6, 6), seed=0).astype("float64")
    rng = np.random.default_rng(1)
    net.values[...] += 0.1 * rng.standard_normal(net.values.size)
    return net


def their_loss(p: dict[str, torch.Tensor], x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    y = F.conv2d(x, p["0.Conv2D.W"], padding="same")
    y = F.batch_norm(y, None, None, p["1.BatchNorm.gamma"], p["1.BatchNorm.beta"], training=True)
    y = F.max_pool2d(F.relu(y), 2).flatten(1)
    return F.cross_entropy(F.linear(y, p["5.Affine.W"], p["5.Affine.b"]), labels)


def batches():
    rng = np.random.default_rng(2)
    for _ in range(STEPS):
        yield rng.standard_normal((8, 2, 6, 6)), rng.integers(0, 4, 8)


def as_theirs(name: str, array: np.ndarray) -> np.ndarray:
    """PyTorch stores a linear layer's weights as (outputs, inputs)."""
    return array.T if name.endswith("Affine.W") else array


def ours_after(optimizer: cr.Optimizer, clip: float | None = None) -> cr.Sequential:
    net, loss = our_network(), cr.SoftmaxCrossEntropy()
    for x, labels in batches():
        logits, cache = net.forward(x, train=True)
        net.backward(loss(logits, labels)[1], cache, input_gradient=False)
        if clip is not None:
            cr.clip_gradients(net, clip)
        optimizer.step(net)
    return net


def theirs_after(make, clip: float | None = None, schedule=None) -> dict[str, torch.Tensor]:
    """`make` is called with the parameters that decay and those that do not; it returns optimizers."""
    net = our_network()
    p = {name: tensor(as_theirs(name, parameter.value)) for name, parameter in net.parameters.items()}
    decaying = [p[name] for name, parameter in net.parameters.items() if parameter.decay]
    others = [p[name] for name, parameter in net.parameters.items() if not parameter.decay]
    optimizers = make(decaying, others)
    schedules = [schedule(optimizer) for optimizer in optimizers] if schedule else []
    for x, labels in batches():
        for optimizer in optimizers:
            optimizer.zero_grad()
        their_loss(p, torch.tensor(x), torch.tensor(labels)).backward()
        if clip is not None:
            norm = torch.nn.utils.get_total_norm([parameter.grad for parameter in p.values()])
            for parameter in p.values():  # clip_grad_norm_ itself adds 1e-6 to the norm
                parameter.grad *= min(clip / norm, 1)
        for step in (*optimizers, *schedules):
            step.step()
    return p


def same(net: cr.Sequential, theirs: dict[str, torch.Tensor], rtol: float = 1e-8) -> None:
    for name, parameter in net.parameters.items():
        agree(as_theirs(name, parameter.value), theirs[name], rtol)


def both(kind, **options):
    """Return one of PyTorch's optimizers with two groups, the second without decay."""

    def make(decaying, others):
        return [kind([{"params": decaying}, {"params": others, "weight_decay": 0.0}], **options)]

    return make


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (cr.SGD(0.1), both(torch.optim.SGD, lr=0.1)),
        (cr.SGD(0.1, momentum=0.9), both(torch.optim.SGD, lr=0.1, momentum=0.9)),
        (
            cr.SGD(0.05, momentum=0.9, nesterov=True, weight_decay=0.1),
            both(torch.optim.SGD, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.1),
        ),
        (cr.AdaGrad(0.1, weight_decay=0.1), both(torch.optim.Adagrad, lr=0.1, weight_decay=0.1)),
        (cr.RMSProp(0.01, weight_decay=0.1), both(torch.optim.RMSprop, lr=0.01, weight_decay=0.1)),
        (cr.Adam(0.01), both(torch.optim.Adam, lr=0.01)),
        (
            cr.Adam(0.01, beta1=0.8, beta2=0.95, weight_decay=0.1),
            both(torch.optim.Adam, lr=0.01, betas=(0.8, 0.95), weight_decay=0.1),
        ),
        (cr.AdamW(0.01, weight_decay=0.2), both(torch.optim.AdamW, lr=0.01, weight_decay=0.2)),
    ],
    ids=lambda value: repr(value) if isinstance(value, cr.Optimizer) else "",
)
def test_five_steps(ours, theirs):
    same(ours_after(ours), theirs_after(theirs))


class Matrices(torch.optim.Muon):
    """PyTorch's Muon, given a convolution's weights as a matrix (filters, window)."""

    def __init__(self, parameters, **options):
        self.matrices = [(p, torch.nn.Parameter(p.detach().reshape(len(p), -1).clone())) for p in parameters]
        super().__init__([matrix for _, matrix in self.matrices], **options)

    def step(self, closure=None):
        for parameter, matrix in self.matrices:
            matrix.grad = parameter.grad.reshape(matrix.shape).clone()
        super().step(closure)
        with torch.no_grad():
            for parameter, matrix in self.matrices:
                parameter.copy_(matrix.reshape(parameter.shape))

    def zero_grad(self, set_to_none=True):
        for parameter, _ in self.matrices:
            parameter.grad = None


def muon(decaying, others):
    matrices = Matrices(decaying, lr=0.02, momentum=0.95, weight_decay=0.1, adjust_lr_fn="original")
    return [matrices, torch.optim.AdamW(others, lr=0.02 * 0.05, weight_decay=0.0)]


def test_five_steps_of_muon(monkeypatch):
    """PyTorch iterates in bfloat16, which has three digits; here its own code runs in float64."""
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.clone)
    same(ours_after(cr.Muon(0.02, weight_decay=0.1)), theirs_after(muon))


def test_clipping():
    same(ours_after(cr.SGD(0.5), clip=0.3), theirs_after(both(torch.optim.SGD, lr=0.5), clip=0.3))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (cr.Cosine(0.1, steps=4), lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda t: cr.Cosine(1, 4)(t))),
        (cr.StepDecay(0.1, every=2), lambda o: torch.optim.lr_scheduler.StepLR(o, step_size=2)),
        (cr.Cosine(0.1, steps=8), lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=8)),
    ],
    ids=["beyond-its-end", "step", "cosine"],
)
def test_schedules(ours, theirs):
    same(
        ours_after(cr.SGD(ours, momentum=0.9)),
        theirs_after(both(torch.optim.SGD, lr=0.1, momentum=0.9), schedule=theirs),
    )


def test_weight_average_once_it_is_warm():
    net = our_network()
    average = cr.WeightAverage(0.5)
    average.update(net)
    average.steps = 1000
    module = torch.nn.Linear(net.values.size, 1, bias=False, dtype=torch.float64)
    theirs = torch.optim.swa_utils.AveragedModel(module, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.5))
    rng = np.random.default_rng(0)
    values = [net.values.copy()] + [rng.standard_normal(net.values.size) for _ in range(4)]
    for step, current in enumerate(values):
        with torch.no_grad():
            module.weight.copy_(torch.tensor(current)[None])
        theirs.update_parameters(module)
        if step:
            net.values[...] = current
            average.update(net)
    agree(average.state["values"], theirs.module.weight[0])
