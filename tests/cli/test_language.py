"""The command line in two languages: one rule chooses, messages have their translation, and 60 columns are enough."""

import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
import typer
from typer.main import get_command

from chainrule import cli
from chainrule.cli.catalogue import FIELD, catalogue_of
from chainrule.cli.help import Command, Group
from chainrule.cli.language import chosen_language
from chainrule.cli.terminal import speak, stdout
from chainrule.errors import OptionError
from chainrule.text import fields, table, width, wrap
from messages import help_texts, known, printed

CHINESE = catalogue_of("zh")
OF_TYPER = ("Input should be ", "Invalid value", "No such ", "Missing ", "Option ", "Got unexpected ")
"""How usage errors begin, which typer and pydantic write; each kind is provoked below."""
WRONG = """import numpy as np
class Slope:
    def forward(self, x):
        self.x = x
        return x**2
    def backward(self, dout):
        return dout * self.x
layer = Slope()
layer.backward(np.ones_like(layer.forward(np.arange(6.0).reshape(2, 3) + 1)))
"""
"""A script with a backward pass that is half of what it should be."""
COMMANDS = [
    *("train", "sweep", "evaluate", "predict", "read", "write", "serve", "export", "import", "gradcheck", "race"),
    *("bench", "info", "run", "lesson", "example", "data list", "data info", "data show", "data fetch"),
]


@pytest.mark.parametrize(
    ("words", "environment", "language"),
    [
        (["info"], {}, "en"),
        (["info"], {"LANG": "zh_CN.UTF-8"}, "zh"),
        (["info"], {"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        (["info"], {"LC_MESSAGES": "zh_TW", "LANG": "de_DE"}, "zh"),
        (["info", "--language", "en"], {"LANG": "zh_CN.UTF-8"}, "en"),
        (["--language=zh", "info"], {}, "zh"),
        (["train", "-h", "-l", "zh"], {}, "zh"),
        (["run", "--check", "-l", "zh", "script.py"], {}, "zh"),
        (["run", "script.py", "--language", "zh"], {}, "en"),  # the script's own
    ],
)
def test_one_rule_chooses(words, environment, language):
    assert chosen_language(words, environment)[0] == language


def test_what_the_option_leaves():
    assert chosen_language(["train", "-l", "zh", "--epochs", "2"], {})[1] == ["train", "--epochs", "2"]
    passed_on = ["run", "script.py", "--language", "zh"]
    assert chosen_language(passed_on, {})[1] == passed_on
    with pytest.raises(OptionError, match="choose en or zh"):
        chosen_language(["info", "--language", "fr"], {})


def is_translated(text: str) -> bool:
    return not re.search("[A-Za-z]{2}", text) or CHINESE.translated(text) != text


def test_every_message_has_its_translation():
    missing = [text for text in printed() if text not in CHINESE.messages]
    assert not missing, "add them to cli/messages.zh.toml"


def test_every_help_text_has_its_translation():
    assert not [text for text in help_texts() if not is_translated(text)]
    for text in ("Arguments:", "Options:", "Commands:", "required", "default: 3"):
        assert is_translated(text)


def test_an_entry_has_the_same_fields_and_is_found_again():
    assert not [fault for pair in CHINESE.messages.items() if (fault := faulty(*pair))]


def faulty(english: str, chinese: str) -> str | None:
    """What is wrong with an entry; None if it is right."""
    names = [name for name, _ in FIELD.findall(english)]
    if set(names) != {name for name, _ in FIELD.findall(chinese)}:
        return f"other fields: {english}"
    if any(f"{first}{second}" not in chinese for first, second in re.findall(r"(\{\w+\})(?=(\{\w+\}))", english)):
        return f"fields without a word between are one value, and stay together: {english}"
    if len(set(names)) < len(names):  # a field that stands twice has two values
        return None
    numbers = {name for name, mark in FIELD.findall(chinese) if mark == "!n"}
    values = {name: f"{index}" if name in numbers else f"<{index}>" for index, name in enumerate(names)}
    said, expected = (FIELD.sub(lambda field: values[field[1]], text) for text in (english, chinese))
    return None if CHINESE.translated(said) == expected else f"{said} becomes {CHINESE.translated(said)}"


def test_no_entry_is_left_over():
    def shape(text: str) -> str:
        return FIELD.sub("{}", text)

    shapes = {shape(text) for text in (*known(), *printed())}
    shown = set(help_texts())
    for english in CHINESE.messages:
        pattern = re.compile(".*".join(map(re.escape, FIELD.split(english)[::3])))
        is_help = english in shown or any(pattern.fullmatch(text) for text in shown)
        assert shape(english) in shapes or is_help or english.startswith(OF_TYPER), english


@pytest.mark.parametrize(
    "words",
    [
        ["trian"],
        ["nothing-like-it"],
        ["train", "--epochs", "x"],
        ["train", "--epochz", "3"],
        ["train", "--epochs"],
        ["train", "surplus"],
        ["export"],
        ["race", "--batch-size", "0"],
        ["data", "show", "--rows", "1000"],
        ["bench", "--rounds", "1.5"],
    ],
    ids=" ".join,
)
def test_usage_errors_are_in_chinese(chainrule, words):
    result = chainrule("--language", "zh", *words)
    assert result.returncode == 2
    assert result.stderr.startswith("错误："), result.stderr
    assert not re.search(r"\b(?!INT|en\b|zh\b)[A-Za-z]+ [a-z]+\b", result.stderr), result.stderr


def test_the_terminal_decides_where_no_language_is_named(chainrule):
    result = chainrule("info", "--language", "fr", environment={"LC_ALL": "zh_CN.UTF-8"})
    assert result.returncode == 2
    assert result.stderr.startswith("错误：")
    assert "en 或 zh" in result.stderr


def test_errors_of_the_library_are_in_chinese(chainrule, tmp_path):
    def told(*words):
        result = chainrule(*words, "--language", "zh", cwd=tmp_path)
        assert result.returncode == 2
        return result.stderr.splitlines()[-1]

    (tmp_path / "empty.png").write_bytes(b"")
    assert told("predict", "missing.png") == "错误：无法读取 missing.png：没有这个文件或文件夹：请检查路径"
    assert "不是图片" in told("predict", "empty.png")
    assert told("train", "--data", "nowhere.csv").startswith("错误：没有")


def test_a_stream_that_cannot_show_chinese_stops_nothing(chainrule):
    result = chainrule("info", "--language", "zh", environment={"PYTHONIOENCODING": "ascii"})
    assert result.returncode == 0, result.stderr


def terminal(*words: object, columns: int, language: str = "en") -> str:
    """What a command shows on a terminal of so many columns."""
    leader, follower = pty.openpty()
    environment = os.environ | {"COLUMNS": str(columns), "TERM": "xterm", "LC_ALL": "C.UTF-8"}
    command = [sys.executable, "-m", "chainrule", *map(str, words), "--language", language]
    with subprocess.Popen(command, stdin=follower, stdout=follower, stderr=follower, env=environment) as process:
        os.close(follower)
        shown = b""
        try:
            while part := os.read(leader, 65536):
                shown += part
        except OSError:  # the other side is closed
            pass
    os.close(leader)
    text = shown.decode()
    assert process.returncode in (0, 1), text
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "\n")


def too_long(text: str, columns: int) -> list[str]:
    """Lines that do not fit, except for a word that is longer than the line."""
    return [line for line in text.split("\n") if width(line) > columns and len(line.split()) > 1]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_help_fits_narrow_terminals_and_breaks_no_word(monkeypatch, language):
    speak(language)
    try:
        told: dict[str, dict[int, str]] = {}
        for columns in (40, 60, 100):
            monkeypatch.setattr(stdout, "width", columns)
            for name, text in helps("chainrule", get_command(cli.app())):
                told.setdefault(name, {})[columns] = text
    finally:
        speak("en")
    assert len(told) >= len(COMMANDS) + 2  # and those of `chainrule` and `chainrule data`
    for name, shown in told.items():
        words = [set(re.findall(r"[A-Za-z0-9./-]+", text)) for text in shown.values()]
        assert words[0] == words[1] == words[2], name
        for columns, text in shown.items():
            assert not too_long(text, columns), name


def helps(name: str, command: Command | Group, parent: typer.Context | None = None) -> Iterator[tuple[str, str]]:
    """The help of a command, and of those below it."""
    with typer.Context(command, info_name=name, parent=parent) as context:
        yield context.command_path, command.get_help(context)
        for part, below in command.commands.items() if isinstance(command, Group) else ():
            yield from helps(part, below, context)


def test_the_width_of_the_terminal_is_taken(chainrule):
    text = chainrule("train", "-h", environment={"COLUMNS": "50"}).stdout
    assert max(map(width, text.split("\n"))) in range(40, 51)


@pytest.mark.long
@pytest.mark.parametrize("language", ["en", "zh"])
def test_results_fit_a_narrow_terminal(small_folder, tmp_path, language):
    shown = terminal(
        "train", "--data", small_folder, "--epochs", 2, "--output", tmp_path / "run", columns=60, language=language
    )
    assert "━" in shown, "the progress bar"
    assert ("time left" if language == "en" else "剩余时间") in shown
    model = tmp_path / "run" / "model.safetensors"
    (script := tmp_path / "wrong.py").write_text(WRONG, "utf-8")
    for words in (
        ["info"],
        ["data", "list"],
        ["data", "info", small_folder],
        ["evaluate", model, "--data", small_folder],
        ["gradcheck", model],
        ["lesson"],
        ["race", "--data", small_folder, "--seconds", 1],
        ["run", "--check", script],
    ):
        for columns in (60, 40):
            shown = terminal(*words, columns=columns, language=language)
            if columns == 60:
                assert not too_long(shown, columns), words
    shown = terminal("evaluate", model, "--data", small_folder, columns=60, language=language)
    heads = ("class", "found", "misread") if language == "en" else ("类别", "找出率", "误读")
    assert all(head in shown for head in heads)


@pytest.mark.long
@pytest.mark.parametrize("language", ["en", "zh"])
def test_pages_and_sweeps_fit_a_narrow_terminal(chainrule, small_folder, tmp_path, language):
    assert chainrule("example", "--output", tmp_path).returncode == 0
    shown = terminal("read", tmp_path / "page.jpg", columns=60, language=language)
    assert "━" in shown
    assert not too_long(shown, 60)
    assert "2026" in shown
    plan = tmp_path / "plan.toml"
    plan.write_text(f"data = '{small_folder}'\n[fixed]\nepochs = 1\n[grid]\nlearning_rate = [0.1, 0.2]\n", "utf-8")
    shown = terminal("sweep", plan, "--output", tmp_path / "trials", columns=60, language=language)
    assert not too_long(shown, 60)


def test_a_number_is_not_taken_for_a_word_of_ours():
    assert CHINESE.translated("0 to 255") == "0 到 255"
    assert CHINESE.translated("97.10% of 10,000") == "97.10%（共 10,000 个）"
    for foreign in ("list index out of range", "could not convert string to float: 'x'", "epoch making"):
        assert CHINESE.translated(foreign) == foreign


def test_lines_break_between_words_and_between_chinese_characters():
    assert wrap("a long line of words", 11, 2) == ["a long line", "  of words"]
    assert wrap("反向传播的梯度，正确。", 14) == ["反向传播的梯", "度，正确。"]
    assert wrap("写入 model.safetensors", 12) == ["写入", "model.safetensors"]
    assert width("梯度 dy") == 7
    assert wrap("", 10) == [""]


def test_a_table_that_does_not_fit_wraps_cells_or_shows_blocks():
    rows = [("0", 10, "one of several words"), ("1", 7, "-")]
    assert table(("class", "n", "told"), rows, 22).split("\n") == [
        "class   n  told",
        "    0  10  one of",
        "           several",
        "           words",
        "    1   7  -",
    ]
    assert table(("class", "n"), [("0", 1), ("1", 2)], 7) == (
        "class\n       0\nn\n       1\n\nclass\n       1\nn\n       2"
    )
    assert fields([("class", 0), ("n", 1)], 8) == "class  0\nn      1"
    assert fields([("类别", 3), ("n", 4)]) == "类别  3\nn     4"
