"""`chainrule lesson`: the tour, the exercise that it writes, and the feedback on solutions."""

import pytest

FILE = "exercise_04_relu.py"
EMPTY = "        pass  # your lines"


@pytest.fixture
def lesson(chainrule, tmp_path):
    return lambda *arguments, **options: chainrule("lesson", *arguments, cwd=tmp_path, **options)


def test_the_list_is_in_the_language_of_the_terminal(lesson):
    english, chinese = lesson(), lesson(environment={"LC_ALL": "zh_CN.UTF-8"})
    assert "     4  The ReLU layer\n" in english.stdout
    assert len(english.stdout.splitlines()) == 22
    assert "ReLU 层" in chinese.stdout
    assert lesson("--language", "en", environment={"LC_ALL": "zh_CN.UTF-8"}).stdout == english.stdout


def test_a_lesson_from_its_text_to_a_right_exercise(lesson, tmp_path):
    tour = lesson(4)
    assert tour.returncode == 0, tour.stderr
    assert tour.stdout.startswith("# 4. The ReLU layer\n")
    assert "x is as it was: [[1.0, -0.5], [-2.0, 3.0]]\n" in tour.stdout
    assert f"your exercise: {FILE}\n" in tour.stdout
    wrong = lesson(4, "--check")
    assert (wrong.returncode, wrong.stdout.splitlines()[0]) == (1, "✗ dx is not there: nothing sets or returns it")
    text = (tmp_path / FILE).read_text()
    (tmp_path / FILE).write_text(text.replace(EMPTY, "        return np.where(self.mask, 0, dout)"))
    assert "already there, kept" in lesson(4).stdout
    right = lesson(4, "--check")
    assert (right.returncode, right.stdout) == (
        0,
        "✓ right: backward is the derivative of its forward (4 gradients compared in 4 draws)\n",
    )
    moved = (tmp_path / FILE).rename(tmp_path / "mine.py")
    assert lesson(4, "--check", "--file", moved, "-l", "zh").stdout == (
        "✓ 正确：backward 是 forward 的导数（4 次抽样中比较了 4 个梯度）\n"
    )


def test_figures_are_written_where_there_is_no_display(lesson, tmp_path):
    told = lesson(5, environment={"DISPLAY": "", "WAYLAND_DISPLAY": ""})
    path = tmp_path / "lesson_05_sigmoid-1.png"
    assert f"figure: {path}" in told.stderr
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("number", [1, 6, 8, 15])
def test_what_a_solution_shows_is_right(lesson, tmp_path, number):
    """The file that the tour writes contains everything the solution needs."""
    assert lesson(number).returncode == 0
    (path,) = tmp_path.glob("exercise_*.py")
    text, solved = path.read_text(), lesson(number, "--solution").stdout
    path.write_text(text[: text.index("\nclass ") + 1] + solved)
    told = lesson(number, "--check")
    assert told.returncode == 0, told.stdout


def test_bad_input(lesson, tmp_path):
    assert "no lesson 99: there are 1 to 21" in lesson(99).stderr
    assert "no exercise at exercise_04_relu.py: chainrule lesson 4 writes it" in lesson(4, "--check").stderr
    for text, message in (
        ("class Relu(:\n", f"{FILE}, line 1: invalid syntax"),
        ("x = 1\n1 / 0\n", f"{FILE} cannot be run: ZeroDivisionError: division by zero ({FILE}, line 2)"),
        ("class ReLU: pass\n", f"{FILE} has no class Relu: it must keep its name"),
    ):
        (tmp_path / FILE).write_text(text)
        told = lesson(4, "--check")
        assert told.returncode == 2
        assert message in told.stderr
        assert "Traceback" not in told.stderr


def test_in_a_terminal_the_reader_goes_on_or_leaves(tmp_path, in_terminal):
    code, shown = in_terminal("lesson", "4", typed=b"\nq\n", cwd=tmp_path)
    assert code == 0
    assert shown.count("Enter: continue") == 2
    assert "Exercise" not in shown
    assert "\x1b[" in shown  # colours
    assert not list(tmp_path.iterdir())
