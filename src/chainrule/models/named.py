"""Named networks: each is a function that returns an unbuilt Sequential ending in logits.

All read images with pixels from 0 to 255 and scale them to 0..1 themselves.
"""

from collections.abc import Callable

from chainrule.layers import (
    Affine,
    BatchNorm,
    Conv2D,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    Layer,
    MaxPool2D,
    Parallel,
    ReLU,
    Residual,
    Scale,
    Sequential,
)

__all__ = [
    "NETWORKS",
    "cnn",
    "cnn_small",
    "deep_conv",
    "lenet",
    "mlp",
    "resnet_mini",
    "simple_conv",
    "table",
    "two_layer",
]


def two_layer(classes: int = 10, hidden: int = 50) -> Sequential:
    """The lesson's network: Affine, ReLU, Affine."""
    return Sequential(Flatten(), Scale(1 / 255), Affine(hidden), ReLU(), Affine(classes))


def mlp(classes: int = 10) -> Sequential:
    """One hidden layer of 800 (the size of Simard, Steinkraus and Platt 2003)."""
    return two_layer(classes, hidden=800)


def simple_conv(classes: int = 10) -> Sequential:
    """The book's SimpleConvNet: one convolution of 30 filters 5x5, pooling, one hidden layer of 100."""
    return Sequential(
        Scale(1 / 255),
        Conv2D(30, 5),
        ReLU(),
        MaxPool2D(2),
        Flatten(),
        Affine(100),
        ReLU(),
        Affine(classes),
    )


def deep_conv(classes: int = 10) -> Sequential:
    """The book's DeepConvNet: six convolutions 3x3 in three pairs, dropout before and (as in the book) after the last
    Affine."""
    return Sequential(
        Scale(1 / 255),
        *_conv_pair(16, padding=1),
        *_conv_pair(32, padding=2),
        *_conv_pair(64, padding=1),
        Flatten(),
        Affine(50),
        ReLU(),
        Dropout(0.5),
        Affine(classes),
        Dropout(0.5),
    )


def lenet(classes: int = 10) -> Sequential:
    """Two convolutions 3x3 of 32 and 64 filters, each pooled, and a hidden layer of 128 (after LeCun et al. 1998)."""
    return Sequential(
        Scale(1 / 255),
        Conv2D(32, 3, padding="same"),
        ReLU(),
        MaxPool2D(2),
        Conv2D(64, 3, padding="same"),
        ReLU(),
        MaxPool2D(2),
        Flatten(),
        Affine(128),
        ReLU(),
        Affine(classes),
    )


def resnet_mini(classes: int = 10) -> Sequential:
    """A residual network of eight layers: blocks of 16, 32 and 64 filters  (He et al. 2015, the CIFAR kind, n = 1)."""
    return Sequential(
        Scale(1 / 255),
        *_conv_norm(16),
        ReLU(),
        Residual(*_conv_norm(16), ReLU(), *_conv_norm(16)),
        ReLU(),
        _narrowing_block(32),
        ReLU(),
        _narrowing_block(64),
        ReLU(),
        GlobalAvgPool2D(),
        Affine(classes),
    )


def cnn(classes: int = 10) -> Sequential:
    """Four convolutions 3x3 without padding in two pooled pairs of 32 and 64 filters, with dropout: small, and the most
    accurate network here on 28x28 pictures."""
    return Sequential(
        Scale(1 / 255),
        *_conv_pair(32, padding=0, first=0),
        Dropout(0.1),
        *_conv_pair(64, padding=0, first=0),
        Dropout(0.2),
        Flatten(),
        Affine(128),
        ReLU(),
        Dropout(0.3),
        Affine(classes),
    )


def cnn_small(classes: int = 10) -> Sequential:
    """Two convolutions without padding, 32 filters 5x5 and 64 filters 3x3, each pooled, and a hidden layer of 128: the
    network that reaches 99 % on MNIST first here."""
    return Sequential(
        Scale(1 / 255),
        Conv2D(32, 5),
        ReLU(),
        MaxPool2D(2),
        Conv2D(64, 3),
        ReLU(),
        MaxPool2D(2),
        Flatten(),
        Affine(128),
        ReLU(),
        Affine(classes),
    )


def table(outputs: int = 10) -> Sequential:
    """For rows of numbers: one hidden layer of 100. A Standardize fitted to the data replaces its Scale."""
    return two_layer(outputs, hidden=100)


NETWORKS: dict[str, Callable[..., Sequential]] = {
    "two-layer": two_layer,
    "mlp": mlp,
    "simple-conv": simple_conv,
    "deep-conv": deep_conv,
    "lenet": lenet,
    "resnet-mini": resnet_mini,
    "cnn": cnn,
    "cnn-small": cnn_small,
    "table": table,
}
"""Every named network; its function takes the number of classes."""


def _conv_pair(filters: int, padding: int, first: int = 1) -> tuple[Layer, ...]:
    """Two convolutions with this many filters, the second with this padding, and pooling."""
    return (
        Conv2D(filters, 3, padding=first),
        ReLU(),
        Conv2D(filters, 3, padding=padding),
        ReLU(),
        MaxPool2D(2),
    )


def _conv_norm(filters: int, kernel_size: int = 3, stride: int = 1) -> tuple[Layer, Layer]:
    return Conv2D(filters, kernel_size, stride, padding="same", bias=False), BatchNorm()


def _narrowing_block(filters: int) -> Layer:
    """A residual block that halves height and width, with a 1x1 convolution on the shortcut."""
    return Parallel(
        Sequential(*_conv_norm(filters, stride=2), ReLU(), *_conv_norm(filters)),
        Sequential(*_conv_norm(filters, kernel_size=1, stride=2)),
        join="sum",
    )
