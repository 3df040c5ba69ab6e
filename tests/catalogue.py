"""One table of all layers: every generic property of a layer is tested on each row.

A new layer only needs a line here to be tested. Axes have different lengths, so that swapped ones are noticed.
"""

from collections.abc import Callable
from typing import NamedTuple

import chainrule as cr


class Row(NamedTuple):
    """A layer, created by `make`, and its per-sample input shape.

    entries: for layers that read indices, how many there are. alone: whether a sample's result in training does not
    depend on the rest of its batch (it does with batch statistics or random numbers per position).
    """

    name: str
    make: Callable[[], cr.Layer]
    shape: tuple[int, ...]
    entries: int | None = None
    alone: bool = True


CATALOGUE = [
    Row("Affine", lambda: cr.Affine(4), (3,)),
    Row("Affine-one-input", lambda: cr.Affine(5, cr.Normal(0.5)), (1,)),
    Row("Affine-one-output", lambda: cr.Affine(1, cr.Xavier()), (6,)),
    Row("ReLU", lambda: cr.ReLU(), (3, 5)),
    Row("Sigmoid", lambda: cr.Sigmoid(), (7,)),
    Row("Tanh", lambda: cr.Tanh(), (2, 3, 5)),
    Row("Flatten", lambda: cr.Flatten(), (2, 3, 5)),
    Row("Flatten-flat", lambda: cr.Flatten(), (6,)),
    Row("Scale", lambda: cr.Scale(1 / 255), (1, 4, 3)),
    Row("Standardize", lambda: cr.Standardize(0.5, 2.0), (3, 2)),
    Row("Standardize-features", lambda: cr.Standardize((0.5, -1.0, 2.0), (1.0, 2.0, 0.5)), (3,)),
    Row("Standardize-channels", lambda: cr.Standardize((0.5, -1.0, 2.0), (1.0, 2.0, 0.5)), (3, 4, 5)),
    Row("LeakyReLU", lambda: cr.LeakyReLU(0.2), (3, 5)),
    Row("GELU", lambda: cr.GELU(), (4, 2)),
    Row("GELU-tanh", lambda: cr.GELU(tanh=True), (4, 2)),
    Row("SiLU", lambda: cr.SiLU(), (5,)),
    Row("Softplus", lambda: cr.Softplus(), (5,)),
    Row("Softmax", lambda: cr.Softmax(), (6,)),
    Row("Softmax-last-axis", lambda: cr.Softmax(), (3, 4)),
    Row("LogSoftmax", lambda: cr.LogSoftmax(), (3, 4)),
    Row("Clip", lambda: cr.Clip(-0.5, 0.75), (3, 5)),
    Row("Clip-one-sided", lambda: cr.Clip(0.25, None), (2, 3, 5)),
    Row("ELU", lambda: cr.ELU(0.7), (3, 5)),
    Row("SELU", lambda: cr.SELU(), (7,)),
    Row("PReLU", lambda: cr.PReLU(), (3, 5)),
    Row("PReLU-features", lambda: cr.PReLU(0.1, shared=False), (6,)),
    Row("PReLU-channels", lambda: cr.PReLU(0.1, shared=False), (2, 3, 5)),
    Row("HardSigmoid", lambda: cr.Sequential(cr.Scale(5.0), cr.HardSigmoid()), (3, 5)),
    Row("HardSigmoid-steep", lambda: cr.HardSigmoid(1.5, 0.4), (7,)),
    Row("HardSwish", lambda: cr.Sequential(cr.Scale(5.0), cr.HardSwish()), (3, 5)),
    Row("Mish", lambda: cr.Mish(), (5,)),
    Row("Reshape", lambda: cr.Reshape((5, 2, 3)), (2, 3, 5)),
    Row("Reshape-rest", lambda: cr.Reshape((5, -1)), (2, 3, 5)),
    Row("Transpose", lambda: cr.Transpose((2, 0, 1)), (2, 3, 5)),
    Row("Transpose-sequence", lambda: cr.Transpose((1, 0)), (3, 5)),
    Row("Slice", lambda: cr.Slice(1, 3), (4, 2, 5)),
    Row("Slice-steps", lambda: cr.Slice(1, 6, axis=1, step=2), (3, 7)),
    Row("Expand", lambda: cr.Expand((3, 4, 5)), (3, 1, 5)),
    Row("Expand-several", lambda: cr.Expand((2, 3)), (1, 1)),
    Row("PointwiseAffine", lambda: cr.PointwiseAffine(4), (3, 5)),
    Row("PointwiseAffine-images", lambda: cr.PointwiseAffine(2, cr.Normal(0.5)), (2, 3, 5)),
    Row("ScaleShift", lambda: cr.ScaleShift((3, 1, 1)), (3, 2, 4)),
    Row("ScaleShift-sequence", lambda: cr.ScaleShift((1, 5)), (3, 5)),
    Row("ScaleShift-one", lambda: cr.ScaleShift((1,)), (4,)),
    Row("Pad", lambda: cr.Pad((1, 2)), (2, 3, 5)),
    Row("Pad-constant", lambda: cr.Pad(((0, 1), (3, 0)), value=0.5), (2, 3, 5)),
    Row("Pad-edge", lambda: cr.Pad(((4, 1), (0, 2)), "edge"), (2, 3, 5)),
    Row("Pad-reflect", lambda: cr.Pad(((2, 1), (0, 4)), "reflect"), (2, 3, 5)),
    Row("Conv2D", lambda: cr.Conv2D(4, (3, 2)), (3, 6, 5)),
    Row("Conv2D-one-pixel", lambda: cr.Conv2D(2, 1), (3, 4, 5)),
    Row("Conv2D-stride-padding", lambda: cr.Conv2D(2, (2, 3), stride=(3, 2), padding=(1, 2)), (3, 7, 6)),
    Row("Conv2D-same", lambda: cr.Conv2D(3, (4, 3), padding="same"), (2, 5, 6)),
    Row("Conv2D-same-stride", lambda: cr.Conv2D(3, 3, stride=2, padding="same"), (2, 6, 7)),
    Row("Conv2D-groups", lambda: cr.Conv2D(6, (2, 3), groups=2, padding=1), (4, 3, 5)),
    Row("Conv2D-depthwise", lambda: cr.Conv2D(6, 3, groups=3, padding=(0, 1), bias=False), (3, 5, 4)),
    Row("Conv2D-whole-image", lambda: cr.Conv2D(5, (3, 4), initializer=cr.Normal(0.5)), (2, 3, 4)),
    Row("Conv2D-dilation", lambda: cr.Conv2D(2, (3, 2), padding=(1, 2), dilation=(2, 3)), (2, 4, 5)),
    Row("Conv2D-dilation-stride", lambda: cr.Conv2D(4, 2, (2, 3), "same", 2, dilation=(4, 2)), (2, 9, 7)),
    Row("Conv2D-uneven", lambda: cr.Conv2D(3, 2, padding=((0, 2), (2, 1)), dilation=(2, 1)), (2, 3, 4)),
    Row("Conv2D-same-lower", lambda: cr.Conv2D(3, (4, 3), 2, "same-lower"), (2, 5, 6)),
    Row("ConvTranspose2D", lambda: cr.ConvTranspose2D(4, (3, 2)), (3, 6, 5)),
    Row("ConvTranspose2D-stride", lambda: cr.ConvTranspose2D(2, (2, 3), (2, 3), bias=False), (3, 4, 5)),
    Row("ConvTranspose2D-padding", lambda: cr.ConvTranspose2D(2, (3, 4), (2, 3), (1, 2), (1, 2)), (3, 4, 5)),
    Row("ConvTranspose2D-uneven", lambda: cr.ConvTranspose2D(2, 3, 2, ((0, 1), (2, 1)), (0, 1)), (3, 4, 5)),
    Row("ConvTranspose2D-groups", lambda: cr.ConvTranspose2D(4, (2, 3), 2, groups=2), (6, 3, 5)),
    Row("ConvTranspose2D-sparse", lambda: cr.ConvTranspose2D(5, 1, (3, 2), 0, (2, 1)), (2, 3, 4)),
    Row("Upsample", lambda: cr.Upsample(), (2, 3, 5)),
    Row("Upsample-uneven", lambda: cr.Upsample((3, 1)), (2, 4, 5)),
    Row("Upsample-bilinear", lambda: cr.Upsample((2, 3), "bilinear"), (2, 4, 5)),
    Row("Upsample-corners", lambda: cr.Upsample((3, 2), "bilinear", align_corners=True), (2, 5, 4)),
    Row("Upsample-line", lambda: cr.Upsample(2, "bilinear", align_corners=True), (2, 1, 4)),
    Row("MaxPool2D", lambda: cr.MaxPool2D(), (2, 6, 4)),
    Row("MaxPool2D-overlapping", lambda: cr.MaxPool2D((3, 2), stride=(2, 1)), (3, 8, 5)),
    Row("MaxPool2D-padding", lambda: cr.MaxPool2D((2, 3), stride=2, padding=(1, 1)), (2, 5, 7)),
    Row("MaxPool2D-ceil", lambda: cr.MaxPool2D((3, 2), 2, ((2, 0), (0, 1)), ceil_mode=True), (2, 4, 6)),
    Row("MaxPool2D-same", lambda: cr.MaxPool2D((3, 2), (2, 1), "same"), (2, 4, 3)),
    Row("AvgPool2D", lambda: cr.AvgPool2D(), (2, 6, 4)),
    Row("AvgPool2D-overlapping", lambda: cr.AvgPool2D((3, 2), stride=(2, 1)), (3, 8, 5)),
    Row("AvgPool2D-padding", lambda: cr.AvgPool2D((2, 3), stride=(1, 2), padding=(1, 1)), (2, 5, 7)),
    Row("AvgPool2D-ceil", lambda: cr.AvgPool2D((2, 3), (3, 2), ((0, 1), (2, 0)), ceil_mode=True), (2, 4, 6)),
    Row("AvgPool2D-counting", lambda: cr.AvgPool2D((3, 4), 3, (1, 2), True, count_include_pad=True), (2, 5, 6)),
    Row("AvgPool2D-same-counting", lambda: cr.AvgPool2D((3, 2), 3, "same-lower", False, True), (2, 4, 5)),
    Row("GlobalAvgPool2D", lambda: cr.GlobalAvgPool2D(), (3, 4, 5)),
    Row("Conv1D", lambda: cr.Conv1D(4, 3, stride=2, padding=(0, 2)), (3, 6)),
    Row("Conv1D-dilation", lambda: cr.Conv1D(4, 3, 2, "same", 2, False, dilation=3), (2, 9)),
    Row("Conv1D-same-lower", lambda: cr.Conv1D(3, 4, padding="same-lower"), (2, 5)),
    Row("MaxPool1D", lambda: cr.MaxPool1D(3, 2, (1, 0), ceil_mode=True), (2, 7)),
    Row("AvgPool1D", lambda: cr.AvgPool1D(3, 2, "same"), (2, 6)),
    Row("AvgPool1D-counting", lambda: cr.AvgPool1D(2, 3, 1, True, True), (3, 8)),
    Row("GlobalAvgPool1D", lambda: cr.GlobalAvgPool1D(), (3, 5)),
    Row("Pad1D", lambda: cr.Pad1D((2, 1)), (2, 5)),
    Row("Pad1D-reflect", lambda: cr.Pad1D((2, 1), "reflect"), (2, 5)),
    Row("BatchNorm-signals", lambda: cr.BatchNorm(), (3, 5), alone=False),
    Row("BatchNorm-rows", lambda: cr.BatchNorm(), (5,), alone=False),
    Row("BatchNorm-images", lambda: cr.BatchNorm(momentum=0.5, epsilon=0.01), (3, 2, 4), alone=False),
    Row("LayerNorm", lambda: cr.LayerNorm(), (6,)),
    Row("LayerNorm-last-axis", lambda: cr.LayerNorm(epsilon=0.01), (3, 5)),
    Row("LayerNorm-images", lambda: cr.LayerNorm(axes=3), (2, 3, 4)),
    Row("GroupNorm", lambda: cr.GroupNorm(2), (4, 3, 5)),
    Row("GroupNorm-features", lambda: cr.GroupNorm(3, epsilon=0.01), (6,)),
    Row("InstanceNorm", lambda: cr.InstanceNorm(), (3, 4, 5)),
    Row("InstanceNorm-sequence", lambda: cr.InstanceNorm(epsilon=0.01), (3, 5)),
    Row("RMSNorm", lambda: cr.RMSNorm(), (6,)),
    Row("RMSNorm-last-axis", lambda: cr.RMSNorm(epsilon=0.01), (3, 5)),
    Row("RMSNorm-images", lambda: cr.RMSNorm(axes=3), (2, 3, 4)),
    Row("Dropout", lambda: cr.Dropout(0.3), (4, 5), alone=False),
    Row("Embedding", lambda: cr.Embedding(5, 3), (4,), entries=5),
    Row("Embedding-single", lambda: cr.Embedding(7, 2, cr.Normal(0.5)), (), entries=7),
    Row("Embedding-network", lambda: cr.Sequential(cr.Embedding(5, 3), cr.Flatten(), cr.Affine(2)), (4,), entries=5),
    Row("RNN", lambda: cr.RNN(4), (5, 3)),
    Row("RNN-stacked-both-ways", lambda: cr.RNN(2, layers=3, bidirectional=True), (4, 3)),
    Row("RNN-last", lambda: cr.RNN(4, sequence=False), (3, 2)),
    Row("LSTM", lambda: cr.LSTM(4), (5, 3)),
    Row("LSTM-two-steps", lambda: cr.LSTM(2, forget_bias=0.0), (2, 3)),
    Row("LSTM-stacked-both-ways", lambda: cr.LSTM(2, layers=2, bidirectional=True), (4, 3)),
    Row("LSTM-last-both-ways", lambda: cr.LSTM(2, 2, True, sequence=False), (4, 3)),
    Row("GRU", lambda: cr.GRU(4), (5, 3)),
    Row("GRU-stacked-both-ways", lambda: cr.GRU(2, layers=2, bidirectional=True), (4, 3)),
    Row("GRU-last", lambda: cr.GRU(3, layers=2, sequence=False, initializer=cr.Normal(0.5)), (4, 2)),
    Row("Attention", lambda: cr.Attention(2), (5, 6)),
    Row("Attention-causal", lambda: cr.Attention(3, causal=True), (4, 6)),
    Row("Attention-rotary", lambda: cr.Attention(2, rotary=True, initializer=cr.Normal(0.5)), (3, 8)),
    Row("Attention-causal-rotary", lambda: cr.Attention(1, causal=True, rotary=True), (5, 4)),
    Row("Positions", lambda: cr.Positions(), (5, 3)),
    Row("Positions-longer", lambda: cr.Positions(length=7, initializer=cr.Normal(1.0)), (4, 3)),
    Row("Positions-sinusoidal", lambda: cr.Positions("sinusoidal"), (5, 6)),
    Row("TransformerBlock", lambda: cr.TransformerBlock(4, heads=2), (5, 4)),
    Row("TransformerBlock-causal", lambda: cr.TransformerBlock(4, 1, True, True, 2, cr.Normal(0.4)), (3, 4)),
    Row("Padded-Attention", lambda: cr.Padded(cr.Embedding(4, 6), cr.Attention(2)), (5,), entries=4),
    Row(
        "Padded-TransformerBlock",
        lambda: cr.Padded(cr.Embedding(4, 6), cr.Positions(), cr.TransformerBlock(6, 1, True, True), padding=3),
        (5,),
        entries=4,
    ),
    Row("Padded-RNN", lambda: cr.Padded(cr.Embedding(3, 4), cr.RNN(2, 2, True)), (7,), entries=3),
    Row("Padded-LSTM", lambda: cr.Padded(cr.Embedding(3, 4), cr.LSTM(2, 1, True, False)), (7,), entries=3),
    Row("Padded-LSTM-residual", lambda: cr.Padded(cr.Embedding(3, 4), cr.Residual(cr.LSTM(4, 2))), (7,), entries=3),
    Row("Padded-GRU", lambda: cr.Padded(cr.Embedding(3, 4), cr.GRU(2, 2, True), padding=2), (7,), entries=3),
    Row("Residual", lambda: cr.Residual(cr.Affine(4), cr.Tanh(), cr.Affine(4)), (4,)),
    Row(
        "Residual-images",
        lambda: cr.Residual(cr.Conv2D(3, 3, padding="same"), cr.BatchNorm(), cr.SiLU()),
        (3, 4, 5),
        alone=False,
    ),
    Row("Parallel-concat", lambda: cr.Parallel(cr.Affine(3), cr.Sequential(cr.Affine(2), cr.Tanh())), (4,)),
    Row(
        "Parallel-concat-images",
        lambda: cr.Parallel(cr.Conv2D(2, 3, padding="same"), cr.Sequential(), cr.MaxPool2D(3, 1, 1)),
        (3, 4, 5),
    ),
    Row("Parallel-sum", lambda: cr.Parallel(cr.Conv2D(2, 3, stride=2), cr.AvgPool2D(3, 2), join="sum"), (2, 5, 7)),
    Row(
        "Parallel-product",
        lambda: cr.Parallel(cr.Affine(3), cr.Sequential(cr.Affine(3), cr.Sigmoid()), cr.Affine(1), join="product"),
        (4,),
    ),
    Row(
        "Parallel-squeeze-and-excitation",
        lambda: cr.Sequential(
            cr.Conv2D(3, 1),
            cr.Parallel(
                cr.Sequential(),
                cr.Sequential(cr.GlobalAvgPool2D(), cr.Affine(3), cr.Sigmoid(), cr.Reshape((3, 1, 1))),
                join="product",
            ),
        ),
        (3, 4, 5),
    ),
    Row("Parallel-square", lambda: cr.Parallel(cr.Sequential(), cr.Sequential(), join="product"), (3, 5)),
    Row("Sequential", lambda: cr.Sequential(cr.Affine(5), cr.Tanh(), cr.Affine(2)), (3,)),
    Row(
        "Sequential-nested",
        lambda: cr.Sequential(cr.Flatten(), cr.Sequential(cr.Affine(4), cr.Sigmoid()), cr.Affine(3)),
        (2, 1, 3),
    ),
]


def shared_layer() -> cr.Sequential:
    """A network in which one layer, with its parameters, occurs twice."""
    twice = cr.Affine(4)
    return cr.Sequential(twice, cr.Tanh(), twice, cr.Affine(2))


CATALOGUE.append(Row("Sequential-shared", shared_layer, (4,)))


def shared_convolution() -> cr.Sequential:
    """One convolution used twice, once inside a nested block; one activation at two different shapes."""
    twice, activation = cr.Conv2D(3, 3, padding="same"), cr.Softplus()
    return cr.Sequential(twice, activation, cr.Residual(twice), cr.MaxPool2D(2), activation, cr.Flatten(), cr.Affine(2))


def tied_weights() -> cr.Sequential:
    """One table that is read at the beginning and used for the scores at the end."""
    words = cr.Embedding(5, 3)
    return cr.Sequential(words, cr.RNN(3), cr.Unembedding(words))


CATALOGUE.append(Row("Unembedding-shared", tied_weights, (4,), entries=5))
CATALOGUE.append(Row("Sequential-shared-convolution", shared_convolution, (3, 4, 6)))
