"""Check whether a hand-written layer's `backward` is the derivative of its `forward`, for one layer at a time.

The layer may store its parameters and gradients in any way its author chose: `probe` finds out what forward reads and
what backward produces, and `match` pairs them. Each gradient is compared with central differences, in float64, with a
random upstream gradient: on the given samples, and on newly drawn inputs and parameters, so that both sides of every
branch are covered. The layer itself, the random generators and the arrays are left unchanged.
"""

import contextlib
import inspect
import io
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import chainrule
from chainrule.arrays import Array
from chainrule.diagnosis import Finding
from chainrule.scratch.comparison import Comparison
from chainrule.scratch.generators import same_random_numbers
from chainrule.scratch.layercheck import LayerCheck, passes_of
from chainrule.scratch.probe import Probe
from chainrule.scratch.upstream import NoUpstreamError

__all__ = ["LayerCheck", "check_layer", "check_network", "describe"]


def check_layer(
    layer: Any,
    arguments: Sequence[Any],
    options: Mapping[str, Any] | None = None,
    upstream: Sequence[Any] = (1,),
    seed: int = 0,
    returned: Any = None,
    backward: str = "backward",
    given: Sequence[Any] | None = None,
) -> LayerCheck:
    """Compare `layer.backward` with central differences of `layer.forward(*arguments, **options)`.

    Args:
        layer: has forward and backward; it is not changed.
        arguments: forward's arguments, a small batch. Every argument that forward accepts in float64 is differentiated.
        upstream: backward's arguments. Gradients of outputs are replaced by random ones.
        seed: determines the random gradient and the sampling.
        returned: what forward returned when `upstream` was made, so that parts of it in `upstream` are recognized.
        backward: the name of the backward method; PASSES pairs it with a forward method.
        given: forward's arguments when `upstream` was made, if they are not `arguments`.
    """

    def probe(again: Callable[[], None], rng: np.random.Generator) -> Probe:
        forward = passes_of(type(layer))[backward]
        return Probe(layer, arguments, options or {}, upstream, returned, again, rng, forward, backward, given)

    return _checked(layer, seed, probe)


def check_network(network: Any, x: Array, t: Array, seed: int = 0) -> LayerCheck:
    """Compare `network.gradient(x, t)` with central differences of `network.loss(x, t)`, for each of its `params`.

    A copy of the network is checked. Its layers must hold the arrays of `params` themselves, as in the book.
    """

    def probe(again: Callable[[], None], rng: np.random.Generator) -> Probe:
        training = {"train_flg": True} if "train_flg" in inspect.signature(network.loss).parameters else {}
        return Probe(network, [x, t], training, [x, t], None, again, rng, "loss", "gradient")

    return _checked(network, seed, probe)


def describe(error: BaseException) -> str:
    """Describe an error in the learner's code in one line, with its location."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _is_ours(frame.filename)]
    where = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{where}"


def _is_ours(file: str) -> bool:
    return any(Path(file).is_relative_to(Path(str(module.__file__)).parent) for module in (chainrule, np))


def _checked(layer: Any, seed: int, make: Callable[[Callable[[], None], np.random.Generator], Probe]) -> LayerCheck:
    # a separate stream, because scripts often draw their arrays from default_rng(0) too
    rng = np.random.default_rng(np.random.SeedSequence([seed, 20_260_901]))
    quiet = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO())
    with same_random_numbers(layer) as again, quiet[0], quiet[1], np.errstate(all="ignore"):
        try:
            return Comparison(make(again, rng), rng).result()
        except NoUpstreamError:
            return LayerCheck((), (), None, (Finding("backward", "begins", {}),))
        except Exception as error:  # the learner's code does not accept the small batch
            return LayerCheck((), (), describe(error))
