"""Weights of typical PyTorch and Keras models are matched by their names."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
import pytest
import torch
from keras import layers as K  # noqa: N812 (as Keras's own examples)
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch
from torch import nn

import chainrule as cr
from chainrule.errors import ModelFileError
from chainrule.io import load_weights


class Plain(nn.Module):
    """PyTorch's own MNIST example, but narrower."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3)
        self.conv2 = nn.Conv2d(4, 8, 3)
        self.dropout1 = nn.Dropout(0.25)
        self.fc1 = nn.Linear(8 * 4 * 4, 16)
        self.fc2 = nn.Linear(16, 16)
        self.fc3 = nn.Linear(16, 10)

    def forward(self, x):
        x = torch.relu(self.conv2(torch.relu(self.conv1(x))))
        x = torch.flatten(self.dropout1(torch.max_pool2d(x, 2)), 1)
        return self.fc3(torch.relu(self.fc2(torch.relu(self.fc1(x)))))


def plain():
    convolutions = [cr.Conv2D(4, 3), cr.ReLU(), cr.Conv2D(8, 3), cr.ReLU(), cr.MaxPool2D(2), cr.Dropout(0.25)]
    return [*convolutions, cr.Flatten(), cr.Affine(16), cr.ReLU(), cr.Affine(16), cr.ReLU(), cr.Affine(10)]


class Block(nn.Module):
    """ResNet's basic block with torchvision's names, or those of the CIFAR variants."""

    def __init__(self, inputs, outputs, stride, short):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.short = short
        if stride != 1 or inputs != outputs:
            down = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
            setattr(self, short, down)

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(y + getattr(self, self.short, nn.Identity())(x))


class Bottleneck(nn.Module):
    def __init__(self, inputs, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        if stride != 1 or inputs != 4 * width:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width)
            )

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        y = self.bn3(self.conv3(torch.relu(self.bn2(self.conv2(y)))))
        return torch.relu(y + (self.downsample(x) if hasattr(self, "downsample") else x))


class ResNet(nn.Module):
    def __init__(self, blocks, last):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.layer1, self.layer2, self.layer3 = (nn.Sequential(*part) for part in blocks)
        self.fc = nn.Linear(last, 5)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        return self.fc(self.layer3(self.layer2(self.layer1(x))).mean((2, 3)))


def basic(short):
    widths = [(8, 8, 1), (8, 8, 1)], [(8, 16, 2), (16, 16, 1)], [(16, 32, 2), (32, 32, 1)]
    return ResNet([[Block(*width, short) for width in part] for part in widths], 32)


def convolution(filters, size, stride=1):
    return [cr.Conv2D(filters, size, stride, padding=size // 2, bias=False), cr.BatchNorm()]


def basic_here(shortcut_first=False):
    def block(inputs, outputs, stride):
        main = [*convolution(outputs, 3, stride), cr.ReLU(), *convolution(outputs, 3)]
        if stride == 1:
            return [cr.Residual(*main), cr.ReLU()]
        branches = [cr.Sequential(*main), cr.Sequential(*convolution(outputs, 1, stride))]
        return [cr.Parallel(*(reversed(branches) if shortcut_first else branches), join="sum"), cr.ReLU()]

    parts = [(8, 8, 1), (8, 8, 1), (8, 16, 2), (16, 16, 1), (16, 32, 2), (32, 32, 1)]
    return [
        *convolution(8, 3),
        cr.ReLU(),
        *(x for part in parts for x in block(*part)),
        cr.GlobalAvgPool2D(),
        cr.Affine(5),
    ]


def bottlenecks():
    parts = [(8, 8, 1), (32, 8, 1)], [(32, 16, 2), (64, 16, 1)], [(64, 32, 2), (128, 32, 1)]
    return ResNet([[Bottleneck(*width) for width in part] for part in parts], 128)


def bottlenecks_here():
    def block(inputs, width, stride):
        main = [
            *convolution(width, 1),
            cr.ReLU(),
            *convolution(width, 3, stride),
            cr.ReLU(),
            *convolution(4 * width, 1),
        ]
        if inputs == 4 * width:
            return [cr.Residual(*main), cr.ReLU()]
        down = cr.Sequential(*convolution(4 * width, 1, stride))
        return [cr.Parallel(cr.Sequential(*main), down, join="sum"), cr.ReLU()]

    parts = [(8, 8, 1), (32, 8, 1), (32, 16, 2), (64, 16, 1), (64, 32, 2), (128, 32, 1)]
    return [
        *convolution(8, 3),
        cr.ReLU(),
        *(x for part in parts for x in block(*part)),
        cr.GlobalAvgPool2D(),
        cr.Affine(5),
    ]


class Lines(nn.Module):
    """A shortcut that is numbered like the other layers, as in "Dive into Deep Learning"."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2, self.conv3 = nn.Conv2d(3, 6, 3, 2, 1), nn.Conv2d(6, 6, 3, 1, 1), nn.Conv2d(3, 6, 1, 2)
        self.bn1, self.bn2, self.bn3 = (nn.BatchNorm2d(6) for _ in range(3))

    def forward(self, x):
        return self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x))))) + self.bn3(self.conv3(x))


def lines_here():
    def layer(size, stride):
        return [cr.Conv2D(6, size, stride, padding=size // 2), cr.BatchNorm()]

    main = cr.Sequential(*layer(3, 2), cr.ReLU(), *layer(3, 1))
    return [cr.Parallel(cr.Sequential(*layer(1, 2)), main, join="sum")]


def inverted(inputs, outputs, stride, here):
    """MobileNetV2's block as a list of PyTorch's modules or ours."""
    wide = 3 * inputs
    if here:
        depthwise = [cr.Conv2D(wide, 3, stride, padding=1, groups=wide, bias=False), cr.BatchNorm(), cr.Clip(0, 6)]
        main = [*convolution(wide, 1), cr.Clip(0, 6), *depthwise, *convolution(outputs, 1)]
        return [cr.Residual(*main)] if inputs == outputs and stride == 1 else main
    one = nn.Sequential(nn.Conv2d(inputs, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU6())
    depthwise = nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False)
    two = nn.Sequential(depthwise, nn.BatchNorm2d(wide), nn.ReLU6())
    return Inverted(
        nn.Sequential(one, two, nn.Conv2d(wide, outputs, 1, bias=False), nn.BatchNorm2d(outputs)), inputs == outputs
    )


class Inverted(nn.Module):
    def __init__(self, conv, adds):
        super().__init__()
        self.conv, self.adds = conv, adds

    def forward(self, x):
        return x + self.conv(x) if self.adds else self.conv(x)


MOBILE = [(4, 8, 2), (8, 8, 1), (8, 8, 1), (8, 12, 2), (12, 12, 1)]


def mobile():
    features = [nn.Sequential(nn.Conv2d(3, 4, 3, 1, 1, bias=False), nn.BatchNorm2d(4), nn.ReLU6())]
    features += [inverted(*widths, here=False) for widths in MOBILE]
    head = {"features": nn.Sequential(*features), "pool": nn.AdaptiveAvgPool2d(1), "flat": nn.Flatten()}
    named = nn.Sequential()
    for name, module in {**head, "classifier": nn.Sequential(nn.Dropout(), nn.Linear(12, 5))}.items():
        named.add_module(name, module)
    return named


def mobile_here():
    blocks = [x for widths in MOBILE for x in inverted(*widths, here=True)]
    return [*convolution(4, 3), cr.Clip(0, 6), *blocks, cr.GlobalAvgPool2D(), cr.Affine(5)]


def deep():
    """More than ten modules, all of one shape, with every kind of layer that has arrays."""
    modules = []
    for _ in range(3):
        modules += [
            nn.Linear(8, 8),
            nn.BatchNorm1d(8),
            nn.PReLU(8),
            nn.Linear(8, 8, bias=False),
            nn.LayerNorm(8),
            nn.PReLU(),
        ]
    return nn.Sequential(*modules, nn.GroupNorm(2, 8), nn.Linear(8, 8))


def deep_here():
    layers = []
    for _ in range(3):
        layers += [cr.Affine(8), cr.BatchNorm(), cr.PReLU(shared=False), cr.Affine(8), cr.LayerNorm(), cr.PReLU()]
    return [*layers, cr.GroupNorm(2), cr.Affine(8)]


class Text(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(20, 6)
        self.hidden = nn.Linear(30, 12)
        self.output = nn.Linear(12, 3)

    def forward(self, x):
        return self.output(torch.relu(self.hidden(self.embedding(x).flatten(1))))


def text_here():
    return [cr.Embedding(20, 6), cr.Flatten(), cr.Affine(12), cr.ReLU(), cr.Affine(3)]


def grouped():
    parts = [
        nn.Conv2d(4, 8, 3, groups=2),
        nn.InstanceNorm2d(8, affine=True),
        nn.Conv2d(8, 8, 3, groups=8),
        nn.GroupNorm(4, 8),
    ]
    return nn.Sequential(*parts, nn.Conv2d(8, 8, 3, groups=8), nn.PReLU(8), nn.LayerNorm([8, 2, 2]))


def grouped_here():
    parts = [cr.Conv2D(8, 3, groups=2), cr.InstanceNorm(), cr.Conv2D(8, 3, groups=8), cr.GroupNorm(4)]
    return [*parts, cr.Conv2D(8, 3, groups=8), cr.PReLU(shared=False), cr.LayerNorm(axes=3)]


def signals():
    parts = [
        nn.Conv1d(4, 6, 3),
        nn.PReLU(6),
        nn.Conv1d(6, 6, 3, groups=6),
        nn.Conv1d(6, 6, 3, groups=6),
        nn.Linear(6, 6),
    ]
    return nn.Sequential(
        *parts, nn.RMSNorm(6, 1e-5), nn.Linear(6, 6), nn.Flatten(), nn.Linear(36, 36), nn.Linear(36, 36)
    )


def signals_here():
    parts = [cr.Conv1D(6, 3), cr.PReLU(shared=False), cr.Conv1D(6, 3, groups=6), cr.Conv1D(6, 3, groups=6)]
    parts += [cr.PointwiseAffine(6), cr.RMSNorm(), cr.PointwiseAffine(6), cr.Flatten(), cr.Affine(36), cr.Affine(36)]
    return parts


def growing():
    return nn.Sequential(
        nn.ConvTranspose2d(4, 4, 2, 2), nn.ConvTranspose2d(4, 4, 2, 2), nn.ConvTranspose2d(4, 6, 3, 1, groups=2)
    )


def growing_here():
    return [*(cr.ConvTranspose2D(4, 2, stride=2) for _ in range(2)), cr.ConvTranspose2D(6, 3, groups=2)]


def parallel(make):
    """With the name prefixes of `DataParallel` and `torch.compile`."""
    return lambda: nn.Sequential(make())


def shaken(model):
    """Return the model with random values in every array, so that no two are equal."""
    generator = torch.Generator().manual_seed(3)
    for name, value in model.state_dict().items():
        if value.dtype.is_floating_point:
            drawn = torch.rand(value.shape, generator=generator)
            value.copy_(drawn + 0.5 if "var" in name or value.ndim == 1 else (drawn - 0.5) / np.sqrt(value[0].numel()))
    return model.eval()


TORCH = {
    "plain": (Plain, plain, (1, 12, 12)),
    "torchvision": (lambda: basic("downsample"), basic_here, (3, 16, 16)),
    "shortcut first": (lambda: basic("shortcut"), lambda: basic_here(shortcut_first=True), (3, 16, 16)),
    "bottlenecks": (bottlenecks, bottlenecks_here, (3, 16, 16)),
    "parallel": (parallel(bottlenecks), bottlenecks_here, (3, 16, 16)),
    "numbered shortcut": (Lines, lines_here, (3, 9, 9)),
    "mobile": (mobile, mobile_here, (3, 16, 16)),
    "deep": (deep, deep_here, (8,)),
    "grouped": (grouped, grouped_here, (4, 8, 8)),
    "signals": (signals, signals_here, (4, 12)),
    "growing": (growing, growing_here, (4, 3, 2)),
    "text": (Text, text_here, (5,)),
}


@pytest.mark.parametrize("name", TORCH)
def test_pytorchs_usual_names_pair_by_themselves(name, tmp_path):
    make, layers, shape = TORCH[name]
    torch.manual_seed(1)
    model = shaken(make())
    state = {name: value.contiguous() for name, value in model.state_dict().items()}
    save_torch(state, tmp_path / "model.safetensors")  # this sorts the names
    net = cr.Sequential(*layers()).build(shape, seed=0)
    load_weights(net, tmp_path / "model.safetensors")
    x = torch.randint(20, (7, *shape)) if name == "text" else torch.randn(7, *shape)
    np.testing.assert_allclose(net(x.numpy()), model(x).detach().numpy(), rtol=1e-4, atol=1e-4)


# ---- Keras ----


def keras_plain():
    return [
        K.Conv2D(4, 3),
        K.BatchNormalization(epsilon=1e-5),
        K.ReLU(),
        K.Conv2D(4, 3, padding="same", groups=2),
        K.PReLU(shared_axes=[1, 2]),
        K.DepthwiseConv2D(3, depth_multiplier=2),
        K.MaxPooling2D(2),
        K.Dropout(0.3),
        K.Flatten(),
        K.BatchNormalization(epsilon=1e-5),
        K.PReLU(),
        K.Dense(12, activation="relu"),
        K.LayerNormalization(epsilon=1e-5),
        K.Dense(12, activation="relu", use_bias=False),
        K.Dense(12),
    ]


def keras_plain_here():
    return [
        *(
            cr.Conv2D(4, 3),
            cr.BatchNorm(),
            cr.ReLU(),
            cr.Conv2D(4, 3, padding="same", groups=2),
            cr.PReLU(shared=False),
        ),
        *(cr.Conv2D(8, 3, groups=4), cr.MaxPool2D(2), cr.Dropout(0.3), cr.Flatten(), cr.BatchNorm()),
        *(cr.PReLU(shared=False), cr.Affine(12), cr.ReLU(), cr.LayerNorm(), cr.Affine(12), cr.ReLU(), cr.Affine(12)),
    ]


def keras_separable():
    return [
        *(K.SeparableConv2D(6, 3), K.GroupNormalization(3, epsilon=1e-5), K.SeparableConv2D(6, 3)),
        *(K.GlobalAveragePooling2D(), K.Dense(6), K.Dense(6)),
    ]


def keras_separable_here():
    def separable(inputs):
        return [cr.Conv2D(inputs, 3, groups=inputs, bias=False), cr.Conv2D(6, 1)]

    return [*separable(3), cr.GroupNorm(3), *separable(6), cr.GlobalAvgPool2D(), cr.Affine(6), cr.Affine(6)]


def keras_growing():
    return [K.Conv2DTranspose(3, 2, strides=2), K.Conv2DTranspose(3, 2, strides=2), K.Flatten(), K.Dense(6)]


def keras_growing_here():
    return [*(cr.ConvTranspose2D(3, 2, stride=2) for _ in range(2)), cr.Flatten(), cr.Affine(6)]


def keras_short():
    return [
        K.Conv1D(4, 3, activation="relu"),
        K.Conv1D(4, 3, groups=2),
        K.Flatten(),
        K.LayerNormalization(epsilon=1e-5),
        K.Dense(6),
    ]


def keras_short_here():
    return [cr.Conv1D(4, 3), cr.ReLU(), cr.Conv1D(4, 3, groups=2), cr.Flatten(), cr.LayerNorm(), cr.Affine(6)]


KERAS = {
    "plain": (keras_plain, keras_plain_here, (3, 8, 7)),
    "separable": (keras_separable, keras_separable_here, (3, 8, 7)),
    "growing": (keras_growing, keras_growing_here, (3, 4, 2)),
    "short": (keras_short, keras_short_here, (3, 9)),
}


@pytest.mark.filterwarnings("ignore")  # warnings from Keras
@pytest.mark.parametrize("ending", [".npz", ".safetensors"])
@pytest.mark.parametrize("name", KERAS)
def test_kerass_usual_names_pair_by_themselves(name, ending, tmp_path):
    keras.utils.set_random_seed(1)
    layers, ours, shape = KERAS[name]
    model = keras.Sequential([keras.Input((*shape[1:], shape[0])), *layers()])
    rng = np.random.default_rng(2)
    for weight in model.weights:
        weight.assign(
            rng.normal(0.5 if "moving" in weight.path else 0, 0.1, weight.shape) + ("variance" in weight.path)
        )
    arrays = {weight.path: np.ascontiguousarray(weight.numpy()) for weight in model.weights}
    path = tmp_path / f"model{ending}"
    np.savez(path, **arrays) if ending == ".npz" else save_file(dict(sorted(arrays.items())), path)
    net = cr.Sequential(*ours()).build(shape, seed=0)
    x = rng.random((5, *shape), np.float32)
    if name != "separable":
        with pytest.raises(ModelFileError, match="pass channels_last=True"):
            load_weights(net, path)
    load_weights(net, path, channels_last=None if name == "separable" else True)
    theirs = model.predict(np.moveaxis(x, 1, -1), verbose=0)
    np.testing.assert_allclose(net(x), theirs, rtol=1e-4, atol=1e-4)
