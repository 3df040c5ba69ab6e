"""What `chainrule run --check` found, in a table and in sentences."""

from collections.abc import Callable, Sequence
from pathlib import Path

from chainrule.scratch.watch import Watched
from chainrule.text import Language, spoken, table

__all__ = ["report"]

_WORDS = {
    "nothing": (
        "no class with forward and backward, or loss and gradient, was used: nothing was checked",
        "脚本没有用到带 forward 和 backward（或 loss 和 gradient）的类：没有可检查的内容",
    ),
    "failure": ("{}: could not be run on {} samples: {}", "{}：无法用 {} 个样本运行：{}"),
    "follows": ("{}: wrong as well, as its layers are: fix them first", "{}：也不对，因为它的层不对：请先修正那些层"),
    "all": (
        "every backward pass is the derivative of its forward pass: {} of {} gradients compared, all agree",
        "每个 backward 都是其 forward 的导数：{1} 个梯度比较了 {0} 个，全部一致",
    ),
    "none": ("0 of {1} gradients compared", "{1} 个梯度比较了 0 个"),
    "some": ("{} of {} gradients compared, all agree", "{1} 个梯度比较了 {0} 个，全部一致"),
    "wrong": ("{} of {} gradients compared, {} wrong", "{1} 个梯度比较了 {0} 个，{2} 个有错"),
    "cut": (
        "on the first {} of {} steps, {} elements or more of each gradient: {}",
        "只读前 {} 步（共 {} 步），每个梯度至少比较 {} 个元素：{}",
    ),
    "skipped": ("not compared: {}", "未比较：{}"),
    "constants": (
        "read by forward and without a gradient, so taken as constant: {}",
        "forward 读取但没有梯度，视为常量：{}",
    ),
    "uncalled": ("never called, so not compared: {}", "从未调用，因此未比较：{}"),
    "more": ("and {} more", "另有 {} 个"),
}
_MOST = 6
"""Names in a list; the others are counted."""


def report(checks: Sequence[Watched], uncalled: Sequence[str], language: Language) -> str:
    """A row for each gradient, a sentence for each that is wrong, and last how many were compared and which not."""

    def say(key: str, *values: object) -> str:
        return spoken(_WORDS[key], language).format(*values)

    if not checks:
        return "\n".join([say("nothing"), *([say("uncalled", _listed(uncalled, say))] if uncalled else [])])
    layers_ok = all(watched.check.ok for watched in checks if watched.method != "gradient")
    rows, sentences, skipped, constants = [], [], [], []
    for watched in sorted(checks, key=lambda watched: watched.method == "gradient"):  # networks after the layers
        check = watched.check
        where = "chainrule" if watched.is_ours else f"{Path(watched.file).name}:{watched.line}"
        label = f"{watched.name} ({where})"
        rows += [
            (label, row.name, row.shape, f"{row.error:.1e}" if row.checked else "-", "ok" if row.ok else "WRONG")
            for row in check.rows
        ]
        place = f"{watched.name}.{watched.method} ({where})"
        if check.failure:
            sentences.append(say("failure", place, watched.samples, check.failure))
            skipped.append(f"{watched.name}.{watched.method}")
        elif watched.method == "gradient" and not check.ok and not layers_ok:
            sentences.append(say("follows", place))
        else:
            sentences += [f"{place}: {finding.text(language)}" for finding in check.findings]
        skipped += [f"{watched.name}: {finding.text(language)}" for finding in check.skipped]
        constants += [f"{watched.name}.{name}" for name in check.constants]
    compared = sum(len(watched.check.rows) for watched in checks)
    # of a layer that could not be run, nobody knows how many gradients it has: it has one or more
    produced = sum(max(watched.check.produced, 1) for watched in checks)
    wrong = sum(len(watched.check.findings) for watched in checks)
    complete = compared == produced and not uncalled
    verdict = "wrong" if wrong else "all" if complete else "some" if compared else "none"
    last = [say(verdict, compared, produced, wrong)]
    last += _cuts(checks, say)
    last += [say("skipped", "; ".join(skipped))] if skipped else []
    last += [say("uncalled", _listed(uncalled, say))] if uncalled else []
    summary = table(("layer", "gradient", "shape", "relative error", "verdict"), rows) if rows else ""
    told = [say("constants", _listed(constants, say))] if constants else []
    return "\n".join([summary, *sentences, *told, "; ".join(last)]).strip()


def _cuts(checks: Sequence[Watched], say: Callable[..., str]) -> list[str]:
    """Of what was checked on sequences cut short: on how many steps, and on how many elements."""
    told = []
    for steps in sorted({watched.steps for watched in checks if watched.steps is not None and watched.check.rows}):
        cut = [watched for watched in checks if watched.steps == steps]
        least = min(row.compared for watched in cut for row in watched.check.rows)
        told.append(say("cut", *steps, least, _listed([watched.name for watched in cut], say)))
    return told


def _listed(names: Sequence[str], say: Callable[..., str]) -> str:
    left = len(names) - _MOST
    return ", ".join([*names[:_MOST], *([say("more", left)] if left > 0 else [])])
