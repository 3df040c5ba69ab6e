"""Typical Keras networks, and their files from Keras's own exporter.

With the TensorFlow backend, that exporter is tf2onnx, which makes other graphs than with PyTorch. The two cannot be
installed together; in an environment that has tensorflow, keras and tf2onnx,

    KERAS_BACKEND=tensorflow python tests/peers/zoo_keras.py FOLDER

creates the files that `python -m peers.zoo FOLDER` then includes.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from keras import layers

__all__ = ["NETWORKS", "export"]


def export(make: Callable[[], keras.Model], path: Path) -> None:
    """Write a model with statistics that differ from the initial ones."""
    keras.utils.set_random_seed(0)
    model = make()
    for variable in model.non_trainable_variables:
        if "moving" in variable.name:
            variable.assign(np.linspace(0.5, 1.5, variable.shape[0], dtype=np.float32))
    model(np.zeros((1, *model.input_shape[1:]), model.inputs[0].dtype))  # the exporter requires that it has been called
    model.export(str(path), format="onnx", verbose=False)


def mnist() -> keras.Model:
    """The network of Keras's own MNIST example, on 14 x 14 pixels."""
    return keras.Sequential(
        [
            keras.Input((14, 14, 1)),
            layers.Conv2D(8, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Conv2D(16, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )


def dense() -> keras.Model:
    model = keras.Sequential([keras.Input((28, 28)), layers.Flatten(), layers.Dense(32, activation="relu")])
    for activation in ("elu", "selu", "gelu", "silu", "softplus", "tanh", "sigmoid", "relu6", "hard_sigmoid"):
        model.add(layers.Dense(12, activation=activation))
    model.add(layers.LeakyReLU(0.1))
    model.add(layers.Dense(3))
    return model


def residual() -> keras.Model:
    inputs = keras.Input((12, 8, 3))
    x = layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    x = layers.Conv2D(8, 3, padding="same", use_bias=False)(x)
    x = layers.Activation("relu")(layers.BatchNormalization()(x))
    y = layers.Conv2D(16, 3, strides=2, padding="same")(x)
    y = layers.BatchNormalization()(y)
    x = layers.Add()([layers.Conv2D(16, 1, strides=2)(x), y])
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(x))
    return keras.Model(inputs, layers.Dense(10)(x))


def xception() -> keras.Model:
    inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(8, 3, strides=2, padding="same")(inputs)
    x = layers.SeparableConv2D(12, 3, padding="same")(x)
    x = layers.Activation("relu")(layers.BatchNormalization()(x))
    x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
    x = layers.DepthwiseConv2D(3, padding="same")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x))


def unet() -> keras.Model:
    inputs = keras.Input((16, 16, 1))
    x1 = layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    x = layers.MaxPooling2D()(x1)
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(x)
    x = layers.Conv2DTranspose(4, 2, strides=2, padding="same")(x)
    x = layers.concatenate([x1, x])
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    x = layers.UpSampling2D()(layers.MaxPooling2D()(x))
    return keras.Model(inputs, layers.Conv2D(1, 1, activation="sigmoid")(x))


def sequence() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((32, 3)),
            layers.Conv1D(8, 5, activation="relu"),
            layers.MaxPooling1D(2),
            layers.Conv1D(8, 3, padding="same"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(4),
        ]
    )


def text() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((9,), dtype="int32"),
            layers.Embedding(50, 16),
            layers.GlobalAveragePooling1D(),
            layers.Dense(16, activation="relu"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


def squeeze() -> keras.Model:
    inputs = keras.Input((12, 12, 3))
    x = layers.Conv2D(8, 3, padding="same", activation="silu")(inputs)
    y = layers.GlobalAveragePooling2D()(x)
    y = layers.Dense(2, activation="relu")(layers.Reshape((1, 1, 8))(y))
    y = layers.Dense(8, activation="sigmoid")(y)
    x = layers.LayerNormalization()(layers.Multiply()([x, y]))
    x = layers.Dense(4)(layers.Flatten()(x))
    return keras.Model(inputs, x)


NETWORKS: dict[str, Callable[[], keras.Model]] = {
    "k-mnist": mnist,
    "k-dense": dense,
    "k-residual": residual,
    "k-xception": xception,
    "k-unet": unet,
    "k-sequence": sequence,
    "k-text": text,
    "k-squeeze": squeeze,
}


if __name__ == "__main__":
    for name, make in NETWORKS.items():
        export(make, Path(sys.argv[1]) / f"{name}.tf2onnx.onnx")
