"""Typical plain PyTorch networks, small enough to be exported many times.

Each is `Entry(name, make, shape)`: `make()` returns the module with statistics that differ from the initial ones, and
`shape` is the shape of one sample.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 (as everybody calls it)

__all__ = ["NETWORKS", "Entry", "MobileNetV2", "ResNet18", "UNet"]


class Entry(NamedTuple):
    """entries: number of different indices of an index input; train: exported in training mode."""

    name: str
    make: Callable[[], nn.Module]
    shape: tuple[int, ...]
    entries: int | None = None
    train: bool = False


class MnistExample(nn.Module):
    """The network of PyTorch's own MNIST example, on 14 x 14 pixels."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, 1)
        self.conv2 = nn.Conv2d(8, 16, 3, 1)
        self.dropout1 = nn.Dropout(0.25)
        self.dropout2 = nn.Dropout(0.5)
        self.fc1 = nn.Linear(400, 32)
        self.fc2 = nn.Linear(32, 10)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = self.dropout1(F.max_pool2d(x, 2))
        x = torch.flatten(x, 1)
        x = self.dropout2(F.relu(self.fc1(x)))
        return F.log_softmax(self.fc2(x), dim=1)


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x):
        x = F.avg_pool2d(torch.tanh(self.conv1(x)), 2)
        x = F.avg_pool2d(torch.tanh(self.conv2(x)), 2)
        x = x.view(x.size(0), -1)
        return F.softmax(self.fc3(torch.sigmoid(self.fc2(torch.tanh(self.fc1(x))))), dim=-1)


def activations() -> nn.Module:
    kinds = [nn.ReLU(), nn.LeakyReLU(0.1), nn.ELU(), nn.SELU(), nn.PReLU(), nn.GELU(), nn.GELU("tanh"), nn.SiLU()]
    kinds += [nn.Mish(), nn.Hardswish(), nn.Hardsigmoid(), nn.ReLU6(), nn.Softplus(), nn.Tanh(), nn.Sigmoid()]
    kinds += [nn.Hardtanh(-2.0, 2.0), nn.PReLU(12)]
    layers: list[nn.Module] = [nn.Linear(20, 12)]
    for kind in kinds:
        layers += [kind, nn.Linear(12, 12)]
    return nn.Sequential(*layers, nn.LogSoftmax(1))


def rare_activations() -> nn.Module:
    kinds = [nn.CELU(0.5), nn.Softsign(), nn.LogSigmoid(), nn.Tanhshrink(), nn.GLU()]
    return nn.Sequential(nn.Linear(20, 12), *kinds, nn.Linear(6, 3), nn.Softmax(dim=1))


def vgg() -> nn.Module:
    layers: list[nn.Module] = []
    before = 3
    for width in (8, 16, 16):
        layers += [nn.Conv2d(before, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(True)]
        layers += [nn.Conv2d(width, width, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2, 2)]
        before = width
    head = [nn.Flatten(), nn.Linear(256, 32), nn.ReLU(True), nn.Dropout(), nn.Linear(32, 10)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d((4, 4)), *head)


class BasicBlock(nn.Module):
    def __init__(self, before, width, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = None
        if stride != 1 or before != width:
            self.downsample = nn.Sequential(nn.Conv2d(before, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x):
        identity = x if self.downsample is None else self.downsample(x)
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(out)) + identity)


class ResNet18(nn.Module):
    """He et al. 2015, as laid out in torchvision; `width` 64 is the paper's."""

    def __init__(self, width=64, classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        blocks: list[nn.Module] = []
        before = width
        for stage in range(4):
            after = width * 2**stage
            blocks += [BasicBlock(before, after, 1 if stage == 0 else 2), BasicBlock(after, after)]
            before = after
        self.layers = nn.Sequential(*blocks)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(before, classes)

    def forward(self, x):
        x = self.maxpool(F.relu(self.bn1(self.conv1(x))))
        x = self.avgpool(self.layers(x))
        return self.fc(torch.flatten(x, 1))


class InvertedResidual(nn.Module):
    def __init__(self, before, after, stride, expand):
        super().__init__()
        hidden = before * expand
        self.use_res_connect = stride == 1 and before == after
        layers: list[nn.Module] = []
        if expand != 1:
            layers += [nn.Conv2d(before, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU6(True)]
        layers += [nn.Conv2d(hidden, hidden, 3, stride, 1, groups=hidden, bias=False), nn.BatchNorm2d(hidden)]
        layers += [nn.ReLU6(True), nn.Conv2d(hidden, after, 1, bias=False), nn.BatchNorm2d(after)]
        self.conv = nn.Sequential(*layers)

    def forward(self, x):
        return x + self.conv(x) if self.use_res_connect else self.conv(x)


class MobileNetV2(nn.Module):
    """Sandler et al. 2018, as laid out in torchvision; `scale` 1 is the paper's."""

    def __init__(self, scale=1.0, classes=10):
        super().__init__()

        def wide(width):
            return max(8, int(width * scale + 4) // 8 * 8)

        before = wide(32)
        layers: list[nn.Module] = [
            nn.Sequential(nn.Conv2d(3, before, 3, 2, 1, bias=False), nn.BatchNorm2d(before), nn.ReLU6(True))
        ]
        table = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2)]
        for expand, width, count, stride in [*table, (6, 320, 1, 1)]:
            for index in range(count):
                layers.append(InvertedResidual(before, wide(width), stride if index == 0 else 1, expand))
                before = wide(width)
        last = wide(1280)
        layers.append(nn.Sequential(nn.Conv2d(before, last, 1, bias=False), nn.BatchNorm2d(last), nn.ReLU6(True)))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(last, classes))

    def forward(self, x):
        x = F.adaptive_avg_pool2d(self.features(x), (1, 1)).reshape(x.shape[0], -1)
        return self.classifier(x)


class SqueezeExcitation(nn.Module):
    def __init__(self, width, squeezed):
        super().__init__()
        self.fc1 = nn.Conv2d(width, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, width, 1)

    def forward(self, x):
        scale = F.adaptive_avg_pool2d(x, 1)
        return x * F.hardsigmoid(self.fc2(F.relu(self.fc1(scale))))


class SELayer(nn.Module):
    """Squeeze-and-excitation with linear layers, as in most repositories."""

    def __init__(self, width, reduction=4):
        super().__init__()
        self.avg_pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Sequential(
            nn.Linear(width, width // reduction, bias=False),
            nn.ReLU(inplace=True),
            nn.Linear(width // reduction, width, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x):
        b, c, _, _ = x.size()
        y = self.fc(self.avg_pool(x).view(b, c)).view(b, c, 1, 1)
        return x * y.expand_as(x)


class MobileNetV3(nn.Module):
    """Two blocks of Howard et al. 2019."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.Hardswish())
        self.expand = nn.Sequential(nn.Conv2d(8, 16, 1, bias=False), nn.BatchNorm2d(16), nn.Hardswish())
        self.depth = nn.Sequential(
            nn.Conv2d(16, 16, 5, 1, 2, groups=16, bias=False), nn.BatchNorm2d(16), nn.Hardswish()
        )
        self.se = SqueezeExcitation(16, 4)
        self.project = nn.Sequential(nn.Conv2d(16, 8, 1, bias=False), nn.BatchNorm2d(8))
        self.classifier = nn.Sequential(nn.Linear(8, 16), nn.Hardswish(), nn.Dropout(0.2), nn.Linear(16, 10))

    def forward(self, x):
        x = self.stem(x)
        x = x + self.project(self.se(self.depth(self.expand(x))))
        return self.classifier(x.mean([2, 3]))


class SEResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, padding=1)
        self.bn = nn.BatchNorm2d(16)
        self.se = SELayer(16)
        self.fc = nn.Linear(16, 10)

    def forward(self, x):
        x = F.silu(self.bn(self.conv(x)))
        x = F.relu(self.se(x) + x)
        return self.fc(F.adaptive_avg_pool2d(x, 1).squeeze(-1).squeeze(-1))


class DoubleConv(nn.Module):
    def __init__(self, before, after):
        super().__init__()
        self.double_conv = nn.Sequential(
            nn.Conv2d(before, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(inplace=True),
            nn.Conv2d(after, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(inplace=True),
        )

    def forward(self, x):
        return self.double_conv(x)


class UNet(nn.Module):
    """Ronneberger et al. 2015; the smaller map is padded to the larger's size, as in the most used repository."""

    def __init__(self, width=8, bilinear=False, classes=2):
        super().__init__()
        self.inc = DoubleConv(3, width)
        self.down1 = DoubleConv(width, width * 2)
        self.down2 = DoubleConv(width * 2, width * (2 if bilinear else 4))
        if bilinear:
            self.up1: nn.Module = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
            self.up2: nn.Module = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
        else:
            self.up1 = nn.ConvTranspose2d(width * 4, width * 2, 2, stride=2)
            self.up2 = nn.ConvTranspose2d(width * 2, width, 2, stride=2)
        self.conv1 = DoubleConv(width * 4, width if bilinear else width * 2)
        self.conv2 = DoubleConv(width * 2, width)
        self.outc = nn.Conv2d(width, classes, 1)

    def forward(self, x):
        x1 = self.inc(x)
        x2 = self.down1(F.max_pool2d(x1, 2))
        x3 = self.down2(F.max_pool2d(x2, 2))
        y = self.conv1(_beside(x2, self.up1(x3)))
        return self.outc(self.conv2(_beside(x1, self.up2(y))))


def _beside(skip, x):
    dy, dx = skip.size()[2] - x.size()[2], skip.size()[3] - x.size()[3]
    x = F.pad(x, [dx // 2, dx - dx // 2, dy // 2, dy - dy // 2])
    return torch.cat([skip, x], dim=1)


class NearestUNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.skip = nn.Conv2d(3, 4, 3, padding=1)
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.out = nn.Conv2d(12, 3, 3, padding=1)

    def forward(self, x):
        skip = F.leaky_relu(self.skip(x), 0.2)
        deep = self.up(F.leaky_relu(self.down(x), 0.2))
        deep = F.interpolate(deep, size=skip.shape[2:], mode="bilinear", align_corners=False)
        return torch.tanh(self.out(torch.cat((skip, deep), 1)))


class DenseNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv0 = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(8 + 4 * index) for index in range(3))
        self.convs = nn.ModuleList(nn.Conv2d(8 + 4 * index, 4, 3, padding=1, bias=False) for index in range(3))
        self.norm = nn.BatchNorm2d(20)
        self.transition = nn.Conv2d(20, 10, 1, bias=False)
        self.classifier = nn.Linear(10, 10)

    def forward(self, x):
        features = [self.conv0(x)]
        for norm, conv in zip(self.norms, self.convs, strict=True):
            features.append(conv(F.relu(norm(torch.cat(features, 1)))))
        x = self.transition(F.relu(self.norm(torch.cat(features, 1))))
        x = F.adaptive_avg_pool2d(F.relu(F.avg_pool2d(x, 2, 2)), (1, 1))
        return self.classifier(torch.flatten(x, 1))


class Inception(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2)
        self.branch1x1 = nn.Conv2d(8, 4, 1)
        self.branch5x5 = nn.Sequential(nn.Conv2d(8, 4, 1), nn.ReLU(), nn.Conv2d(4, 6, 5, padding=2))
        self.branch_n = nn.Sequential(nn.Conv2d(8, 4, (1, 7), padding=(0, 3)), nn.Conv2d(4, 4, (7, 1), padding=(3, 0)))
        self.branch_pool = nn.Conv2d(8, 4, 1)
        self.fc = nn.Linear(18, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.stem(x)), 3, stride=2, ceil_mode=True)
        pooled = F.avg_pool2d(x, 3, stride=1, padding=1)
        outputs = [self.branch1x1(x), self.branch5x5(x), self.branch_n(x), self.branch_pool(pooled)]
        x = F.relu(torch.cat(outputs, 1))
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))


class LayerNorm2d(nn.Module):
    """Over the channels of each pixel, as in ConvNeXt's own code."""

    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x):
        u = x.mean(1, keepdim=True)
        s = (x - u).pow(2).mean(1, keepdim=True)
        x = (x - u) / torch.sqrt(s + 1e-6)
        return self.weight[:, None, None] * x + self.bias[:, None, None]


class ConvNeXtBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.dwconv = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.pwconv1 = nn.Linear(width, 4 * width)
        self.pwconv2 = nn.Linear(4 * width, width)
        self.gamma = nn.Parameter(0.1 * torch.ones(width))

    def forward(self, x):
        y = self.dwconv(x).permute(0, 2, 3, 1)
        y = self.gamma * self.pwconv2(F.gelu(self.pwconv1(self.norm(y))))
        return x + y.permute(0, 3, 1, 2)


def convnext() -> nn.Module:
    class ConvNeXt(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Sequential(nn.Conv2d(3, 8, 4, stride=4), LayerNorm2d(8))
            self.block = ConvNeXtBlock(8)
            self.norm = nn.LayerNorm(8, eps=1e-6)
            self.head = nn.Linear(8, 10)

        def forward(self, x):
            x = self.block(self.stem(x))
            return self.head(self.norm(x.mean([-2, -1])))

    return ConvNeXt()


def group_norms() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.GroupNorm(4, 8),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, stride=2, padding=1),
        nn.GroupNorm(1, 8),
        nn.SiLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 10),
    )


def style() -> nn.Module:
    """A style-transfer network (Johnson et al. 2016): reflected borders, InstanceNorm, nearest upsampling."""
    return nn.Sequential(
        nn.ReflectionPad2d(2),
        nn.Conv2d(3, 8, 5),
        nn.InstanceNorm2d(8, affine=True),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, 2, 1),
        nn.InstanceNorm2d(8),
        nn.ReLU(),
        nn.Upsample(scale_factor=2, mode="nearest"),
        nn.ReflectionPad2d((1, 1, 1, 1)),
        nn.Conv2d(8, 3, 3),
        nn.Tanh(),
    )


def audio() -> nn.Module:
    return nn.Sequential(
        nn.Conv1d(2, 8, 7, stride=2, padding=3),
        nn.BatchNorm1d(8),
        nn.ReLU(),
        nn.MaxPool1d(2),
        nn.Conv1d(8, 8, 3, padding=2, dilation=2),
        nn.LeakyReLU(0.1),
        nn.AvgPool1d(2),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(8, 4),
    )


def autoencoder() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, stride=2, padding=1),
        nn.ReLU(True),
        nn.Conv2d(8, 4, 3, stride=2, padding=1),
        nn.ReLU(True),
        nn.ConvTranspose2d(4, 8, 3, stride=2, padding=1, output_padding=1),
        nn.ReLU(True),
        nn.ConvTranspose2d(8, 1, 4, stride=2, padding=1),
        nn.Sigmoid(),
    )


class Dilated(nn.Module):
    """A spatial pyramid of dilated convolutions (Chen et al. 2017)."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.branches = nn.ModuleList(nn.Conv2d(8, 4, 3, padding=rate, dilation=rate) for rate in (1, 2, 4))
        self.classifier = nn.Conv2d(12, 5, 1)

    def forward(self, x):
        size = x.shape[-2:]
        x = F.max_pool2d(F.relu(self.stem(x)), 2)
        x = self.classifier(torch.cat([F.relu(branch(x)) for branch in self.branches], dim=1))
        return F.interpolate(x, size=size, mode="bilinear", align_corners=False)


class TextClassifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(50, 16)
        self.fc = nn.Linear(16, 3)

    def forward(self, x):
        return self.fc(self.embedding(x).mean(dim=1))


class TextCNN(nn.Module):
    """Kim 2014: convolutions of several widths over word vectors, and the maximum of each."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(50, 16)
        self.convs = nn.ModuleList(nn.Conv1d(16, 6, width) for width in (2, 3, 4))
        self.fc = nn.Linear(18, 3)

    def forward(self, x):
        x = self.embedding(x).permute(0, 2, 1)
        x = [F.relu(conv(x)) for conv in self.convs]
        x = [F.max_pool1d(y, y.size(2)).squeeze(2) for y in x]
        return self.fc(torch.cat(x, dim=1))


def trained_norms() -> nn.Module:
    return nn.Sequential(
        nn.Linear(12, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 8), nn.BatchNorm1d(8), nn.Linear(8, 3)
    )


class Adaptive(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.mean = nn.AdaptiveAvgPool2d((4, 2))
        self.largest = nn.AdaptiveMaxPool2d((2, 1))
        self.fc = nn.Linear(16, 10)

    def forward(self, x):
        x = self.largest(self.mean(F.relu(self.conv(x))))
        return self.fc(x.view(-1, 16))


class Attributes(nn.Module):
    """Inputs normalized by buffers, a scaled and shifted head, concatenated slices of the output."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU())
        self.pool = nn.AdaptiveMaxPool2d(1)
        self.head = nn.Linear(8, 10)
        self.temperature = nn.Parameter(torch.tensor(1.5))

    def forward(self, x):
        x = self.features((x - self.mean) / self.std)
        return self.head(self.pool(x).flatten(1)) / self.temperature


class ShuffleBlock(nn.Module):
    """Channels shuffled between groups (Zhang et al. 2017)."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(4, 8, 1, groups=2)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.fc = nn.Linear(8, 4)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        n, c, h, w = x.shape
        x = x.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, c, h, w)
        return self.fc(self.conv2(x).mean((2, 3)))


def rescued(module: nn.Module) -> nn.Module:
    """Set running statistics and affine parameters as after training."""
    generator = torch.Generator().manual_seed(1)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            part.running_mean.copy_(0.3 * torch.randn(part.running_mean.shape, generator=generator))
            part.running_var.copy_(0.5 + torch.rand(part.running_var.shape, generator=generator))
        if hasattr(part, "weight") and part.weight is not None and part.weight.ndim == 1 and hasattr(part, "bias"):
            part.weight.data += 0.2 * torch.randn(part.weight.shape, generator=generator)
            part.bias.data += 0.2 * torch.randn(part.bias.shape, generator=generator)
    return module


NETWORKS = [
    Entry("mnist-example", MnistExample, (1, 14, 14)),
    Entry("lenet", LeNet, (1, 28, 28)),
    Entry("activations", activations, (20,)),
    Entry("rare-activations", rare_activations, (20,)),
    Entry("vgg", vgg, (3, 32, 32)),
    Entry("resnet18", lambda: ResNet18(8), (3, 64, 64)),
    Entry("mobilenet-v2", lambda: MobileNetV2(0.25), (3, 64, 64)),
    Entry("mobilenet-v3", MobileNetV3, (3, 24, 24)),
    Entry("se-resnet", SEResNet, (3, 12, 12)),
    Entry("unet", UNet, (3, 16, 16)),
    Entry("unet-bilinear", lambda: UNet(bilinear=True), (3, 16, 24)),
    Entry("unet-nearest", NearestUNet, (3, 16, 12)),
    Entry("densenet", DenseNet, (3, 16, 16)),
    Entry("inception", Inception, (3, 25, 27)),
    Entry("convnext", convnext, (3, 32, 32)),
    Entry("group-norm", group_norms, (3, 16, 16)),
    Entry("style", style, (3, 16, 16)),
    Entry("audio", audio, (2, 64)),
    Entry("autoencoder", autoencoder, (1, 28, 28)),
    Entry("dilated", Dilated, (3, 20, 16)),
    Entry("text", TextClassifier, (9,), entries=50),
    Entry("text-cnn", TextCNN, (9,), entries=50),
    Entry("training-mode", trained_norms, (12,), train=True),
    Entry("adaptive", Adaptive, (3, 16, 16)),
    Entry("attributes", Attributes, (3, 16, 16)),
    Entry("shuffle", ShuffleBlock, (4, 6, 6)),
]
