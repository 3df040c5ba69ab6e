"""The lessons as Jupyter notebooks: what the command writes, run by a real kernel."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from chainrule.lessons import find_lessons, to_notebook

LESSONS = [*find_lessons(), *find_lessons("zh")]


def run(notebook: str, folder: Path) -> nbformat.NotebookNode:
    """What `jupyter execute --inplace` makes of it: the same with all outputs, by a fresh kernel of this Python."""
    path = folder / "notebook.ipynb"
    path.write_text(notebook, encoding="utf-8")
    told = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", "from nbclient.cli import main; main()", "--inplace", path],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=os.environ | {"JUPYTER_PLATFORM_DIRS": "1", "IPYTHONDIR": str(folder / ".ipython")},
    )
    assert told.returncode == 0, told.stderr[-3000:]
    return nbformat.read(path, as_version=4)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.path.stem)
def test_a_lesson_as_a_notebook_has_the_same_cells(lesson):
    notebook = nbformat.reads(to_notebook(lesson), as_version=4)
    nbformat.validate(notebook)
    assert [(cell.cell_type == "code", cell.source) for cell in notebook.cells] == [
        (cell.is_code, cell.text) for cell in lesson.cells
    ]


def _long_but_one(lesson):
    return pytest.param(lesson, marks=[] if lesson.path.stem == "04_relu" else [pytest.mark.long])


@pytest.mark.parametrize("lesson", [*map(_long_but_one, LESSONS)], ids=lambda lesson: lesson.path.stem)
def test_a_kernel_runs_a_lesson(lesson, tmp_path):
    pytest.importorskip("ipykernel")
    notebook = run(to_notebook(lesson), tmp_path)
    assert "✗ " in notebook.cells[-1].outputs[0].text  # the exercise is not yet written
    drawn = [
        output for cell in notebook.cells for output in cell.get("outputs", ()) if "image/png" in output.get("data", {})
    ]
    assert len(drawn) == sum(cell.source.count("plt.show()") for cell in notebook.cells)


def test_in_a_notebook_things_show_themselves_and_progress_is_one_output(tmp_path):
    pytest.importorskip("ipykernel")
    code = (
        "import numpy as np, chainrule as cr\n"
        "data = cr.Dataset(np.random.default_rng(0).random((40, 4)).astype('f4'), np.arange(40) % 2)\n"
        "net = cr.Sequential(cr.Affine(2)).build((4,))\n"
        "trainer = cr.Trainer(net, loss=cr.SoftmaxCrossEntropy(), optimizer=cr.SGD(0.1))\n"
        "for epoch in cr.training.watch(trainer.fit(data, epochs=300)):\n"
        "    pass\n"
    )
    cells = [nbformat.v4.new_code_cell(text) for text in (code, "net", "cr.plot.curves(trainer.history)")]
    notebook = run(nbformat.writes(nbformat.v4.new_notebook(cells=cells)), tmp_path)
    watched, shown, drawn = (cell.outputs for cell in notebook.cells)
    assert len(watched) == 1
    assert "300 epochs" in watched[0].data["text/html"]
    assert "10 parameters" in shown[0].data["text/html"]
    assert drawn[0].data["image/png"]


def test_the_command_writes_a_notebook_and_keeps_one_that_is_there(chainrule, tmp_path):
    told = chainrule("lesson", 4, "--notebook", cwd=tmp_path)
    assert (told.returncode, told.stdout) == (0, "notebook: lesson_04_relu.ipynb\n")
    path = tmp_path / "lesson_04_relu.ipynb"
    assert json.loads(path.read_text(encoding="utf-8"))["nbformat"] == 4
    path.write_text("mine")
    assert "already there, kept" in chainrule("lesson", 4, "--notebook", cwd=tmp_path).stdout
    assert path.read_text() == "mine"
    chinese = chainrule("lesson", 4, "--notebook", "--file", "课.ipynb", "-l", "zh", cwd=tmp_path)
    assert chinese.stdout == "笔记本：课.ipynb\n"
    assert "ReLU 层" in (tmp_path / "课.ipynb").read_text(encoding="utf-8")
    assert "leave out --check" in chainrule("lesson", 4, "--notebook", "--check", cwd=tmp_path).stderr
