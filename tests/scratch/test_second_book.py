"""The second book's chapters: scripts in its style (tests/scratch/second), run unmodified by `chainrule run`."""

import re
import shutil
from pathlib import Path

import pytest

SECOND = Path(__file__).parent / "second"
WITHOUT_DISPLAY = {"DISPLAY": "", "WAYLAND_DISPLAY": ""}


@pytest.fixture(scope="module")
def book(tmp_path_factory) -> Path:
    """Copy the scripts to a folder of their own, inside a repository, without `common` and `dataset`."""
    folder = shutil.copytree(SECOND, tmp_path_factory.mktemp("second") / "book")
    (folder / ".git").mkdir()
    return folder


@pytest.fixture
def run(book, chainrule):
    def script(name: str, *options: str, code: int = 0):
        path = book / name
        told = chainrule("run", *options, path.name, cwd=path.parent, environment=WITHOUT_DISPLAY)
        assert told.returncode == code, told.stderr
        assert "Warning" not in told.stderr
        for figure in re.findall(r"^figure: (.*)$", told.stderr, re.MULTILINE):
            assert Path(figure).read_bytes().startswith(b"\x89PNG")
        return told.stdout.splitlines(), told.stderr

    return script


def test_ch01_trains_on_the_spiral(run):
    lines, told = run("ch01/train.py")
    assert re.fullmatch(r"\| epoch 1 \|  iter 1 / 10 \| time 0\[s\] \| loss 1\.1\d", lines[0])
    assert float(lines[-2].removeprefix("accuracy ")) > 0.9
    assert lines[-1] == "300 300 10"
    assert "figure: " in told


def test_ch02_counts_words_and_says_whose_text_it_is(run):
    lines, told = run("ch02/count.py")
    assert lines[:2] == ["[0 1 2 3 0 4 5 0 6 2 3 0 7 5] int32 float32", "1.0000"]
    assert lines[3] == "[query] cat"
    assert {line.partition(":")[0] for line in lines[4:6]} == {" on", " dog"}  # between the same words
    assert "bird is not found" in lines
    assert re.fullmatch(r"\d{6} words, 10000 known", lines[-4])
    assert lines[-3].startswith("True False ")
    assert lines[-2:] == ["val True", "test True"]
    assert told.count("no dataset/ptb.train.txt: using the text bundled with chainrule (plays by William Sha") == 1


def test_ch03_learns_contexts(run):
    assert run("ch03/train.py")[0][-1] == "False (6, 2, 7) int32 float32 True"


def test_ch04_samples_negatively_and_saves_word_vectors(run):
    lines, _ = run("ch04/train.py")
    assert lines[-8:-6] == ["True", "(51, 8) dict True"]
    assert lines[-5].startswith("[analogy] ")
    assert lines[-4].startswith("==>")


def test_ch05_goes_back_through_time(run):
    assert run("ch05/train.py")[0][-1] == "10 True float32"


def test_ch06_and_ch07_tie_weights_save_load_and_write(run, book, chainrule):
    lines, _ = run("ch06/train.py")
    assert [line for line in lines if line.endswith("True")] == ["better than chance: True", "rounded alike: True"]
    assert run("ch07/write.py")[0] == ["20 False True"]
    elsewhere = book / "ch06" / "short.py"
    elsewhere.write_text("from lm import *\nTiedLm(70).load_params()\n")
    told = chainrule("run", "short.py", cwd=elsewhere.parent)
    assert (told.returncode, told.stdout) == (2, "")
    assert "TiedLm.pkl: params[0] has shape (60, 16), but this TiedLm needs (70, 16): create the model" in told.stderr


def test_ch07_adds(run):
    lines, told = run("ch07/train_seq2seq.py")
    assert lines[:2] == ["(45000, 7) (45000, 5) (5000, 7) (5000, 5) 13", "True"]
    assert lines[-1] == "True"
    assert sum(line.startswith("Q ") for line in lines) == 2
    assert "no dataset/addition.txt: generating 50000 lines of its form" in told


def test_ch08_attends_and_finds_a_neighbour_of_another_chapter(run):
    lines, _ = run("ch08/train.py")
    assert lines[0] == "(45000, 29) (45000, 11) 59"
    assert lines[-1] == "True"


@pytest.mark.parametrize("name", ["ch03/train.py", "ch05/train.py", "ch07/train_seq2seq.py"])
@pytest.mark.long
def test_models_and_layers_pass_the_check(run, name):
    lines, _ = run(name, "--check")
    table = lines[next(i for i, line in enumerate(lines) if line.startswith("layer ")) :]
    assert not [line for line in table if "WRONG" in line]
    assert re.match(r"(every backward pass is .*)?\d+ (of|\d+).*", table[-1])
