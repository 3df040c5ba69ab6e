"""The lessons run unmodified, in both languages with the same code; their exercises diagnose mistakes."""

import re
import sys

import numpy as np
import pytest

from chainrule.errors import OptionError
from chainrule.lessons import EXERCISES, check, find_lessons, judge

LESSONS = find_lessons()
CHINESE = {lesson.name: lesson for lesson in find_lessons("zh")}
TOPICS = [
    "graph", "chain", "node", "relu", "sigmoid", "affine", "softmax", "two_layer", "gradient_check", "numerical",
    "optimizer", "initialization", "batch_normalization", "dropout", "convolution", "recurrent", "through_time", "lstm",
    "attention", "loss_over_a_sequence", "language_model",
]  # fmt: skip


def code(lesson) -> list[str]:
    return [cell.text.replace(', language="zh"', "") for cell in lesson.cells if cell.is_code]


def exercise(lesson) -> tuple[str, str, dict]:
    """Its name, its unfinished code, and what the lesson has defined so far."""
    namespace: dict = {}
    for cell in lesson.cells:
        if cell.exercise:
            return cell.exercise, cell.text, namespace
        if cell.is_code and "import" in cell.text:
            exec("\n".join(re.findall(r"^(?:from|import) .*$", cell.text, re.MULTILINE)), namespace)
    raise AssertionError(f"{lesson.name} has no exercise")


RNN, TIME, LSTM = (EXERCISES[key].solution for key in ("rnn", "through_time", "lstm"))


@pytest.fixture
def figures(tmp_path, monkeypatch):
    """The folder that figures are written to."""
    import matplotlib.pyplot as plt

    monkeypatch.setattr(sys, "argv", [str(tmp_path / "lesson.py")])
    plt.switch_backend("module://chainrule.scratch.figures")
    yield tmp_path
    plt.switch_backend("agg")


def test_every_topic_has_a_lesson_in_both_languages():
    assert len(LESSONS) == len(TOPICS)
    assert all(topic in lesson.name for topic, lesson in zip(TOPICS, LESSONS, strict=True))
    assert [lesson.number for lesson in LESSONS] == list(range(1, 22))
    assert list(CHINESE) == [lesson.name for lesson in LESSONS]


def _long_if_it_trains_much(lesson):
    return pytest.param(lesson, marks=[pytest.mark.long] if 11 <= lesson.number <= 14 else [])


@pytest.mark.parametrize(
    "lesson", [_long_if_it_trains_much(lesson) for lesson in LESSONS], ids=lambda lesson: lesson.name
)
def test_a_lesson_runs_and_its_translation_has_the_same_code(lesson, capsys, figures):
    chinese = CHINESE[lesson.name]
    assert code(chinese) == code(lesson)
    assert [cell.is_code for cell in chinese.cells] == [cell.is_code for cell in lesson.cells]
    assert not lesson.title.isascii() or lesson.title.strip()
    assert not chinese.path.read_text().isascii()
    namespace: dict = {}
    for cell in lesson.cells:
        if cell.is_code:
            exec(compile(cell.text, lesson.name, "exec"), namespace)
    out = capsys.readouterr().out
    assert len(list(figures.glob("*.png"))) == sum(text.count("plt.show()") for text in code(lesson))
    assert len(out.splitlines()) >= 4
    assert "✗ " in out  # the exercise is not yet written
    assert "hint: " in out
    exec([cell.text for cell in chinese.cells if cell.is_code][-1], namespace)
    assert "想一想：" in capsys.readouterr().out


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_an_exercise_is_wrong_as_it_stands_and_right_when_solved(lesson, capsys):
    key, unfinished, namespace = exercise(lesson)
    task = EXERCISES[key]
    exec(unfinished, namespace)
    assert not judge(key, namespace[task.class_name]).ok
    exec(task.solved(unfinished), namespace)
    check(key, namespace[task.class_name])
    method = "gradient" if key in ("network", "language_model") else "backward"
    printed = capsys.readouterr().out
    assert re.fullmatch(
        rf"✓ right: {method} is the derivative of its forward \(\d+ gradients compared in 4 draws\)\n", printed
    )


def test_every_exercise_belongs_to_one_lesson():
    assert sorted(exercise(lesson)[0] for lesson in LESSONS) == sorted(EXERCISES)


@pytest.mark.parametrize(
    ("number", "written", "hint"),
    [
        (1, "return dout, dout, dout", "at"),
        (2, "return dout * 2 * self.t * self.y, dout * 2 * self.t * self.y", "dy is"),
        (3, "return -dout * self.x / self.y**2, dout / self.y", "dx is what dy should be: the two are swapped"),
        (4, "return dout", "dx is dout itself"),
        (4, "return np.where(self.mask, dout, 0)", "the mask is inverted"),
        (4, "return dout * (dout > 0)", "dx is"),
        (5, "x = np.log(self.out / (1 - self.out))\nreturn x * self.out * (1 - self.out)", "dx is"),
        (5, "return self.out * (1 - self.out)", "dx is not multiplied by the upstream gradient"),
        (6, "self.dW = dout.T @ self.x\nself.db = dout.sum(axis=0)\nreturn dout @ self.W.T", "dW is transposed"),
        (6, "self.dW = self.x.T @ dout\nself.db = dout\nreturn dout @ self.W.T", "db has shape (4, 3): it is not"),
        (
            6,
            "self.dW = self.x.T @ dout\nself.db = dout.sum(axis=1)\nreturn dout @ self.W.T",
            "db has shape (4,) instead of (3,): it is summed over the wrong axis",
        ),
        (7, "return self.y - self.t", "dx is 4 times too large, and the batch has 4 samples"),
        (7, "return (self.t - self.y) / len(self.t)", "dx has the wrong sign"),
        (8, "return {}", 'gradient["W1"] is not there'),
        (10, "return 2 * (self.y - self.t) / len(self.y)", "dy is 2 times what it should be"),
        (11, "return self.x / 10, 2 * self.y", "dx is"),
        (12, "return np.where(self.mask, 0, dout)", "dx is zero at"),
        (
            13,
            "self.dbeta, self.dgamma = dout.sum(axis=0), (dout * self.xn).sum(axis=0)\n"
            "return self.gamma * dout / self.std",
            "dx ignores that the mean and the variance depend on every sample",
        ),
        (14, "return dout", "dx is dout itself"),
        (7, "return dout**2 * (self.y - self.t) / len(self.t)", "dx is 2.5 times what it should be"),
        (15, "return 1 / 0", "it fails: ZeroDivisionError: division by zero"),
        (16, RNN.replace("* (1 - self.h_next**2)", ""), "dx "),
        (16, RNN.replace("da @ self.Wh.T", "da"), "dh_prev"),
        (17, TIME.replace(" + dh)", ")"), "dWx"),
        (17, TIME.replace("self.dWx + dWx", "dWx"), "dWx"),
        (18, LSTM.replace("dc = dc_next + ", "dc = "), "dc_prev"),
        (18, LSTM.replace("* self.f * (1 - self.f)", ""), "dWx"),
        (18, LSTM.replace("np.hstack([df, dg * (1 - self.g**2), di, do])", "np.hstack([di, dg, df, do])"), "dWx"),
        (19, EXERCISES["attention"].solution.replace(" + ds[:, :, None] * self.h[:, None]", ""), "dhs"),
        (19, EXERCISES["attention"].solution.replace("(da - (self.a * da).sum(axis=1, keepdims=True))", "da"), "dh"),
        (20, "return (self.y - np.eye(self.y.shape[2])[self.t]) / self.mask.sum()", "dxs"),
        (20, EXERCISES["sequence_loss"].solution.replace("self.mask.sum()", "self.mask.size"), "dxs"),
    ],
)
def test_mistakes_get_the_hint_that_fits(number, written, hint):
    key, unfinished, namespace = exercise(LESSONS[number - 1])
    lines = "\n".join("        " + line for line in written.splitlines())
    exec(unfinished.replace("        pass  # your lines", lines), namespace)
    verdict = judge(key, namespace[EXERCISES[key].class_name])
    assert not verdict.ok
    assert any(hint in line for line in verdict.lines), verdict.lines


@pytest.mark.parametrize(
    ("number", "right", "swapped"),
    [
        (16, "return da @ self.Wx.T, da @ self.Wh.T", "return da @ self.Wh.T, da @ self.Wx.T"),
        (
            19,
            "return dhs, (ds[:, :, None] * self.hs).sum(axis=1)",
            "return (ds[:, :, None] * self.hs).sum(axis=1), dhs",
        ),
    ],
)
def test_the_order_of_the_gradients_counts(number, right, swapped):
    key, unfinished, namespace = exercise(LESSONS[number - 1])
    solved = EXERCISES[key].solved(unfinished)
    assert right in solved
    exec(solved.replace(right, swapped), namespace)
    verdict = judge(key, namespace[EXERCISES[key].class_name])
    assert verdict.lines == ("backward must return the gradients in the order in which forward takes its arguments",)


def test_a_gradient_that_leans_on_the_batch_before_is_wrong():
    key, unfinished, namespace = exercise(LESSONS[7])
    exec(EXERCISES[key].solved(unfinished).replace("        self.loss(x, t)\n        dout", "        dout"), namespace)
    assert not judge(key, namespace["TwoLayerNet"]).ok


def test_a_changed_forward_and_a_class_that_cannot_be_made_are_told():
    class Relu:
        def forward(self, x):
            return x

        def backward(self, dout):
            return dout

    assert judge("relu", Relu).lines == ("forward was changed: leave it as it was and write backward",)
    assert judge("affine", Relu, "zh").lines[0].startswith("运行出错：TypeError: ")
    with pytest.raises(OptionError, match="no exercise 'nothing': there are graph, "):
        judge("nothing", Relu)


@pytest.mark.parametrize("lesson", [*LESSONS, *CHINESE.values()], ids=lambda lesson: lesson.path.stem)
def test_jupytext_reads_the_notebooks_as_we_do(lesson):
    import jupytext
    import nbformat

    notebook = jupytext.reads(lesson.path.read_text(), fmt="py:percent")
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    assert [(cell.cell_type == "code", cell.source) for cell in notebook.cells] == [
        (cell.is_code, cell.text) for cell in lesson.cells
    ]
    assert [cell.metadata.get("exercise") for cell in notebook.cells] == [cell.exercise for cell in lesson.cells]


def test_judging_leaves_the_random_numbers_alone():
    np.random.seed(5)
    first = np.random.rand()
    np.random.seed(5)
    key, unfinished, namespace = exercise(LESSONS[3])
    exec(unfinished, namespace)
    judge(key, namespace["Relu"])
    assert np.random.rand() == first
