"""One optimizer step on the flat buffers (P,), in place; each update clears `gradients`."""

import numpy as np

from chainrule.arrays import Array

__all__ = ["adagrad_update", "adam_update", "average_update", "decay_update", "rmsprop_update", "sgd_update"]


def sgd_update(
    values: Array, gradients: Array, velocity: Array | None, learning_rate: float, momentum: float, nesterov: bool
) -> None:
    """v <- momentum v + g;  p <- p - learning_rate v, or Nesterov's form; `velocity` is None without momentum."""
    if velocity is not None:
        velocity *= momentum
        velocity += gradients
        if nesterov:
            gradients += momentum * velocity
        else:
            gradients[...] = velocity
    gradients *= learning_rate
    values -= gradients
    gradients.fill(0)


def adagrad_update(values: Array, gradients: Array, square: Array, learning_rate: float, epsilon: float) -> None:
    """h <- h + g^2;  p <- p - learning_rate g / (sqrt(h) + epsilon), with h = `square`."""
    square += gradients * gradients
    gradients /= np.sqrt(square) + epsilon
    gradients *= learning_rate
    values -= gradients
    gradients.fill(0)


def rmsprop_update(
    values: Array, gradients: Array, square: Array, learning_rate: float, decay: float, epsilon: float
) -> None:
    """h <- decay h + (1 - decay) g^2;  p <- p - learning_rate g / (sqrt(h) + epsilon), with h = `square`."""
    square *= decay
    square += (1 - decay) * gradients * gradients
    gradients /= np.sqrt(square) + epsilon
    gradients *= learning_rate
    values -= gradients
    gradients.fill(0)


def adam_update(
    values: Array,
    gradients: Array,
    mean: Array,
    square: Array,
    learning_rate: float,
    beta1: float,
    beta2: float,
    epsilon: float,
    step: int,
) -> None:
    """m <- beta1 m + (1 - beta1) g;  h <- beta2 h + (1 - beta2) g^2;  p <- p - learning_rate m' / (sqrt(h') + epsilon).

    m' = m / (1 - beta1^step) and h' = h / (1 - beta2^step), with `step` counted from 1, correct for the start at zero.
    """
    mean *= beta1
    mean += (1 - beta1) * gradients
    square *= beta2
    square += (1 - beta2) * gradients * gradients
    root = np.sqrt(square / (1 - beta2**step))
    root += epsilon
    np.divide(mean, root, out=gradients)
    gradients *= learning_rate / (1 - beta1**step)
    values -= gradients
    gradients.fill(0)


def decay_update(values: Array, factor: float) -> None:
    """values <- factor values: weight decay decoupled from the gradient."""
    values *= factor


def average_update(average: Array, values: Array, decay: float) -> None:
    """average <- decay average + (1 - decay) values."""
    average *= decay
    average += (1 - decay) * values
