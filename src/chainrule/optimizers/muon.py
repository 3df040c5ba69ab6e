"""Muon: momentum with orthogonalized matrices, so that every direction is learned at the same pace.

For a matrix with momentum m (a running mean of its gradients) and u = (1 - momentum) g + momentum m,

    p <- (1 - learning_rate weight_decay) p - learning_rate sqrt(max(1, outputs / inputs)) orthogonal(u)

where orthogonal(U S V^T) is about U V^T: five steps X <- aX + (bA + cA^2)X, A = X X^T, of a Newton-Schulz iteration
with coefficients a, b, c that bring all singular values near 1 in few steps (Jordan et al. 2024,
https://kellerjordan.github.io/posts/muon). AdamW trains everything else (biases, scales, tables).
"""

import numpy as np

from chainrule import kernels
from chainrule.arrays import Array, quiet
from chainrule.errors import OptionError
from chainrule.optimizers.adaptive import AdamW
from chainrule.optimizers.base import check_share
from chainrule.parameters import Parameter, placed, spans
from chainrule.schedules import Rate

__all__ = ["Muon", "orthogonalize"]

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)


class Muon(AdamW):
    """Orthogonalized momentum for weight matrices, AdamW for the rest.

    A matrix is a decaying parameter with 2 or more axes: an Affine's W (inputs, outputs), or a Conv2D's W
    (F, C / groups, KH, KW), whose last three axes are its inputs.

    Args:
        learning_rate: for the matrices, above 0, or a Schedule.
        momentum: the fraction of the running mean kept at each step.
        weight_decay: 0 (none) or above, decoupled from the gradient as in AdamW.
        vector_factor: AdamW's learning rate for the rest, as a fraction of `learning_rate`.
        iterations: Newton-Schulz steps.
    """

    def __init__(
        self,
        learning_rate: Rate = 0.02,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        vector_factor: float = 0.05,
        iterations: int = 5,
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay)
        check_share(momentum, "momentum", 0.95)
        if not vector_factor > 0:
            raise OptionError(f"vector_factor must be above 0, got {vector_factor}: 0.05 is usual")
        if iterations < 1:
            raise OptionError(f"iterations must be 1 or more, got {iterations}: 5 is usual")
        self.momentum = momentum
        self.vector_factor = vector_factor
        self.iterations = iterations

    def apply(self, values: Array, gradients: Array, parameters: list[Parameter], rate: float) -> None:
        for span in spans(parameters, lambda parameter: not (parameter.frozen or _is_matrix(parameter))):
            self.update(values[span], gradients[span], self.state_of(span), rate * self.vector_factor)
        for parameter, span in placed(parameters):
            if _is_matrix(parameter) and not parameter.frozen:
                mean, gradient = self.state_of(span)["mean"], gradients[span]
                mean *= self.momentum
                mean += (1 - self.momentum) * gradient
                ahead = (1 - self.momentum) * gradient + self.momentum * mean
                rows, columns = _matrix_shape(parameter.shape)
                outputs, inputs = (columns, rows) if len(parameter.shape) == 2 else (rows, columns)
                step = orthogonalize(ahead.reshape(rows, columns), self.iterations).ravel()
                values[span] -= rate * max(1.0, outputs / inputs) ** 0.5 * step
                gradient.fill(0)


@quiet
def orthogonalize(matrix: Array, iterations: int = 5) -> Array:
    """The matrix with all its singular values near 1 (between about 0.7 and 1.2), in its own dtype."""
    a, b, c = _COEFFICIENTS
    x = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x = np.ascontiguousarray(x / max(float(np.linalg.norm(x)), 1e-7))
    none = np.zeros(x.shape[1], x.dtype)
    # our own matrix products: BLAS on several threads would compete with them for the cores
    for _ in range(iterations):
        gram = kernels.affine_input_gradient(x, x)  # x x^T
        mixed = b * gram + c * kernels.affine_input_gradient(gram, gram)
        x = a * x + kernels.affine_forward(mixed, x, none)
    return x if matrix.shape[0] <= matrix.shape[1] else x.T


def _is_matrix(parameter: Parameter) -> bool:
    return len(parameter.shape) >= 2 and parameter.decay


def _matrix_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    return shape[0], int(np.prod(shape[1:]))
