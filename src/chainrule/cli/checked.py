"""What `chainrule run --check` found, said in a table and in sentences."""

from collections.abc import Sequence
from pathlib import Path

from chainrule.cli.terminal import language, say, say_table, show, translated
from chainrule.scratch.watch import Watched

__all__ = ["report"]

_MOST = 6
"""Names in a list; the others are counted."""


def report(checks: Sequence[Watched], uncalled: Sequence[str]) -> None:
    """Say a row for each gradient, a sentence for each that is wrong, and last how many were compared and which not."""
    if not checks:
        say("no class with forward and backward, or loss and gradient, was used: nothing was checked")
        if uncalled:
            say(_uncalled(uncalled))
        return
    layers_ok = all(watched.check.ok for watched in checks if watched.method != "gradient")
    rows, sentences, skipped, constants = [], [], [], []
    for watched in sorted(checks, key=lambda watched: watched.method == "gradient"):  # networks after the layers
        check = watched.check
        where = "chainrule" if watched.is_ours else f"{Path(watched.file).name}:{watched.line}"
        label = f"{watched.name} ({where})"
        for row in check.rows:
            error, verdict = f"{row.error:.1e}" if row.checked else "-", translated("ok" if row.ok else "WRONG")
            rows.append((label, row.name, row.shape, error, verdict))
        place = f"{watched.name}.{watched.method} ({where})"
        if check.failure:
            sentences.append(f"{place}: could not be run on {watched.samples} samples: {check.failure}")
            skipped.append(f"{watched.name}.{watched.method}")
        elif watched.method == "gradient" and not check.ok and not layers_ok:
            sentences.append(f"{place}: wrong as well, because its layers are: fix them first")
        else:
            sentences += [f"{place}: {finding.text(language())}" for finding in check.findings]
        skipped += [f"{watched.name}: {finding.text(language())}" for finding in check.skipped]
        constants += [f"{watched.name}.{name}" for name in check.constants]
    if rows:
        say_table(("layer", "gradient", "shape", "relative error", "verdict"), rows)
    for sentence in sentences:
        say(sentence)
    if constants:
        say(f"used in forward but without a gradient, so treated as constant: {_listed(constants)}")
    last = [_verdict(checks, complete=not uncalled), *_cuts(checks)]
    last += [f"not compared: {'; '.join(skipped)}"] if skipped else []
    last += [_uncalled(uncalled)] if uncalled else []
    show("; ".join(map(translated, last)))


def _verdict(checks: Sequence[Watched], *, complete: bool) -> str:
    compared = sum(len(watched.check.rows) for watched in checks)
    # of a layer that could not be run, nobody knows how many gradients it has: it has one or more
    produced = sum(max(watched.check.produced, 1) for watched in checks)
    wrong = sum(len(watched.check.findings) for watched in checks)
    if wrong:
        return translated(f"{compared} of {produced} gradients compared, {wrong} wrong")
    if not compared:
        return translated(f"0 of {produced} gradients compared")
    if complete and compared == produced:
        return translated(
            "every backward pass is the derivative of its forward pass: "
            f"{compared} of {produced} gradients compared, all agree"
        )
    return translated(f"{compared} of {produced} gradients compared, all agree")


def _cuts(checks: Sequence[Watched]) -> list[str]:
    """Of what was checked on sequences cut short: on how many steps, and on how many elements."""
    told = []
    for steps in sorted({watched.steps for watched in checks if watched.steps is not None and watched.check.rows}):
        cut = [watched for watched in checks if watched.steps == steps]
        least = min(row.compared for watched in cut for row in watched.check.rows)
        first, all_steps = steps
        names = _listed([watched.name for watched in cut])
        told.append(f"on the first {first} of {all_steps} steps, {least} elements or more of each gradient: {names}")
    return told


def _uncalled(names: Sequence[str]) -> str:
    return f"never called, so not compared: {_listed(names)}"


def _listed(names: Sequence[str]) -> str:
    left = len(names) - _MOST
    return ", ".join([*names[:_MOST], *([translated(f"and {left} more")] if left > 0 else [])])
