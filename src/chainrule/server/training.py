"""Trainings that a page watches: each runs in its own thread, plays, pauses and steps, and keeps snapshots.

The step is the lesson's, by hand: forward, loss, backward, update. With gradient "numerical" the same step computes its
gradient from two losses per parameter, to show how long that takes.
"""

import threading
import time
from collections.abc import Iterator
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from chainrule.arrays import Array
from chainrule.errors import ChainruleError, DivergenceError
from chainrule.io import fill
from chainrule.layers import ReLU, Sequential
from chainrule.metrics import accuracy, divergence
from chainrule.numerical import central_difference
from chainrule.optimizers import Optimizer
from chainrule.recipes import OPTIMIZERS
from chainrule.server.problems import ProblemError
from chainrule.server.settings import Settings
from chainrule.server.tasks import Task

__all__ = ["LayerState", "Point", "Progress", "State", "Training"]

_POINT_EVERY = 0.05
"""Seconds between points of the curves."""

_SNAPSHOT_EVERY = 0.5
_SNAPSHOTS = 32
_POINTS = 2000
_MEASURED = 1000
"""Number of test samples on which a snapshot is measured."""

State = Literal["paused", "playing", "stopped", "failed"]


class LayerState(BaseModel):
    """The state of a layer."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=100)
    gradient: float | None = Field(description="norm of its gradient, divided by that of its parameters")
    dead: float | None = Field(description="share of a ReLU's units that were 0 for every sample measured")


class Point(BaseModel):
    """A point of the curves. `test_loss` and `layers` are set if a snapshot was taken; if numbers are predicted, there
    is no accuracy."""

    model_config = ConfigDict(extra="forbid")

    step: int = Field(ge=0, le=2**53)
    loss: float
    accuracy: float | None
    test_loss: float | None = None
    test_accuracy: float | None = None
    layers: list[LayerState] = Field(default=[], max_length=100)


class Progress(BaseModel):
    """Training progress."""

    id: str
    version: int = Field(
        description="increases: of two responses that arrive out of order, the one with the higher value is newer"
    )
    state: State
    settings: Settings | None = Field(description="null in events after the first")
    step: int
    seconds: float = Field(description="spent in steps")
    probed: int = Field(description="parameters whose numerical derivative is known in the current step")
    parameters: int
    snapshots: list[int] = Field(description='steps; "training:ID:STEP" is the model of that step')
    error: str | None = None
    diverged: bool = Field(default=False, description="whether the error is that the loss is no longer finite")
    opened: bool = Field(default=False, description="whether it was read from a file and so has ended")
    trouble: str | None = Field(
        default=None, description="what is wrong with the latest snapshot although its loss is finite"
    )


class Training:
    """One network being trained."""

    def __init__(self, name: str, settings: Settings, task: Task) -> None:
        self.name, self.settings, self.task = name, settings, task
        self.network = task.network
        self.watched = time.monotonic()
        self.points: list[Point] = []
        self.version = 0
        """Increases whenever there is something new to show."""

        self._optimizer: Optimizer = OPTIMIZERS[settings.optimizer].make(settings.learning_rate, settings.weight_decay)
        self._batches = self._endless()
        self._noise = np.random.default_rng([settings.seed, 1])
        self._step, self._seconds, self._probed = 0, 0.0, 0
        self._norms: dict[str, float] = {}
        self._snapshots: dict[int, dict[str, Array]] = {}
        self._playing, self._wanted, self._stopped = False, 0, False
        self._error: str | None = None
        self._diverged = False
        self._trouble: str | None = None
        self._changed = threading.Condition()
        self._updating = threading.Lock()  # held while a step writes the parameters
        self._keep_snapshot()
        self._thread = threading.Thread(target=self._run, name=f"training {name}", daemon=True)
        self._thread.start()

    # ---- requests of a client ----

    def play(self) -> None:
        """Run until told otherwise."""
        self._command(playing=True, wanted=0)

    def pause(self) -> None:
        """Stop after the current step (a numerical one: within it)."""
        self._command(playing=False, wanted=0)

    def one_step(self) -> None:
        """Run one step and stop."""
        self._command(playing=False, wanted=1)

    def stop(self) -> None:
        """End it; its snapshots stay until it is discarded."""
        with self._changed:
            self._stopped, self._playing, self._wanted = True, False, 0
            self.version += 1
            self._changed.notify_all()

    def join(self, seconds: float) -> None:
        """Wait until its thread has ended."""
        self._thread.join(seconds)

    def progress(self) -> Progress:
        with self._changed:
            state: State = "playing" if self._active() else "paused"
            if self._stopped:
                state = "failed" if self._error else "stopped"
            return Progress(
                id=self.name,
                version=self.version,
                state=state,
                settings=self.settings,
                step=self._step,
                seconds=self._seconds,
                probed=self._probed,
                parameters=self.network.values.size,
                snapshots=sorted(self._snapshots),
                error=self._error,
                diverged=self._diverged,
                trouble=self._trouble,
            )

    def at(self, step: int) -> Sequential:
        """The network at the last snapshot up to a step."""
        with self._changed:
            known = [taken for taken in self._snapshots if taken <= step]
            if not known:
                raise ProblemError(404, f"training {self.name} has no snapshot up to step {step}")
            arrays = self._snapshots[max(known)]
        network = self.network.copy()
        fill(network, arrays)
        return self.task.finished(network.astype("float32"))

    def current(self) -> tuple[int, Sequential]:
        """The current step, and the current network, in the units that it learns in."""
        with self._updating:
            return self._step, self.network.copy().astype("float32")

    # ---- the thread ----

    def _command(self, *, playing: bool, wanted: int) -> None:
        with self._changed:
            if self._stopped:
                raise ProblemError(422, f"training {self.name} has ended: begin a new one")
            self._playing, self._wanted = playing, wanted
            self.version += 1
            self._changed.notify_all()

    def _active(self) -> bool:
        return (self._playing or self._wanted > 0) and not self._stopped

    def _wait(self) -> bool:
        """Wait for something to do; return False when it is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._active() or self._stopped)
            return not self._stopped

    def _run(self) -> None:
        told = kept = time.monotonic()
        losses: list[tuple[float, float | None]] = []  # since the previous point
        latest: tuple[float, float | None] = (0.0, None)
        try:
            while True:
                if self._step not in self._snapshots and not self._active():  # about to wait: keep the state reached
                    self._keep_snapshot(losses or [latest])
                    losses, kept, told = [], time.monotonic(), time.monotonic()
                if not self._wait():
                    return
                started = time.monotonic()
                done = self._learn()
                if done is None:  # paused or stopped within a step
                    continue
                latest = done
                losses.append(latest)
                with self._changed:
                    self._step += 1
                    if self._wanted:
                        self._wanted -= 1
                        self.version += 1
                now = time.monotonic()
                if now - kept > _SNAPSHOT_EVERY:
                    self._keep_snapshot(losses)
                    losses, kept, told = [], time.monotonic(), time.monotonic()
                elif now - told > _POINT_EVERY:
                    self._keep_point(losses)
                    losses, told = [], now
                if self.settings.speed:
                    with self._changed:
                        rest = 1 / self.settings.speed - (time.monotonic() - started)
                        self._changed.wait_for(lambda: not self._active(), max(0.0, rest))
        except ChainruleError as error:
            self._diverged = isinstance(error, DivergenceError)
            self._error = " ".join(str(error).split())
            self.stop()

    def _learn(self) -> tuple[float, float | None] | None:
        """One step: the loss and accuracy of its batch before the update; None if it was interrupted."""
        x, labels = next(self._batches)
        started = time.monotonic()
        with np.errstate(over="ignore", invalid="ignore"):
            logits, cache = self.network.forward(x, train=True, rng=self._noise)
            loss, dlogits = self.task.loss(logits, labels)
            if not np.isfinite(loss):
                rate = self.settings.learning_rate
                raise DivergenceError(
                    f"the loss became {loss} at step {self._step + 1} with learning rate {rate:g}: try {rate / 10:g}"
                )
            if self.settings.gradient == "numerical":
                if not self._probe(x, labels):
                    return None
            else:
                self.network.backward(dlogits, cache, input_gradient=False)
            self._norms = self._gradient_norms()
            with self._updating:
                self._optimizer.step(self.network)
        self._seconds += time.monotonic() - started
        return loss, self._accuracy(logits, labels)

    def _accuracy(self, outputs: Array, labels: Array) -> float | None:
        return accuracy(outputs, labels) if self.task.units is None else None

    def _probe(self, x: Array, labels: Array) -> bool:
        """Compute the gradient by central differences, one parameter at a time; return whether it finished."""
        values, gradients = self.network.values, self.network.gradients
        told = time.monotonic()

        def loss() -> float:
            return self.task.loss(self.network(x), labels)[0]

        for index in range(values.size):
            if self._stopped:
                return False
            gradients[index] = central_difference(loss, values, (index,))
            self._probed = index + 1
            if time.monotonic() - told > _POINT_EVERY:
                told = time.monotonic()
                with self._changed:
                    self.version += 1
                if not self._wait():
                    return False
        self._probed = 0
        return True

    def _gradient_norms(self) -> dict[str, float]:
        """The gradient of each layer with parameters, relative to these."""
        norms: dict[str, list[float]] = {}
        for name, parameter in self.network.parameters.items():
            sums = norms.setdefault(name.rpartition(".")[0], [0.0, 0.0])
            sums[0] += float((parameter.grad**2).sum())
            sums[1] += float((parameter.value**2).sum())
        return {name: (grad / max(value, 1e-30)) ** 0.5 for name, (grad, value) in norms.items()}

    def _keep_point(self, losses: list[tuple[float, float | None]]) -> Point:
        loss = float(np.mean([loss for loss, _ in losses]))
        right = [right for _, right in losses if right is not None]
        point = Point(step=self._step, loss=loss, accuracy=float(np.mean(right)) if right else None)
        with self._changed:
            self.points.append(point)
            if len(self.points) > _POINTS:  # every second one, except those of snapshots
                self.points = [p for i, p in enumerate(self.points) if i % 2 or p.test_loss is not None]
            self.version += 1
        return point

    def _keep_snapshot(self, losses: list[tuple[float, float | None]] | None = None) -> None:
        """The current network, measured."""
        x, labels = next(iter(self.task.test.batches(_MEASURED)))
        assert labels is not None
        hidden = x
        layers: list[LayerState] = []
        for index, layer in enumerate(self.network.layers):
            hidden = layer(layer.entering(hidden))
            name = f"{index}.{type(layer).__name__}"
            dead = float((hidden <= 0).all(axis=0).mean()) if isinstance(layer, ReLU) else None
            norm = self._norms.get(name)
            if norm is not None or dead is not None:
                layers.append(LayerState(name=name, gradient=norm, dead=dead))
        loss = self.task.loss(hidden, labels)[0]
        right = self._accuracy(hidden, labels)
        self._trouble = divergence(loss, self.task.constant) if self._step else None
        point = self._keep_point(losses or [(loss, right)])
        with self._changed:
            point.test_loss, point.test_accuracy, point.layers = loss, right, layers
            self._snapshots[self._step] = {name: array.copy() for name, array in self.network.arrays.items()}
            if len(self._snapshots) > _SNAPSHOTS:
                steps = sorted(self._snapshots)
                for step in steps[1:-1:2]:
                    del self._snapshots[step]
            self.version += 1

    def _endless(self) -> Iterator[tuple[Array, Array]]:
        rng = np.random.default_rng(self.settings.seed)
        while True:
            for x, labels in self.task.train.batches(self.settings.batch_size, rng):
                assert labels is not None
                yield x, labels
