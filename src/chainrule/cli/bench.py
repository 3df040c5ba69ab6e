"""`chainrule bench`: how fast this is next to others, on this machine."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from chainrule.bench import SECTIONS, rows, versions
from chainrule.bench.fair import begin_fairly
from chainrule.bench.peers import load_peers
from chainrule.bench.report import as_json
from chainrule.cli.terminal import language, note, say_fields, say_table, show, translated
from chainrule.errors import OptionError
from chainrule.files import make_folder, replacing
from chainrule.plots import plot_ratios

__all__ = ["bench"]


def bench(
    only: Annotated[
        list[str] | None, typer.Option(help=f"A section of {', '.join(SECTIONS)}; may be repeated.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; each ratio is their median.")] = 9,
    output: Annotated[Path, typer.Option(help="Folder for bench.json and a picture of each section.")] = Path(
        "runs/bench"
    ),
) -> None:
    """Compare chainrule with PyTorch, JAX, scikit-learn and ONNX Runtime, if installed.

    All do the same work by turns in one run; a ratio says how many times as long as chainrule the other takes. Without
    --only: training, inference and start, some minutes.

    Example: chainrule bench --only training --rounds 5
    """
    chosen = only or ["training", "inference", "start"]
    sections = [word for name in only or () for word in ("--only", name)]
    begin_fairly(
        ["-m", "chainrule", "bench", *sections, f"--rounds={rounds}", f"--output={output}", f"--language={language()}"],
        note,
    )
    if unknown := [name for name in chosen if name not in SECTIONS]:
        raise OptionError(f"there is no section {unknown[0]!r}: choose from {', '.join(SECTIONS)}")
    make_folder(output)
    peers, missing = load_peers()
    for name in missing:
        note(f"{name} is not installed: skipped")
    report: dict[str, Any] = {"versions": versions(peers), "rounds": rounds, "missing": missing}
    for name in chosen:
        note(f"{name}: {translated(SECTIONS[name].__doc__)}")
        section: dict[str, Any] = {}
        ratios: dict[str, dict[str, float]] = {}
        for title, results in SECTIONS[name](peers, rounds):
            measured = [(translated(way), *map(translated, cells)) for way, *cells in rows(title, results)]
            say_table((title, "ratio", "from ... to", "median"), measured)
            show("")
            section[title] = as_json(results)
            ratios[title] = {way: result.ratio for way, result in results.items()}
        report[name] = section
        plot_ratios(ratios, output / f"{name}.png", f"{name}: how many times as long as chainrule (1)")
    with replacing(output / "bench.json") as file:
        file.write(json.dumps(report, indent=1, allow_nan=False).encode() + b"\n")
    say_fields(report["versions"])
    note(f"written to {output}: bench.json, {', '.join(f'{name}.png' for name in chosen)}")
