"""What `chainrule run --check` found, in a table and in sentences."""

from collections.abc import Sequence
from pathlib import Path

from chainrule.scratch.watch import Watched
from chainrule.text import Language, spoken, table

__all__ = ["report"]

_WORDS = {
    "nothing": ("no backward pass was called: nothing was checked", "脚本没有调用任何 backward：没有可检查的内容"),
    "failure": ("{}: not checked on {} samples: {}", "{}：无法用 {} 个样本检查：{}"),
    "follows": ("{}: wrong as well, as its layers are: mend them first", "{}：也不对，因为它的层不对：请先修正那些层"),
    "fine": ("every backward pass is the derivative of its forward pass", "每个 backward 都是其 forward 的导数"),
}


def report(checks: Sequence[Watched], language: Language) -> str:
    """A row a gradient, then a sentence for each that is wrong and each layer that could not be checked."""
    if not checks:
        return spoken(_WORDS["nothing"], language)
    layers_ok = all(watched.check.ok for watched in checks if watched.method == "backward")
    rows, sentences = [], []
    for watched in sorted(checks, key=lambda watched: watched.method):  # networks after the layers
        where = "chainrule" if watched.is_ours else f"{Path(watched.file).name}:{watched.line}"
        label = f"{watched.name} ({where})"
        rows += [
            (label, row.name, row.shape, f"{row.error:.1e}" if row.checked else "-", "ok" if row.ok else "WRONG")
            for row in watched.check.rows
        ]
        place = f"{watched.name}.{watched.method} ({where})"
        if watched.check.failure:
            sentences.append(spoken(_WORDS["failure"], language).format(place, watched.samples, watched.check.failure))
        elif watched.method == "gradient" and not watched.check.ok and not layers_ok:
            sentences.append(spoken(_WORDS["follows"], language).format(place))
        else:
            sentences += [f"{place}: {finding.text(language)}" for finding in watched.check.findings]
    summary = table(("layer", "gradient", "shape", "relative error", "verdict"), rows) if rows else ""
    return "\n".join([summary, *(sentences or [spoken(_WORDS["fine"], language)])]).strip()
