"""One run of training: its proof, its log, its checkpoints, and the network that is kept in the end."""

import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule.cli.results import write_model, write_results
from chainrule.cli.terminal import note, printable, progress, stderr, translated
from chainrule.cli.text_results import of_text
from chainrule.cli.together import agree_on
from chainrule.data import Part, Text
from chainrule.errors import DataError, DivergenceError
from chainrule.interrupt import uninterrupted
from chainrule.layers import Scale, Sequential
from chainrule.parallel import MPIWorkers, pays, tell_saved
from chainrule.recipes import Recipe
from chainrule.training import (
    Epoch,
    JsonLog,
    Log,
    Step,
    TensorBoardLog,
    Trainer,
    Units,
    calibrate,
    prove,
)
from chainrule.writing import write_text

__all__ = ["CHECKPOINT", "Portions", "train_and_write"]

CHECKPOINT = "checkpoint.safetensors"
_SAMPLE = 200
"""Tokens that a network writes after each epoch, to show what it has learned."""
_MANY, _EVERY = 50, 10
"""Of more epochs than that, the first ten are told and then every tenth; all are in history.csv."""


@dataclass(frozen=True)
class Portions:
    """The parts of the data: what is learned and what epochs are measured on (where numbers are predicted, both in
    `units`), and what the network that is kept is measured on."""

    learned: Part
    watched: Part
    train: Part
    test: Part
    units: Units | None = None


def train_and_write(
    trainer: Trainer,
    data: Portions,
    chosen: Recipe,
    source: dict[str, Any],
    folder: Path,
    *,
    resume: bool,
    workers: MPIWorkers | None = None,
) -> None:
    """Train, measure and write; `source` is what is kept with the run about its data and its output.

    Of several workers all train, and the first one writes.
    """
    checkpoint, network = folder / CHECKPOINT, trainer.network
    run = {"id": secrets.token_hex(8)} | source | {"recipe": chosen.as_dict()}
    if resume:
        run["id"] = trainer.resume(checkpoint).get("id")
        note(f"resuming after step {trainer.step:,} in epoch {trainer.epoch + 1}")
    elif checkpoint.exists():
        note(f"replacing the run in {folder} (--resume would continue it)")
    note(f"{chosen.model}: {network.values.size:,} parameters, {len(data.learned):,} {translated(_things(data))}")
    if workers is None or workers.rank == 0:  # the others wait for it no shorter than for a start
        _check_gradients(network, data.learned, chosen)
    if workers is not None:
        agree_on(workers, trainer, data.learned, chosen)
        note(f"{workers.size} workers, each batch in {chosen.accumulate} parts")
        work = network.values.size, network.summary().multiply_adds, chosen.batch_size
        if workers.size > 1 and not pays(*work, workers.size):
            note(f"{chosen.model} is too small to benefit: a step takes less time than the workers' communication")
        if workers.rank:
            for _ in _epochs(trainer, data, chosen, []):
                pass
            return
    started = time.perf_counter()
    try:
        with _logs(folder, trainer, run) as logs:
            _run(trainer, data, chosen, checkpoint, run, logs)
    except DivergenceError as error:
        if not trainer.epoch:
            raise
        raise DivergenceError(f"{error}; the last good checkpoint is {checkpoint}") from error
    seconds = time.perf_counter() - started
    final = _finished(trainer, data, chosen)
    write_model(final, folder, half=bool(source["half"]))
    write_results(final, trainer, data.train, data.test, source["data"], chosen, folder, seconds)


def _check_gradients(network: Sequential, data: Part, recipe: Recipe) -> None:
    """The lesson's proof before the lesson's training: a few gradients against numerical ones."""
    report = prove(network, data, recipe.loss(network), seed=recipe.seed)
    if not report.ok:
        worst = max(report.rows, key=lambda row: (not row.ok, row.error))
        raise DivergenceError(
            f"backpropagation differs from the numerical gradient by {worst.error:.1e} at {worst.name} "
            f"{list(worst.worst)}: the backward pass of a layer is wrong; chainrule gradcheck compares all of them"
        )
    left_out = [f"{report.kinks} on kinks"] * bool(report.kinks) + [f"{report.hidden} too small"] * bool(report.hidden)
    if report.compared:
        told = f"{report.compared} gradients agree with numerical ones, largest relative difference {report.error:.0e}"
    else:
        told = (
            "nothing could be compared" if left_out else "nothing could be compared, since the outputs are not finite"
        )
    if left_out:
        note(f"gradient check: {told}; not compared: {', '.join(map(translated, left_out))}")
    else:
        note(f"gradient check: {told}")


@contextmanager
def _logs(folder: Path, trainer: Trainer, run: dict[str, Any]) -> Iterator[list[Log]]:
    """The logs of the run, begun anew or after the step of its checkpoint, and closed at the end."""
    with ExitStack() as stack:
        log = stack.enter_context(JsonLog(folder / "log.jsonl", after=trainer.step, run=run["id"]))
        if log.is_new:
            log.write("start", run)
        for epoch in trainer.history:  # a run may have been killed when it had a checkpoint and no log yet
            if epoch.number not in log.epochs:
                log.epoch(epoch)
        logs: list[Log] = [log]
        if run["tensorboard"]:
            logs.append(TensorBoardLog(folder / "tensorboard", after=trainer.step))
            stack.callback(logs[-1].close)
        yield logs
        log.write("end", {})


def _run(
    trainer: Trainer,
    data: Portions,
    recipe: Recipe,
    checkpoint: Path,
    run: dict[str, Any],
    logs: list[Log],
) -> None:
    told = len(trainer.history)

    def save() -> None:
        nonlocal told
        for log in logs:
            for epoch in trainer.history[told:]:
                log.epoch(epoch)
        told = len(trainer.history)
        trainer.save(checkpoint, run)
        tell_saved(trainer.step, checkpoint.parent)
        for log in logs:
            log.saved()

    try:
        for _ in _epochs(trainer, data, recipe, logs):
            with uninterrupted():
                save()
    except KeyboardInterrupt:
        with uninterrupted():
            save()
            command = f"chainrule train --resume --output {checkpoint.parent}"
            note(f"\nstopped after step {trainer.step:,} and saved; continue with: {command}")
        raise


def _epochs(trainer: Trainer, data: Portions, recipe: Recipe, logs: list[Log]) -> Iterator[Epoch]:
    """Train to the end, and tell all but the epochs to the logs."""
    shown_data = recipe.shown(data.learned)
    quick = recipe.epochs > _MANY
    with progress(recipe.steps(len(data.learned)), trainer.step) as show:
        while trainer.epoch < recipe.epochs and not _has_waited(trainer, recipe):
            shown = 0.0
            for step in trainer.steps(shown_data, batch_size=recipe.batch_size):
                for log in logs:
                    log.step(step)
                if (now := time.perf_counter()) - shown > 0.1:
                    shown = now
                    show(step.number, _under_way(step, recipe))
            epoch = trainer.end_epoch(data.watched)
            if not quick or epoch.number <= _EVERY or epoch.number % _EVERY == 0 or epoch.number == recipe.epochs:
                told = str(epoch) if recipe.validation else str(epoch).replace("validation loss", "test loss")
                parts = (told + of_text(epoch.validation_loss, data.watched)).split("  ")
                note("  ".join(translated(part) for part in parts))
                if isinstance(data.watched, Text):
                    stderr.print(_sample(trainer, recipe), markup=False)
            yield epoch


def _under_way(step: Step, recipe: Recipe) -> str:
    """A step as its progress bar tells it."""
    parts = [f"epoch {step.epoch}/{recipe.epochs}", f"loss {step.loss:.3f}"]
    parts += [] if step.accuracy is None else [f"accuracy {step.accuracy:.0%}"]
    return "  ".join(translated(part) for part in [*parts, f"{step.images_per_second:,.0f} samples/s"])


def _has_waited(trainer: Trainer, recipe: Recipe) -> bool:
    """Whether as many epochs as patience allows have brought nothing better."""
    return bool(recipe.patience and trainer.best and trainer.epoch - trainer.best.number >= recipe.patience)


def _finished(trainer: Trainer, data: Portions, recipe: Recipe) -> Sequential:
    """The network to keep: of the best epoch if that was waited for, else averaged; calibrated on what was held out, or
    giving numbers in their own units."""
    if recipe.patience:
        held_out = f"{len(data.watched):,} {translated(_things(data))}"
        note(f"keeping epoch {trainer.use_best().number}, the best on the {held_out} held out")
    else:
        trainer.use_average()
    if data.units is not None:
        return data.units.restored(trainer.network)
    if not recipe.validation or isinstance(data.learned, Text):
        return trainer.network
    try:
        network = calibrate(trainer.network, data.watched)
    except DataError as error:
        note(f"not calibrated: {error}")
        return trainer.network
    last = network.layers[-1]
    assert isinstance(last, Scale)
    note(f"calibrated: temperature {1 / last.factor:.2f}")
    return network


def _sample(trainer: Trainer, recipe: Recipe) -> str:
    """What the network writes by now, on lines of its own."""
    text = "".join(write_text(trainer.network, length=_SAMPLE, seed=recipe.seed))
    return "\n".join(f"    {line}" for line in printable(text).splitlines())


def _things(data: Portions) -> str:
    if isinstance(data.learned, Text):
        preparation = data.learned.preparation
        return f"windows of {preparation.context} {preparation.tokenizer.kind} an epoch"
    return "images" if len(data.learned.sample_shape) > 1 else "rows"
