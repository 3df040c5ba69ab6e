"""`chainrule train` on a text and `chainrule write`, as users run them."""

import json
import subprocess
import sys

import pytest

import chainrule as cr
from chainrule.cli.terminal import printable
from chainrule.data import book

QUICK = ("--context", 8, "--batch-size", 500, "--epochs", 2)


@pytest.fixture(scope="module")
def little(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "little.txt"
    path.write_text(book("shakespeare")[:20_000], "utf-8", newline="\r\n")
    return path


@pytest.fixture(scope="module")
def trained(little, chainrule, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained") / "run"
    result = chainrule("train", "--data", little, "--model", "char-lstm", *QUICK, "--output", folder)
    assert result.returncode == 0, result.stderr
    return folder, result


def test_what_a_training_tells_and_writes(trained, chainrule, little):
    folder, result = trained
    assert "char-lstm: " in result.stderr
    assert "6,000 windows of 8 characters an epoch" in result.stderr
    assert "gradients agree with numerical ones" in result.stderr
    epoch = next(line for line in result.stderr.splitlines() if line.startswith("epoch   2"))
    assert "perplexity" in epoch
    assert "bits a character" in epoch
    assert sum(line.startswith("    ") for line in result.stderr.splitlines()) > 2  # a sample of what it writes so far
    assert "perplexity" in result.stdout
    report = json.loads((folder / "report.json").read_text())
    assert report["recipe"]["clip_norm"] == 5  # the recipe with that name
    assert report["test_perplexity"] == pytest.approx(2.718281828 ** report["test_loss"])
    assert report["test_bits_a_character"] == pytest.approx(report["test_loss"] / 0.69314718)
    assert 1 < report["test_perplexity"] < 57  # better than treating all characters as equally likely
    assert (folder / "curves.png").stat().st_size > 1000
    assert not (folder / "confusion.png").exists()
    again = chainrule("evaluate", folder / "model.safetensors", "--data", little)
    assert again.returncode == 0, again.stderr
    assert f"test loss         {report['test_loss']:.4f} of 1,992 characters" in again.stdout


def test_write(trained, chainrule):
    model = trained[0] / "model.safetensors"
    result = chainrule("write", model, "--prompt", "First", "--length", 40, "--seed", 3)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("First")
    assert len(result.stdout) == 5 + 40 + 1
    expected = "".join(cr.write_text(cr.load(model), "First", length=40, seed=3))
    assert result.stdout == f"First{expected}\n"
    assert result.stderr == ""


def test_a_reader_that_has_seen_enough(trained):
    command = [sys.executable, "-m", "chainrule", "write", str(trained[0] / "model.safetensors"), "--length", "100000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert len(process.stdout.read(30)) == 30  # output appears while it is being generated
        process.stdout.close()
        assert process.stderr.read() == b""  # and it ends without a message


def test_gradients_of_a_network_that_writes(trained, chainrule):
    result = chainrule("gradcheck", trained[0] / "model.safetensors")
    assert result.returncode == 0, result.stderr
    assert "LSTM.U" in result.stdout


def test_other_tokens_and_the_text_that_is_held_out(little, chainrule, tmp_path):
    options = ("--tokens", "pairs", "--vocabulary", 300, "--validation", 0.2, "--patience", 1)
    result = chainrule("train", "--data", little, "--model", "char-lstm", *QUICK, *options, "--output", tmp_path)
    assert result.returncode == 0, result.stderr
    assert "validation loss" in result.stderr
    assert "the best on the" in result.stderr
    net = cr.load(tmp_path / "model.safetensors")
    assert net.preparation.tokenizer.size == 300
    assert len(net.preparation.tokenizer.merges) == 44
    written = chainrule("write", tmp_path / "model.safetensors", "--prompt", "从前", "--length", 30)
    assert written.returncode == 0, written.stderr
    assert written.stdout.startswith("从前")


def test_a_resumed_training_equals_an_uninterrupted_one(trained, little, chainrule, rejects, tmp_path):
    command = ["train", "--data", little, "--model", "char-lstm", *QUICK, "--output", tmp_path]
    stop_in_the_second_epoch = (
        "import sys\nfrom chainrule.training import Trainer\nsteps = Trainer.steps\n"
        "def some(self, *a, **o):\n    for step in steps(self, *a, **o):\n        yield step\n"
        "        if step.number == 17: raise KeyboardInterrupt\n"
        "Trainer.steps = some\nfrom chainrule.cli import main\nsys.exit(main(sys.argv[1:]))"
    )
    interpreter = [sys.executable, "-c", stop_in_the_second_epoch]
    stopped = subprocess.run([*interpreter, *map(str, command)], capture_output=True, text=True, check=False)
    assert stopped.returncode == 130, stopped.stderr
    assert "stopped after step 17 and saved" in stopped.stderr
    for option, value in (("--context", 9), ("--tokens", "bytes")):
        assert f"{option} {value} differs" in rejects("train", "--resume", option, value, "--output", tmp_path)
    resumed = chainrule("train", "--resume", "--output", tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert "resuming after step 17 in epoch 2" in resumed.stderr
    files = [(folder / "model.safetensors").read_bytes() for folder in (trained[0], tmp_path)]
    assert files[0] == files[1]


@pytest.mark.parametrize("content", ["a" * 999, "从前有座山，山上有座庙。" * 99], ids=["one character", "one line"])
def test_odd_texts(content, chainrule, tmp_path):
    (tmp_path / "odd.txt").write_text(content, "utf-8")
    command = ("train", "--data", tmp_path / "odd.txt", "--model", "char-lstm", *QUICK, "--output", tmp_path / "run")
    result = chainrule(*command)
    assert result.returncode == 0, result.stderr
    written = chainrule("write", tmp_path / "run" / "model.safetensors", "--length", 5)
    assert written.returncode == 0, written.stderr
    assert set(written.stdout) <= {*content, "\n"}
    assert len(written.stdout) == 6


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty: there is nothing to learn from it"),
        (b"caf\xe9" * 999, "is not UTF-8: byte 4 is 0xe9"),
        (b"short", "has 5 characters, and needs 65 or more"),
        (b"a hundred " * 10, "has 10 characters, and needs 65 or more"),
    ],
)
def test_files_that_are_no_texts(content, message, rejects, tmp_path):
    (tmp_path / "bad.txt").write_bytes(content)
    command = ("train", "--data", tmp_path / "bad.txt", "--model", "char-gpt", "--output", tmp_path / "run")
    assert message in rejects(*command)


def test_what_does_not_fit_together(trained, rejects, small_folder, tmp_path):
    model = trained[0] / "model.safetensors"
    for message, *command in (
        ("char-gpt writes text, and this data is not text", "train", "--data", small_folder, "--model", "char-gpt"),
        ("lenet does not read text: use --model char-gpt or", "train", "--data", "shakespeare", "--model", "lenet"),
        ("are for pictures and classes", "train", "--data", "shakespeare", "--mixup", 0.2),
        ("are for pictures and classes", "train", "--data", "shakespeare", "--augment"),
        ("--tokens must be characters", "train", "--data", "shakespeare", "--tokens", "words"),
        ("writes text, and", "evaluate", model, "--data", small_folder),
        ("is a text, and cnn does not read text", "evaluate", "cnn", "--data", "shakespeare"),
        ("which is not one of the", "evaluate", model, "--data", "hongloumeng"),
        ("was trained on a text, not on pictures: chainrule write", "predict", model, "none.png"),
        ("the network was not trained on a text", "write", "cnn"),
        ("no model 'nobody'", "write", "nobody"),
        ("the prompt has '€' at character 1", "write", model, "--prompt", "€"),
        ("the prompt is empty", "write", model, "--prompt", ""),
        ("--length must be 1 or more", "write", model, "--length", 0),
        ("--top-k must be 1 token or more", "write", model, "--top-k", 0),
    ):
        assert message in rejects(*command, *(["--output", tmp_path / "no"] if command[0] == "train" else []))
    assert not (tmp_path / "no").exists()


def test_a_terminal_is_given_no_commands():
    assert printable("a\x1b[2Jb\x9b\n\tc\r") == "a�[2Jb�\n\tc�"


def test_books_among_the_data(chainrule, tmp_path):
    listed = chainrule("data", "list").stdout
    assert "shakespeare     1,003,854  111,540  characters   bundled" in listed
    assert "hongloumeng" in listed
    told = chainrule("data", "info", "shakespeare").stdout.split()
    assert told == ["part", "characters", "different", "training", "1,003,854", "65", "test", "111,540", "65"]
    result = chainrule("data", "fetch", "hongloumeng", "--output", tmp_path)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "hongloumeng.txt").read_text("utf-8") == book("hongloumeng")
