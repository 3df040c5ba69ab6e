"""Is this hand-written layer's `backward` the derivative of its `forward`? A layer as the lesson has it, checked alone.

The layer keeps its parameters and leaves its gradients in whatever way its writer chose: `probe` finds out what forward
reads and what backward makes, `match` which belongs to which. Each is compared with central differences, in float64,
with a random gradient from above: on the samples that were given, and on inputs and parameters drawn anew, so that both
sides of every branch are seen. The layer itself, the random generators and the arrays stay as they are.
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
from chainrule.scratch.layercheck import PASSES, LayerCheck
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
        layer: has forward and backward; not changed.
        arguments: of forward: a small batch. Whatever forward takes in float64 is differentiated.
        upstream: what backward is called with. Gradients of outputs are replaced by random ones.
        seed: decides the random gradient and the sampling.
        returned: what forward returned when `upstream` was made: parts of it among `upstream` are recognized.
        backward: its name; forward is called as PASSES says.
        given: what forward was called with when `upstream` was made, if not `arguments` themselves.
    """

    def probe(again: Callable[[], None], rng: np.random.Generator) -> Probe:
        return Probe(layer, arguments, options or {}, upstream, returned, again, rng, PASSES[backward], backward, given)

    return _checked(layer, seed, probe)


def check_network(network: Any, x: Array, t: Array, seed: int = 0) -> LayerCheck:
    """Compare `network.gradient(x, t)` with central differences of `network.loss(x, t)`, for each of its `params`.

    A copy of the network is checked; like the lesson's, its layers hold the arrays of `params` themselves.
    """

    def probe(again: Callable[[], None], rng: np.random.Generator) -> Probe:
        training = {"train_flg": True} if "train_flg" in inspect.signature(network.loss).parameters else {}
        return Probe(network, [x, t], training, [x, t], None, again, rng, "loss", "gradient")

    return _checked(network, seed, probe)


def describe(error: BaseException) -> str:
    """An error of a learner's code in one line, with its place in that code."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _is_ours(frame.filename)]
    where = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{where}"


def _is_ours(file: str) -> bool:
    return any(Path(file).is_relative_to(Path(str(module.__file__)).parent) for module in (chainrule, np))


def _checked(layer: Any, seed: int, make: Callable[[Callable[[], None], np.random.Generator], Probe]) -> LayerCheck:
    # a stream of its own: a script's arrays are often drawn from default_rng(0) too
    rng = np.random.default_rng(np.random.SeedSequence([seed, 20_260_901]))
    quiet = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO())
    with same_random_numbers(layer) as again, quiet[0], quiet[1], np.errstate(all="ignore"):
        try:
            return Comparison(make(again, rng), rng).result()
        except NoUpstreamError:
            return LayerCheck((), (), None, (Finding("backward", "begins", {}),))
        except Exception as error:  # of the learner's code, which does not take the small batch
            return LayerCheck((), (), describe(error))
