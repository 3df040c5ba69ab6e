"""`chainrule run`: how a script is started, what it gets, and what it is not allowed to do."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from chainrule.errors import FileError
from chainrule.scratch.start import parsed


@pytest.fixture
def script(tmp_path):
    def write(text: str, name: str = "script.py") -> Path:
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


def test_arguments_and_name_reach_the_script(script, chainrule):
    path = script("import sys; print(sys.argv[1:], __name__, sys.path[0])")
    result = chainrule("run", path, "--epochs", "3", "-x")
    assert result.stdout == f"['--epochs', '3', '-x'] __main__ {path.parent}\n"


def test_an_error_of_the_script_is_shown_as_python_shows_it(script, chainrule):
    result = chainrule("run", script("print(1 / 0)"))
    assert result.returncode == 1
    assert "ZeroDivisionError" in result.stderr
    assert "script.py" in result.stderr


def test_exit_code_of_the_script_is_ours(script, chainrule):
    assert chainrule("run", script("raise SystemExit(3)")).returncode == 3


WEIGHTS = """\
import pickle, numpy as np
with open("sample_weight.pkl", "rb") as f:
    network = pickle.load(f)
print(sorted(network), network["W1"].sum(), network["n"])
"""


def test_pickled_weights_are_read_from_the_scripts_folder(script, chainrule, tmp_path):
    import pickle

    import numpy as np

    weights = {"W1": np.ones((2, 3)), "b1": np.arange(3, dtype=np.float32), "n": np.float64(3)}
    for protocol in (2, 3, 4, 5):
        (tmp_path / "sample_weight.pkl").write_bytes(pickle.dumps(weights, protocol))
        told = chainrule("run", script(WEIGHTS), cwd=tmp_path.parent)
        assert told.stdout == "['W1', 'b1', 'n'] 6.0 3.0\n", told.stderr
        assert f"working directory: {tmp_path}, for sample_weight.pkl" in told.stderr


def test_an_evil_pickle_is_refused_by_name(script, chainrule, tmp_path):
    (tmp_path / "sample_weight.pkl").write_bytes(b"cposix\nsystem\n(S'touch hacked'\ntR.")
    told = chainrule("run", script(WEIGHTS), cwd=tmp_path)
    assert told.returncode == 2
    assert "asks for posix.system" in told.stderr
    assert not (tmp_path / "hacked").exists()
    loads = script("import pickle; pickle.loads(b\"cbuiltins\\neval\\n(S'1'\\ntR.\")", "loads.py")
    assert "asks for builtins.eval" in chainrule("run", loads).stderr


def test_joblib_files_of_arrays_are_read(script, chainrule, tmp_path):
    import joblib
    import numpy as np

    joblib.dump({"W1": np.arange(6.0).reshape(2, 3)}, tmp_path / "nn_sample")
    told = chainrule("run", script("import joblib; print(joblib.load('nn_sample')['W1'].sum())"), cwd=tmp_path)
    assert told.stdout == "15.0\n", told.stderr
    joblib.dump({"W1": Path("x")}, tmp_path / "nn_sample")
    told = chainrule("run", script("import joblib; joblib.load('nn_sample')"), cwd=tmp_path)
    assert (told.returncode, "asks for pathlib." in told.stderr) == (2, True)


def test_processes_of_joblib_answer(script, chainrule):
    text = """
import numpy as np
from joblib import Parallel, delayed
from common.functions import softmax


def work(i):
    if i == 3:
        raise ValueError("three is too many")
    return {"i": i, "p": softmax(np.arange(3.0)).round(2)}


if __name__ == "__main__":
    print(Parallel(n_jobs=2)(delayed(work)(i) for i in range(2)))
    Parallel(n_jobs=2)(delayed(work)(i) for i in range(4))
"""
    told = chainrule("run", script(text))
    assert told.stdout.count("0.67") == 2, told.stderr
    assert told.stderr.rstrip().endswith("ValueError: three is too many")


def test_figures_are_saved_where_there_is_no_display(script, chainrule, tmp_path):
    text = "import matplotlib.pyplot as plt\nfor y in (1, 2):\n    plt.plot([0, y])\n    plt.show()\nprint('done')"
    without = {"DISPLAY": "", "WAYLAND_DISPLAY": ""}
    told = chainrule("run", script(text), cwd=tmp_path.parent, environment=without)
    assert told.stdout == "done\n", told.stderr
    for number in (1, 2):
        assert (tmp_path / f"script-{number}.png").read_bytes().startswith(b"\x89PNG")
        assert f"figure: {tmp_path / f'script-{number}.png'}" in told.stderr


WINDOWS = {
    "chosen first": ("import matplotlib; matplotlib.use('TkAgg')\nimport matplotlib.pyplot as plt\n", ""),
    "chosen later": ("import matplotlib.pyplot as plt\nplt.switch_backend('Qt5Agg')\n", ""),
    "of the environment": ("import matplotlib.pyplot as plt\n", "TkAgg"),
    "that shows nothing": ("import matplotlib.pyplot as plt\n", "Agg"),
}


@pytest.mark.parametrize("window", WINDOWS)
def test_a_window_that_cannot_open_is_a_figure_beside_the_script(script, chainrule, tmp_path, window):
    text, backend = WINDOWS[window]
    without = {"DISPLAY": "", "WAYLAND_DISPLAY": "", "MPLBACKEND": backend}
    told = chainrule("run", script(text + "plt.plot([1, 2]); plt.show()"), environment=without)
    assert told.stderr == f"figure: {tmp_path / 'script-1.png'}\n"
    assert (tmp_path / "script-1.png").read_bytes().startswith(b"\x89PNG")


def test_an_animation_is_its_last_frame_and_a_single_figure_can_be_shown(script, chainrule, tmp_path):
    text = "import matplotlib.pyplot as plt\nfor y in range(3):\n    plt.plot([y, 2])\n    plt.pause(0.01)\n"
    without = {"DISPLAY": "", "WAYLAND_DISPLAY": ""}
    told = chainrule("run", script(text), environment=without)
    assert told.stderr == f"figure: {tmp_path / 'script-1.png'}\n"
    text = "import matplotlib.pyplot as plt\nplt.subplots()\nplt.subplots()[0].show()\n"
    told = chainrule("run", script(text), environment=without)
    assert told.stderr == f"figure: {tmp_path / 'script-1.png'}\n"


def test_pictures_that_pillow_shows_are_saved_where_there_is_no_display(script, chainrule, tmp_path):
    from PIL import Image

    path = script("from PIL import Image\nfor _ in range(2):\n    Image.new('L', (28, 28), 7).show()\nprint('done')")
    told = chainrule("run", path, environment={"DISPLAY": "", "WAYLAND_DISPLAY": ""})
    assert told.stdout == "done\n", told.stderr
    for number in (1, 2):
        with Image.open(tmp_path / f"script-{number}.png") as image:
            assert (image.size, image.getpixel((0, 0))) == ((28, 28), 7)


def test_a_script_that_is_no_python_and_a_trace_of_its_own_lines_only(script, chainrule):
    told = chainrule("run", script("x = 1\ny = (\n"))
    assert told.returncode == 2
    assert re.search(r"error: .*script\.py, line 2: '\(' was never closed", told.stderr)
    told = chainrule("run", script("def f():\n    raise KeyError('W1')\n\nf()\n"))
    assert told.returncode == 1
    assert re.findall(r'File "(.*?)", line (\d+)', told.stderr) == [
        (str(script("", "x.py").with_name("script.py")), n) for n in ("4", "2")
    ]


def test_scripts_in_other_encodings(script, chainrule, tmp_path):
    text = "# -*- coding: {} -*-\nprint('\u4f60')\nx = 1 / 0\n"
    for encoding in ("utf-8-sig", "gbk", "utf-16"):
        (tmp_path / "script.py").write_bytes(text.format(encoding).replace("\n", "\r\n").encode(encoding))
        told = chainrule("run", tmp_path / "script.py", environment={"PYTHONIOENCODING": "utf-8"})
        assert told.stdout == "\u4f60\n", told.stderr
        assert 'script.py", line 3, in <module>\n    x = 1 / 0\n' in told.stderr


NO_SCRIPTS = {
    "absent.py": (None, "check the path"),
    "binary.py": (b"\x7fELF\0\0", "it holds null bytes"),
    "utf16.py": ("x = 1".encode("utf-16-le"), "save it as UTF-8"),
    "latin.py": (b"x = '\xe9'", "save it as UTF-8"),
    "text.txt": (b"This is no Python.", "text.txt, line 1: invalid syntax"),
    "lesson.ipynb": (b"{}", "is a notebook"),
    "deep.py": (b"-" * 100_000 + b"1", "deep.py"),
}


@pytest.mark.parametrize("name", NO_SCRIPTS)
def test_what_is_no_script(tmp_path, name):
    content, said = NO_SCRIPTS[name]
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(FileError, match=said):
        parsed(tmp_path / name)


def test_is_told_in_one_line(rejects, script, tmp_path):
    assert "is a folder: name a script in it" in rejects("run", tmp_path)
    assert "script.py, line 1: 'return' outside function" in rejects("run", script("return 1"))


def test_loops_run_as_they_do_without_us(script, chainrule):
    """Counted loops: nested, with else and break, over the script's own range, in functions and comprehensions."""
    path = script(
        "for i in range(3):\n    for j in range(2):\n        pass\nelse:\n    print('else', i, j)\n"
        "for i in range(10, 0, -3):\n    if i == 4: break\nelse:\n    print('never')\n"
        "def f(n):\n    for k in range(n):\n        yield k\n"
        "print(i, list(f(3)), [m for m in range(2)])\n"
        "def range(n): return 'ab'\n"
        "for c in range(1): print(c)\n"
    )
    expected = subprocess.run([sys.executable, path], capture_output=True, text=True, check=True).stdout
    assert chainrule("run", path).stdout == expected


def test_on_a_terminal_a_long_loop_has_a_bar(script, in_terminal):
    code, shown = in_terminal("run", script("import time\nfor i in range(15):\n    time.sleep(0.1)\nprint('end')\n"))
    assert code == 0
    assert "/15" in shown
    assert "time left" in shown
    assert shown.rstrip().endswith("end")
